"""What smaller images are worth: seconds of a pull, money a month, bytes that a fleet stores and pulls."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

DEFAULT_BANDWIDTH_MBIT = 100
BYTES_PER_GB = 10**9


@dataclass(frozen=True, slots=True)
class Tariff:
    """What an administrator says of costs; None where nobody said. Prices are for 10^9 bytes. ``currency`` is any
    label, for example EUR."""

    bandwidth_mbit: int = DEFAULT_BANDWIDTH_MBIT
    storage_gb_month: Decimal | None = None
    transfer_gb: Decimal | None = None
    pulls_per_replica_month: Decimal | None = None
    currency: str = ""

    @property
    def knows_transfer(self) -> bool:
        return self.transfer_gb is not None and self.pulls_per_replica_month is not None

    @property
    def knows_costs(self) -> bool:
        return self.storage_gb_month is not None or self.knows_transfer


@dataclass(frozen=True, slots=True)
class Stack:
    """What one service holds in the registry and pulls: its blobs with their compressed bytes. Blobs of the same key
    are the same blob. ``scope`` is within what the registry keeps a blob once, ``replicas`` how many pull it."""

    scope: Hashable
    blobs: Mapping[Hashable, int]
    replicas: int


@dataclass(frozen=True, slots=True)
class Load:
    """Compressed bytes. ``stored`` counts a blob once within each scope. ``pulled`` lets every replica start once, on
    hosts that keep what they pulled: a blob that services share counts for the service with most replicas alone."""

    stored_bytes: int
    pulled_bytes: int


def pull_seconds(compressed_bytes: int, bandwidth_mbit: int) -> float:
    """The transfer alone: unpacking comes on top, and what a host has already is not pulled again."""
    return compressed_bytes * 8 / (bandwidth_mbit * 10**6)


def monthly_cost(compressed_bytes: int, replicas: int, tariff: Tariff) -> Decimal | None:
    """One stored image and the pulls of its replicas, as far as prices are known; None where none is."""
    if not tariff.knows_costs:
        return None
    gigabytes = Decimal(compressed_bytes) / BYTES_PER_GB
    cost = gigabytes * (tariff.storage_gb_month or 0)
    if tariff.transfer_gb is not None and tariff.pulls_per_replica_month is not None:
        cost += gigabytes * tariff.transfer_gb * tariff.pulls_per_replica_month * replicas
    return cost


def weigh(stacks: Iterable[Stack]) -> Load:
    """What services store and pull together."""
    replicas: dict[Hashable, int] = {}
    sizes: dict[Hashable, int] = {}
    stored: set[tuple[Hashable, Hashable]] = set()
    stored_bytes = 0
    for stack in stacks:
        for blob, size_bytes in stack.blobs.items():
            sizes[blob] = size_bytes
            replicas[blob] = max(replicas.get(blob, 0), stack.replicas)
            if (stack.scope, blob) not in stored:
                stored.add((stack.scope, blob))
                stored_bytes += size_bytes
    return Load(stored_bytes, sum(sizes[blob] * count for blob, count in replicas.items()))
