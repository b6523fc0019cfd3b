"""What keeps scans going whatever happens to workers, queue, database and registry.

Tasks are only hints: a scan's state is in its rows. ``tend`` is called every few seconds by beat and finds what should
be going on and is not: paused scans whose time has come, lanes that nobody holds, scans whose task was lost with the
queue, the last service read by a worker that died before it could close the scan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from fleet.models import PushedRepository, Scan, ScanLane
from fleet.scanning.lanes import next_in, open_lanes
from fleet.scanning.lifecycle import fail, finish, lease, pending, resume

Status = Scan.Status
UNATTENDED = (Scan.Trigger.SCHEDULE, Scan.Trigger.PUSH)
DISABLED = "The registry was disabled. What was read so far is kept; enable it and scan again."


@dataclass(slots=True)
class Lost:
    """What has to be sent to workers again: scans to list with the mark that lets them begin, (scan, lane) pairs to
    read, registries with push events."""

    scans: list[tuple[int, datetime]] = field(default_factory=list)
    lanes: list[tuple[int, int]] = field(default_factory=list)
    pushed: list[int] = field(default_factory=list)


def tend() -> Lost:
    """Find lost work and mark it as found, so that it is sent once a lease and not at every look."""
    lost = Lost()
    now = timezone.now()
    for scan in Scan.objects.active().select_related("registry").defer("registry__secret"):
        if not scan.registry.enabled and scan.trigger in UNATTENDED:
            fail(scan, DISABLED)
        elif scan.status == Status.PAUSED:
            if (scan.resume_at is not None and scan.resume_at > now) or not resume(scan):
                continue
            _take_up(scan, lost)
        elif scan.progress_at < now - lease():
            _take_up(scan, lost)
        elif scan.status == Status.RUNNING:
            _take_up_lanes(scan, lost)
    old = PushedRepository.objects.filter(pushed_at__lt=now - lease(), registry__enabled=True).order_by("registry")
    lost.pushed = list(old.values_list("registry_id", flat=True).distinct())
    return lost


def _take_up(scan: Scan, lost: Lost) -> None:
    """A scan that moved no more, or is to go on after a pause."""
    mark = timezone.now()
    if not Scan.objects.filter(pk=scan.pk, progress_at=scan.progress_at).update(progress_at=mark):
        return
    if scan.lanes.exists():
        open_lanes(scan)  # for services that came after the listing
        _take_up_lanes(scan, lost, waited=True)
    else:
        lost.scans.append((scan.pk, mark))


def _take_up_lanes(scan: Scan, lost: Lost, *, waited: bool = False) -> None:
    """Lanes whose hold ran out, or that were let go so long ago that their task must be lost."""
    if not scan.lanes.exists():
        return
    if not pending(scan).exists():
        finish(scan)
        return
    now = timezone.now()
    since = now if waited else now - lease()
    for lane in scan.lanes.filter(held_until__lte=since):
        marked = ScanLane.objects.filter(pk=lane.pk, held_until=lane.held_until).update(held_until=now)
        if marked and next_in(scan, lane.number):
            lost.lanes.append((scan.pk, lane.number))
