"""When a service was released, under which tags, and when its dependencies moved."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from fleet.sample.trees import seed_of

Naming = Literal["semver", "date"]
# Bases are older than any release that stands on them.
BASE_AGE_DAYS = 430


@dataclass(frozen=True, slots=True)
class Release:
    """``number`` counts from 0 for the oldest. ``revision`` counts the changes of the dependencies so far, the last
    of them at ``revision_moment``: releases in between reuse that layer."""

    tag: str
    moment: datetime
    number: int
    revision: int
    revision_moment: datetime

    @property
    def version(self) -> str:
        return self.tag.removeprefix("v")


def base_moment(as_of: date) -> datetime:
    return datetime.combine(as_of, time(4, 12, 9), UTC) - timedelta(days=BASE_AGE_DAYS)


def releases(
    service: str,
    as_of: date,
    count: int,
    *,
    every_days: int,
    naming: Naming = "semver",
    first: str = "1.8.0",
    revisions: Sequence[int] = (),
) -> tuple[Release, ...]:
    """``count`` releases, oldest first, the newest a few days before ``as_of``. ``revisions`` are the numbers of the
    releases that changed the dependencies."""
    chance = random.Random(seed_of(service, count))  # noqa: S311
    end = datetime.combine(as_of, time(0), UTC) - timedelta(days=1 + chance.randrange(6))
    found: list[Release] = []
    revision, changed_at = 0, None
    version = tuple(int(part) for part in first.split("."))
    for number in range(count):
        jitter = chance.randrange(max(1, every_days // 3))
        moment = end - timedelta(days=(count - 1 - number) * every_days + (jitter if number < count - 1 else 0))
        moment += timedelta(hours=7 + chance.randrange(10), minutes=chance.randrange(60), seconds=chance.randrange(60))
        if number in revisions:
            revision, changed_at = revision + 1, moment
        changed_at = changed_at or moment
        tag = ".".join(map(str, version)) if naming == "semver" else f"{moment:%Y.%m.%d}"
        found.append(Release(tag, moment, number, revision, changed_at))
        version = _next(version, chance, minor=number + 1 in revisions)
    return tuple(found)


def _next(version: tuple[int, ...], chance: random.Random, *, minor: bool) -> tuple[int, ...]:
    major, middle, patch = version
    return (major, middle + 1, 0) if minor or chance.random() < 0.4 else (major, middle, patch + 1)
