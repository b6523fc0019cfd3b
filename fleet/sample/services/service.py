"""One service of the sample fleet, before a date is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from fleet.sample.plan import Plan
from fleet.sample.story import Naming, Release, base_moment, releases


@dataclass(frozen=True, slots=True)
class Service:
    """``image(release, base moment)`` is the plan of one release. ``story`` says in a few words how its size went."""

    repository: str
    team: str
    story: str
    image: Callable[[Release, datetime], Plan]
    count: int
    every_days: int
    naming: Naming = "semver"
    first: str = "1.8.0"
    revisions: tuple[int, ...] = ()
    latest: bool = True

    def plans(self, as_of: date) -> dict[str, Plan]:
        """The plan of every tag, oldest first; ``latest`` is the newest once more."""
        base = base_moment(as_of)
        tags = {}
        for release in releases(
            self.repository,
            as_of,
            self.count,
            every_days=self.every_days,
            naming=self.naming,
            first=self.first,
            revisions=self.revisions,
        ):
            tags[release.tag] = self._labelled(self.image(release, base), release)
        if self.latest:
            tags["latest"] = tags[release.tag]
        return tags

    def _labelled(self, plan: Plan, release: Release) -> Plan:
        return plan.label(vendor=self.team, title=self.repository.rpartition("/")[2], version=release.version)
