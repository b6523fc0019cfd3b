"""Lanes: how many services of a registry are read at the same time, and by whom.

A scan's services stand in as many rows as the registry's concurrency, by their key modulo that number. Each row is
read by one worker at a time, who holds its ``ScanLane`` and renews that while it works; when it dies the hold runs out
and another takes over. No more workers than the concurrency hold lanes of a registry, whatever the scans: those of
push events wait for their turn. A task that is delivered twice finds the lane held and ends.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Mod
from django.utils import timezone

from fleet.models import Registry, Scan, ScanLane, Service
from fleet.scanning.lifecycle import ScanOver, lease, pending

BEATS_PER_LEASE = 10
LONGEST_BEAT_SECONDS = 2.0
NOBODY = ""
# Of the service being read: how many tags, layers, requests and received_bytes so far.
Counts = Callable[[], dict[str, int]]


def open_lanes(scan: Scan) -> tuple[int, ...]:
    """The numbers of the lanes in which services wait; each has its row from now on."""
    Scan.objects.filter(pk=scan.pk, lane_count=0).update(lane_count=scan.registry.concurrency)
    scan.refresh_from_db(fields=["lane_count"])
    if not scan.lane_count:
        return ()
    numbers = sorted({pk % scan.lane_count for pk in pending(scan).values_list("pk", flat=True)})
    now = timezone.now()
    rows = [ScanLane(scan=scan, number=number, held_until=now) for number in numbers]
    ScanLane.objects.bulk_create(rows, ignore_conflicts=True)
    return tuple(numbers)


def next_in(scan: Scan, number: int) -> Service | None:
    """The first service of a lane that is still to be read; those that made the scan pause come after the others."""
    waiting = pending(scan).annotate(lane=Mod("pk", scan.lane_count or 1)).filter(lane=number)
    return waiting.exclude(pk__in=scan.postponed.keys()).first() or waiting.first()


class Lane:
    """A lane that this worker holds; ``take`` gives one. A context manager that lets it go."""

    def __init__(self, scan: Scan, numbers: Sequence[int], holder: str) -> None:
        self.scan = scan
        self.number = numbers[0]
        self.numbers = frozenset(numbers)
        self._holder = holder
        self._beat_at = 0.0
        self._beat_seconds = min(LONGEST_BEAT_SECONDS, settings.LEASE_SECONDS / BEATS_PER_LEASE)
        self._service: Service | None = None
        self._counts: Counts = dict

    @classmethod
    def take(cls, scan: Scan, *numbers: int) -> Lane | None:
        """One lane, or several that are read in turn; those that another worker holds are left to it. None when there
        is none to hold, or as many workers read the registry, for whatever scan, as it allows."""
        now, holder = timezone.now(), str(uuid.uuid4())
        with transaction.atomic():
            registry = Registry.objects.select_for_update().get(pk=scan.registry_id)
            held = ScanLane.objects.filter(scan__registry=registry, held_until__gt=now).exclude(holder=NOBODY)
            if held.order_by().values("holder").distinct().count() >= registry.concurrency:
                return None
            free = ScanLane.objects.filter(scan=scan.pk, number__in=numbers, held_until__lte=now)
            mine = list(free.values_list("number", flat=True))
            free.filter(number__in=mine).update(holder=holder, held_until=now + lease())
        return cls(scan, mine, holder) if mine else None

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


def is_waiting(scan: Scan, number: int) -> bool:
    """Whether nobody holds a lane in which services wait."""
    free = scan.lanes.filter(number=number, held_until__lte=timezone.now())
    return free.exists() and next_in(scan, number) is not None


def others_wait(scan: Scan) -> bool:
    """Whether another scan of the registry has a lane that nobody holds: it should get its turn."""
    free = ScanLane.objects.filter(scan__registry=scan.registry_id, scan__status=Scan.Status.RUNNING)
    return free.filter(held_until__lte=timezone.now()).exclude(scan=scan.pk).exists()


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
    """Tell who watches, if anybody does, that the reading goes on. Raises ScanOver.

    Threads that ask ahead or read layers are watched by nobody, and have no database: who waits for them beats.
    """
    watch = _watching.get()
    if watch is not None:
        watch.beat()


class Unwatched:
    """In place of a lane where nobody else takes part."""

    def reads(self, service: Service, counts: Counts) -> None:
        """Nobody looks."""

    def beat(self) -> None:
        """Nobody waits."""
