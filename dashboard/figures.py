"""The fleet in a few figures, for the head of the ranking."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q, Sum

from dashboard.unread import registry_columns
from fleet.models import Scan, Service


@dataclass(frozen=True, slots=True)
class FleetFigures:
    """``compressed_bytes`` is measured, ``savings_bytes`` an estimate; both are sums over services."""

    services: int
    compressed_bytes: int
    savings_bytes: int
    over_policy: int
    warnings: int
    last_scan: Scan | None

    @property
    def savings_percent(self) -> float:
        return 100 * self.savings_bytes / self.compressed_bytes if self.compressed_bytes else 0.0


def fleet_figures() -> FleetFigures:
    """Two queries, whatever the size of the fleet."""
    sums = Service.objects.present().aggregate(
        services=Count("pk"),
        compressed=Sum("compressed_bytes"),
        savings=Sum("savings_compressed_bytes"),
        over=Count("pk", filter=Q(policy_state=Service.PolicyState.FAIL)),
        warnings=Count("pk", filter=Q(policy_state=Service.PolicyState.WARN)),
    )
    return FleetFigures(
        services=sums["services"],
        compressed_bytes=sums["compressed"] or 0,
        savings_bytes=sums["savings"] or 0,
        over_policy=sums["over"],
        warnings=sums["warnings"],
        last_scan=Scan.objects.select_related("registry").defer(*registry_columns()).first(),
    )
