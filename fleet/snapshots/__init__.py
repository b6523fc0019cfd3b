"""The one writer of scan results: a ``Record`` of one service becomes rows, all of them or none."""

from fleet.snapshots.bases import store_base
from fleet.snapshots.growth import (
    StoredGrowth,
    compare_by_layers,
    compared_by_files,
    read_growth,
    write_growth,
)
from fleet.snapshots.images import restore, store_images, store_layers
from fleet.snapshots.policies import apply_policies
from fleet.snapshots.pruning import Pruned, prune_indexes
from fleet.snapshots.records import Judgement, Record, Remark, SeenTag
from fleet.snapshots.sharing import weigh_sharing
from fleet.snapshots.text import storable
from fleet.snapshots.verifications import apply_verifications, digest_of, proofs_of
from fleet.snapshots.writing import count_traffic, write, write_judgement

__all__ = [
    "Judgement",
    "Pruned",
    "Record",
    "Remark",
    "SeenTag",
    "StoredGrowth",
    "apply_policies",
    "apply_verifications",
    "compare_by_layers",
    "compared_by_files",
    "count_traffic",
    "digest_of",
    "proofs_of",
    "prune_indexes",
    "read_growth",
    "restore",
    "storable",
    "store_base",
    "store_images",
    "store_layers",
    "weigh_sharing",
    "write",
    "write_growth",
    "write_judgement",
]
