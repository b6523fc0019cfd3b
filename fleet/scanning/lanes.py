"""Lanes: how many services of a registry are read at the same time, and by whom.

A scan's services stand in as many rows as the registry's concurrency, by their key modulo that number. Each row is
read by one worker at a time, who holds its ``ScanLane`` and renews that while it works; when it dies the hold runs out
and another takes over. So the concurrency is kept across all workers, no service is read twice at once, and a task
that is delivered twice finds the lane held and ends.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Protocol

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Mod
from django.utils import timezone

from fleet.models import Scan, ScanLane, Service
from fleet.scanning.lifecycle import pending

BEATS_PER_LEASE = 10
LONGEST_BEAT_SECONDS = 2.0
NOBODY = ""
# Of the service being read: how many tags, layers, requests and received_bytes so far.
Counts = Callable[[], dict[str, int]]


class ScanOver(Exception):
    """The scan was cancelled or closed while this worker read for it, or its lane was taken over."""


def lease() -> timedelta:
    """How long a worker may be silent before its work is another's."""
    return timedelta(seconds=settings.LEASE_SECONDS)


def open_lanes(scan: Scan) -> tuple[int, ...]:
    """The numbers of the lanes in which services wait; each has its row from now on."""
    concurrency = scan.registry.concurrency
    numbers = sorted({pk % concurrency for pk in pending(scan).values_list("pk", flat=True)})
    now = timezone.now()
    rows = [ScanLane(scan=scan, number=number, held_until=now) for number in numbers]
    ScanLane.objects.bulk_create(rows, ignore_conflicts=True)
    return tuple(numbers)


def next_in(scan: Scan, number: int) -> Service | None:
    """The first service of a lane that is still to be read."""
    return pending(scan).annotate(lane=Mod("pk", scan.registry.concurrency)).filter(lane=number).first()


class Lane:
    """A lane that this worker holds; ``take`` gives one. A context manager that lets it go."""

    def __init__(self, scan: Scan, number: int, holder: str) -> None:
        self.scan = scan
        self.number = number
        self._holder = holder
        self._beat_at = 0.0
        self._beat_seconds = min(LONGEST_BEAT_SECONDS, settings.LEASE_SECONDS / BEATS_PER_LEASE)
        self._service: Service | None = None
        self._counts: Counts = dict

    @classmethod
    def take(cls, scan: Scan, *numbers: int) -> Lane | None:
        """One lane, or several that are read in turn. None when another worker holds them, or the scan has no such lane
        (any more)."""
        if not numbers:
            return None
        now, holder = timezone.now(), str(uuid.uuid4())
        free = ScanLane.objects.filter(scan=scan.pk, number__in=numbers, held_until__lte=now)
        taken = free.update(holder=holder, held_until=now + lease())
        return cls(scan, numbers[0], holder) if taken else None

    def __enter__(self) -> Lane:
        return self

    def __exit__(self, *_: object) -> None:
        self._mine().update(holder=NOBODY, held_until=timezone.now(), service=None, **_NOTHING)

    def reads(self, service: Service, counts: Counts) -> None:
        """Says which service is being read from here on; ``counts`` tells what was done of it whenever asked."""
        self._service, self._counts = service, counts
        self._beat()

    def beat(self) -> None:
        """Renew the hold and show the progress, if the last time was long enough ago. Raises ScanOver when somebody
        else has the lane now, or the scan has ended: a paused one has not, what is being read may be written."""
        if time.monotonic() - self._beat_at >= self._beat_seconds:
            self._beat()

    def _beat(self) -> None:
        self._beat_at = time.monotonic()
        if not self._mine().update(held_until=timezone.now() + lease()):
            raise ScanOver
        self._mine().filter(number=self.number).update(service=self._service, **{**_NOTHING, **self._counts()})
        Scan.objects.filter(pk=self.scan.pk).update(progress_at=timezone.now())

    def _mine(self) -> QuerySet[ScanLane]:
        return ScanLane.objects.filter(scan=self.scan.pk, holder=self._holder)


_NOTHING = {"tags": 0, "layers": 0, "requests": 0, "received_bytes": 0}


class Watch(Protocol):
    """Who hears which service is being read, and that its reading goes on. Both may raise ScanOver."""

    def reads(self, service: Service, counts: Counts) -> None: ...

    def beat(self) -> None: ...


# Who watches what this thread reads: bases are read deep within the making of suggestions.
_watching: ContextVar[Watch | None] = ContextVar("watching", default=None)


@contextmanager
def watched_by(watch: Watch) -> Iterator[None]:
    """For the length of a block ``beat`` goes to ``watch``."""
    token = _watching.set(watch)
    try:
        yield
    finally:
        _watching.reset(token)


def beat() -> None:
    """Tell who watches, if anybody does, that the reading goes on. Raises ScanOver."""
    watch = _watching.get()
    if watch is not None:
        watch.beat()


class Unwatched:
    """In place of a lane where nobody else takes part."""

    def reads(self, service: Service, counts: Counts) -> None:
        """Nobody looks."""

    def beat(self) -> None:
        """Nobody waits."""
