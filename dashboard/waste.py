"""Findings as the service page shows them: one row for what one rule says, the small ones folded away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fleet.models import Finding

# Below this share of all that could go a finding is a crumb, unless it is among the first few.
CRUMB_SHARE = 0.01
ALWAYS_SHOWN = 3
# To fold a single row away saves no space.
LEAST_FOLDED = 2


@dataclass(frozen=True, slots=True)
class Waste:
    """What one rule found in the layers of the base, or in our own: never empty, largest first."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        return self.findings[0]

    @property
    def unpacked_bytes(self) -> int:
        return sum(finding.unpacked_bytes for finding in self.findings)

    @property
    def compressed_bytes(self) -> int:
        return sum(finding.compressed_bytes for finding in self.findings)


@dataclass(frozen=True, slots=True)
class WasteList:
    shown: tuple[Waste, ...]
    folded: tuple[Waste, ...]

    @property
    def folded_unpacked_bytes(self) -> int:
        return sum(waste.unpacked_bytes for waste in self.folded)


def waste_list(findings: Iterable[Finding]) -> WasteList:
    """Findings of one rule together, those of the base apart; what weighs under a hundredth of all is folded."""
    groups: dict[tuple[str, bool], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.rule, finding.base), []).append(finding)
    wastes = sorted((Waste(tuple(group)) for group in groups.values()), key=lambda each: -each.unpacked_bytes)
    crumb = CRUMB_SHARE * sum(waste.unpacked_bytes for waste in wastes)
    large = sum(waste.unpacked_bytes >= crumb for waste in wastes)
    shown = max(large, ALWAYS_SHOWN)
    if len(wastes) - shown < LEAST_FOLDED:
        shown = len(wastes)
    return WasteList(tuple(wastes[:shown]), tuple(wastes[shown:]))
