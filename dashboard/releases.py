"""The snapshots of a service one after the other: what each weighs more than the one before, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.wording import signed
from fleet.analysis.growth import Cause, Growth
from fleet.models import Service, Snapshot
from fleet.snapshots import read_growth

TREND_LENGTH = 200
# Of a step below this share of the size nobody asks for the cause.
JUMP_SHARE = 0.02
HEADLINE_CAUSES = 2


@dataclass(frozen=True, slots=True)
class Release:
    """A snapshot and what it added to ``previous``; ``delta_bytes`` is compressed, None for the first that is shown.
    ``growth`` says why, where these two were compared."""

    snapshot: Snapshot
    previous: Snapshot | None = None
    growth: Growth | None = None

    @property
    def delta_bytes(self) -> int | None:
        return self.snapshot.compressed_bytes - self.previous.compressed_bytes if self.previous else None

    @property
    def causes(self) -> tuple[Cause, ...]:
        return self.growth.causes if self.growth else ()

    @property
    def headline(self) -> str:
        return headline(self.growth) if self.growth else ""


def releases(service: Service) -> list[Release]:
    """The newest snapshots of a service, oldest first, each with its growth. One query."""
    newest = service.snapshots.select_related(None).order_by("-taken_at", "-pk")[:TREND_LENGTH]
    snapshots = list(reversed(newest))
    before: list[Snapshot | None] = [None, *snapshots]
    return [
        Release(snapshot, previous, _growth(snapshot, previous))
        for previous, snapshot in zip(before, snapshots, strict=False)
    ]


def _growth(snapshot: Snapshot, previous: Snapshot | None) -> Growth | None:
    """What is stored, unless it is the difference to another snapshot than the one that is shown before it."""
    stored = read_growth(snapshot.growth)
    if previous is None or stored is None:
        return None
    shown_bytes = snapshot.compressed_bytes - previous.compressed_bytes
    return stored.growth if stored.growth.delta.compressed_bytes == shown_bytes else None


def largest_jump(shown: Sequence[Release]) -> Release | None:
    """The release that grew or shrank most, if that is worth a word and its cause is known."""
    steps = [release for release in shown if release.delta_bytes]
    jump = max(steps, key=lambda release: abs(release.delta_bytes or 0), default=None)
    if jump is None or not jump.causes:
        return None
    return jump if abs(jump.delta_bytes or 0) > JUMP_SHARE * jump.snapshot.compressed_bytes else None


def headline(growth: Growth) -> str:
    """``+84 MB: chromium 120 → 121 (+50 MB), 38 npm packages (+30 MB), …``; compressed sizes, empty without causes."""
    told = [f"{cause.label} ({signed(cause.delta.compressed_bytes)})" for cause in growth.causes[:HEADLINE_CAUSES]]
    if not told:
        return ""
    more = [f"{len(growth.causes) - len(told)} more"] if len(growth.causes) > len(told) else []
    return f"{signed(growth.delta.compressed_bytes)}: {', '.join((*told, *more))}"
