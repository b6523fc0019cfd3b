"""A whole scan in this process, one service after the other; layers are read in parallel all the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from fleet.models import Scan, Service
from fleet.oci.errors import RegistryError
from fleet.oci.sources.endpoint import Endpoint
from fleet.scanning.connection import connect
from fleet.scanning.discovery import discover
from fleet.scanning.lanes import Counts, Lane, open_lanes
from fleet.scanning.lifecycle import ScanOver, begin, fail, finish, resume
from fleet.scanning.one_service import scan_service

INTERRUPTED = "The scan was interrupted. Its results so far are kept; scan again."
# A longer pause is left to the workers, or to the next call.
LONGEST_PAUSE = timedelta(minutes=15)
SLICE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is: ``done`` services of ``total``, which is being read (empty at the end), what was read in all,
    and why it rests, where it does."""

    done: int
    total: int
    repository: str
    tags: int = 0
    layers: int = 0
    received_bytes: int = 0
    resting: str = ""


Show = Callable[[Progress], None]


def run_scan(scan: Scan, show: Show = lambda progress: None) -> Scan:
    """Run a queued scan to its end and give its final row; ``show`` hears how it goes on, several times a second. A
    scan that another process runs is left to it, a pause that is long is left to the workers."""
    due = scan.status == Scan.Status.PAUSED and scan.resume_at is not None and scan.resume_at <= timezone.now()
    resumed = due and resume(scan)
    if not begin(scan, mark=scan.progress_at if resumed else None):
        return scan
    try:
        with closing(connect(scan.registry)) as endpoint:
            keys = discover(scan, endpoint)
            lane = Lane.take(scan, *open_lanes(scan)) if keys else None
            if lane:
                with lane:
                    mine = tuple(key for key in keys if key % scan.lane_count in lane.numbers)
                    _read_all(scan, mine, endpoint, _Shown(scan, lane, show))
    except ScanOver:
        scan.refresh_from_db()
    except RegistryError as error:
        fail(scan, str(error))
    except BaseException:
        fail(scan, INTERRUPTED)
        raise
    finish(scan)
    return scan


def _read_all(scan: Scan, keys: tuple[int, ...], endpoint: Endpoint, shown: _Shown) -> None:
    for done, key in enumerate(keys):
        service = Service.objects.select_related("registry", "snapshot").filter(pk=key).first()
        if service is None:
            continue
        shown.turn_to(done, len(keys), service.repository)
        while not scan_service(scan, service, endpoint, shown):
            if not shown.wait_until_resumed():
                return
            service.refresh_from_db(fields=["last_scan", "snapshot"])
            if service.last_scan_id == scan.pk:
                break
    shown.turn_to(len(keys), len(keys), "")


class _Shown:
    """The lanes of this process, and who is shown what is read in them."""

    def __init__(self, scan: Scan, lane: Lane, show: Show) -> None:
        self._scan = scan
        self._lane = lane
        self._show = show
        self._place: tuple[int, int, str] = (0, 0, "")
        self._counts: Counts = dict

    def turn_to(self, done: int, total: int, repository: str) -> None:
        self._place, self._counts = (done, total, repository), dict
        self._scan.refresh_from_db()
        self._tell()

    def reads(self, service: Service, counts: Counts) -> None:
        self._counts = counts
        self._lane.reads(service, counts)

    def beat(self) -> None:
        self._lane.beat()
        self._tell()

    def wait_until_resumed(self) -> bool:
        """Sit out a pause, holding on to the lanes; False when the scan is over, or rests for too long."""
        scan = self._scan
        scan.refresh_from_db()
        while scan.status == Scan.Status.PAUSED and scan.resume_at is not None:
            left = scan.resume_at - timezone.now()
            if left > LONGEST_PAUSE:
                return False
            if left <= timedelta(0):
                resume(scan)
                break
            self._lane.beat()
            self._tell(scan.message)
            time.sleep(min(SLICE_SECONDS, left.total_seconds()))
            scan.refresh_from_db()
        return scan.status == Scan.Status.RUNNING

    def _tell(self, resting: str = "") -> None:
        counts = self._counts()
        self._show(
            Progress(
                *self._place,
                tags=self._scan.tags + counts.get("tags", 0),
                layers=self._scan.layers_indexed + counts.get("layers", 0),
                received_bytes=self._scan.received_bytes + counts.get("received_bytes", 0),
                resting=resting,
            )
        )
