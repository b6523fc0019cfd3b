"""How far a scan is: what it has counted, what its lanes are reading, how fast it goes and what is left. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# A rate over less than this says more about the first answer than about the scan.
SHORTEST_SECONDS = 1.0


class Counted(Protocol):
    """A scan's row, as far as its counts and times go."""

    status: str
    started_at: datetime | None
    progress_at: datetime
    finished_at: datetime | None
    services: int
    services_done: int
    tags: int
    layers_indexed: int
    requests: int
    received_bytes: int


class Reading(Protocol):
    """A lane: what was done of the service that is being read, and is not yet in the scan's own counts."""

    tags: int
    layers: int
    requests: int
    received_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """``bytes_per_second`` is the average over the time that the scan was busy; it and ``seconds_left`` are None while
    they cannot be known."""

    tags: int
    layers: int
    requests: int
    received_bytes: int
    percent: float
    bytes_per_second: float | None
    seconds_left: float | None


def services_of(scan: Counted) -> int:
    """How many services a scan has, as far as is known: one that came after the listing is done uncounted."""
    return max(scan.services, scan.services_done)


def progress_of(scan: Counted, lanes: Iterable[Reading], now: datetime) -> Progress:
    """The scan's counts and those of its lanes, and what follows from them. Time is counted until the scan ended, or
    came to rest; rests that are over are not known apart, so that the rate after one is too low rather than too
    high."""
    reading = tuple(lanes)
    received = scan.received_bytes + sum(lane.received_bytes for lane in reading)
    seconds = _busy_seconds(scan, now)
    return Progress(
        tags=scan.tags + sum(lane.tags for lane in reading),
        layers=scan.layers_indexed + sum(lane.layers for lane in reading),
        requests=scan.requests + sum(lane.requests for lane in reading),
        received_bytes=received,
        percent=min(100 * scan.services_done / scan.services, 100.0) if scan.services else 0.0,
        bytes_per_second=received / seconds if received and seconds >= SHORTEST_SECONDS else None,
        seconds_left=_seconds_left(scan, seconds),
    )


def _busy_seconds(scan: Counted, now: datetime) -> float:
    if scan.started_at is None:
        return 0.0
    rested = scan.progress_at if scan.status == "paused" else now
    return max(((scan.finished_at or rested) - scan.started_at).total_seconds(), 0.0)


def _seconds_left(scan: Counted, seconds: float) -> float | None:
    """By the services done so far: unknown until one is, and while nothing runs."""
    if scan.status != "running" or not scan.services_done or seconds < SHORTEST_SECONDS:
        return None
    return max(scan.services - scan.services_done, 0) * seconds / scan.services_done
