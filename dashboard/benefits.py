"""What a suggestion brings, in words: seconds of a pull, money a month, parts that go."""

from __future__ import annotations

from decimal import Decimal

from dashboard import wording
from fleet.dockerfile.adoption import Figure
from fleet.dockerfile.benefits import Tariff, monthly_cost, pull_seconds
from fleet.models import Suggestion

COMPONENTS = {
    "packages": "Packages",
    "executables": "Executables",
    "setuid_files": "Setuid files",
    "shells": "Shells",
}


def pull_time(row: Suggestion, tariff: Tariff) -> Figure:
    now, after = (
        wording.duration(pull_seconds(size_bytes or 0, tariff.bandwidth_mbit))
        for size_bytes in (row.before_compressed_bytes, row.after_compressed_bytes)
    )
    return Figure("Pull time", now, after)


def monthly(row: Suggestion, replicas: int, tariff: Tariff) -> Figure | None:
    now = monthly_cost(row.before_compressed_bytes or 0, replicas, tariff)
    after = monthly_cost(row.after_compressed_bytes or 0, replicas, tariff)
    if now is None or after is None:
        return None
    texts = (money(amount, tariff.currency) for amount in (now, after, now - after))
    return Figure("Monthly cost", *texts)


def money(amount: Decimal, currency: str) -> str:
    """``1,234.50 EUR``; what is less than a cent says so."""
    text = f"{amount:,.2f}"
    if 0 < amount < Decimal("0.01"):
        text = f"<{wording.NO_BREAK_SPACE}0.01"
    return f"{text}{wording.NO_BREAK_SPACE}{currency}".rstrip()


def components(row: Suggestion) -> list[Figure]:
    before, after = row.components.get("before"), row.components.get("after")
    if not before or not after:
        return []
    return [
        Figure(name, f"{before.get(key, 0):,}", f"{after.get(key, 0):,}", f"{before.get(key, 0) - after.get(key, 0):,}")
        for key, name in COMPONENTS.items()
    ]


def cost_basis(tariff: Tariff, replicas: int) -> str:
    """What a monthly cost is reckoned from, a sentence."""
    parts = []
    if tariff.storage_gb_month is not None:
        parts.append("one stored image")
    if tariff.pulls_per_replica_month is not None and tariff.knows_transfer:
        pulls = f"{tariff.pulls_per_replica_month.normalize():f}"
        who = "its one replica" if replicas == 1 else f"each of its {replicas:,} replicas"
        parts.append(f"{pulls} pull{'' if pulls == '1' else 's'} a month by {who}")
    return f"Costs are for {' and '.join(parts)}." if parts else ""
