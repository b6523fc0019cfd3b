"""The one writer of scan results: a ``Record`` of one service becomes rows, all of them or none."""

from fleet.snapshots.images import store_layers
from fleet.snapshots.policies import apply_policies
from fleet.snapshots.pruning import Pruned, prune_indexes
from fleet.snapshots.records import Judgement, Obstacle, Record, Remark, SeenTag
from fleet.snapshots.text import storable
from fleet.snapshots.writing import count_traffic, write, write_judgement

__all__ = [
    "Judgement",
    "Obstacle",
    "Pruned",
    "Record",
    "Remark",
    "SeenTag",
    "apply_policies",
    "count_traffic",
    "prune_indexes",
    "storable",
    "store_layers",
    "write",
    "write_judgement",
]
