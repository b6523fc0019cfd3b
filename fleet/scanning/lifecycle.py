"""A scan's row from queued to its end, moved by conditional UPDATEs so that several workers agree without a lock.

queued ── begin ──▶ running ── finish ──▶ done | partial | failed
                    │    ▲
                  pause  resume                     cancel, fail: from any of the three
                    ▼    │
                    paused
"""

from __future__ import annotations

import logging
import random
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from fleet import snapshots
from fleet.models import Registry, Scan, ScanError, Service, Snapshot
from fleet.oci.errors import CutShort, RateLimited, RegistryError, ServerFailure, Unreachable, UntrustedCertificate
from fleet.scanning import budget

log = logging.getLogger(__name__)

Status = Scan.Status
WORKER_STOPPED = "The worker stopped before this scan was done. Its results so far are kept; scan again."
CANCELLED = "The scan was cancelled. Its results so far are kept."
# Waits when the registry names none: from the first, doubled each time in a row, give or take a fifth.
LIMITED_WAIT_SECONDS = 60.0
SILENT_WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 3600.0
# A registry that does not answer is tried this often in a row, for about ten minutes; one that asks us to wait is
# waited for as long as it asks.
PATIENCE_PAUSES = 6
# So often a scan pauses for one service: what happens a third time is the service's own trouble.
PATIENCE_FOR_A_SERVICE = 2
# Up to so many services what they share is weighed after the scan of a single one too.
SMALL_REGISTRY = 500
GATEWAY_STATUSES = (502, 503, 504)
GAVE_UP = "{} It was tried {} times in a row; the results so far are kept. Scan again when the registry answers."


# What the database raises when it is gone. It says nothing of what was read: the task is tried again.
DATABASE_GONE = (OperationalError, InterfaceError)


class ScanOver(Exception):
    """The scan was cancelled or closed while this worker read for it, or its work was taken over."""


def lease() -> timedelta:
    """How long a worker may be silent before its work is another's."""
    return timedelta(seconds=settings.LEASE_SECONDS)


def start(registry: Registry, trigger: str, service: Service | None = None) -> Scan:
    """A queued scan of a registry, or of one service of it; the one under way for the same where there is one. A scan
    that no worker has moved for half an hour is closed as failed first."""
    with transaction.atomic():
        Registry.objects.select_for_update().get(pk=registry.pk)
        for stale in registry.scans.stale():
            fail(stale, WORKER_STOPPED)
        active = registry.scans.active().filter(service=service).first()
        return active or Scan.objects.create(registry=registry, service=service, trigger=trigger)


def begin(scan: Scan, *, mark: datetime | None = None) -> bool:
    """Take a queued scan to running; False when somebody else did, or it is over. One that runs is taken from a worker
    that was silent for a lease, or by whom ``tend`` told so: ``mark`` is then its ``progress_at``."""
    now = timezone.now()
    silent = Q(progress_at__lt=now - lease()) if mark is None else Q(progress_at=mark)
    free = Q(status=Status.QUEUED) | (Q(status=Status.RUNNING) & silent)
    taken = Scan.objects.filter(free, pk=scan.pk).update(
        status=Status.RUNNING, started_at=Coalesce("started_at", now), progress_at=now
    )
    scan.refresh_from_db()
    return bool(taken)


def touch(scan: Scan) -> None:
    """Show that a worker is busy with it. Raises ScanOver when it runs no more."""
    if not Scan.objects.filter(pk=scan.pk, status=Status.RUNNING).update(progress_at=timezone.now()):
        raise ScanOver


def fail(scan: Scan, message: str) -> None:
    """Close a scan as failed, with the sentence that says why."""
    _close(scan, Status.FAILED, message)


def cancel(scan: Scan) -> bool:
    """End a scan because somebody wants it to end; False when it was over. Workers notice within seconds, and what
    they had not written by then is dropped."""
    return _close(scan, Status.CANCELLED, CANCELLED)


def calls_for_rest(error: RegistryError) -> bool:
    """Whether the registry itself, not one thing in it, cannot be asked for the moment."""
    if isinstance(error, ServerFailure):
        return error.status in GATEWAY_STATUSES
    return isinstance(error, RateLimited | Unreachable) and not isinstance(error, UntrustedCertificate | CutShort)


def pause(scan: Scan, error: RegistryError, service: Service | None = None) -> bool:
    """Let a running scan rest until its registry can be asked again, and read the service that met the error after the
    others; False when the scan has rested for that service so often that its error is better recorded. A registry that
    was silent for too long ends the scan."""
    with transaction.atomic():
        locked = Scan.objects.select_for_update().get(pk=scan.pk)
        if service is not None and not _postpone(locked, service):
            return False
        resume_at = timezone.now() + timedelta(seconds=_wait_seconds(error, locked.pauses))
        gave_up = not isinstance(error, RateLimited) and locked.pauses >= PATIENCE_PAUSES
        if locked.status == Status.RUNNING and not gave_up:
            locked.status, locked.resume_at, locked.pauses = Status.PAUSED, resume_at, locked.pauses + 1
            locked.message = f"Paused: {error} The scan goes on by itself."
            locked.save(update_fields=["status", "resume_at", "pauses", "message", "postponed"])
    if gave_up:
        fail(scan, GAVE_UP.format(error, locked.pauses))
    elif isinstance(error, RateLimited):
        _rest(scan.registry_id, resume_at)
    scan.refresh_from_db()
    return True


def _postpone(scan: Scan, service: Service) -> bool:
    """Count that the service made its scan pause; False when it did so too often."""
    key = str(service.pk)
    count = scan.postponed.get(key, 0)
    if count >= PATIENCE_FOR_A_SERVICE:
        return False
    scan.postponed = {**scan.postponed, key: count + 1}
    return True


def wake(registry: Registry) -> None:
    """Stop leaving a registry alone: it is another one since its URL was changed."""
    budget.wake(registry.pk)
    registry.scans.filter(status=Status.PAUSED).update(resume_at=timezone.now())


def resume(scan: Scan) -> bool:
    """Take a paused scan up again: running where its services are known, else queued, to be listed. False when
    somebody else did."""
    status = Status.RUNNING if scan.lanes.exists() else Status.QUEUED
    resumed = Scan.objects.filter(pk=scan.pk, status=Status.PAUSED).update(
        status=status, resume_at=None, message="", progress_at=timezone.now()
    )
    scan.refresh_from_db()
    return bool(resumed)


def pending(scan: Scan) -> QuerySet[Service]:
    """The services that a scan has still to read, as the database sees it now: one that was deleted meanwhile does not
    hold the scan up."""
    if scan.status not in (Status.RUNNING, Status.PAUSED):
        return Service.objects.none()
    chosen = Service.objects.select_related("registry").order_by("pk")
    if scan.service_id is not None:
        return chosen.filter(pk=scan.service_id) if not scan.services_done else Service.objects.none()
    here = chosen.filter(registry=scan.registry_id, platform=scan.registry.platform, gone_at__isnull=True)
    return here.exclude(last_scan=scan)


def finish(scan: Scan) -> bool:
    """Close a scan that has nothing left to read; True for the one caller that closed it."""
    scan.refresh_from_db(fields=["status", "services_done"])
    if scan.status == Status.PAUSED or pending(scan).exists():
        return False
    closed = Scan.objects.filter(pk=scan.pk, status=Status.RUNNING).update(
        finished_at=timezone.now(),
        status=Case(
            When(services__gt=0, services_failed__gte=F("services"), then=Value(Status.FAILED)),
            When(error_count__gt=0, then=Value(Status.PARTIAL)),
            default=Value(Status.DONE),
        ),
    )
    scan.refresh_from_db()
    if closed:
        scan.lanes.all().delete()
        _weigh_sharing(scan)
    if closed and scan.status == Status.FAILED and not scan.message:
        _explain(scan)
    return bool(closed)


def _weigh_sharing(scan: Scan) -> None:
    """What services share depends on all of a registry's tags, so that it is weighed when a scan of the whole registry
    changed some; after that of one service only where the registry is small. Beat has the rest done once a day."""
    services = Service.objects.filter(registry=scan.registry_id)
    if scan.service_id is not None and services.count() > SMALL_REGISTRY:
        return
    gone = Snapshot.objects.filter(service__registry=scan.registry_id, gone_at__gte=scan.started_at)
    unweighed = services.filter(unique_bytes__isnull=True, compressed_bytes__isnull=False)
    if scan.snapshots or gone.exists() or unweighed.exists():
        try:
            snapshots.weigh_sharing(scan.registry)
        except DATABASE_GONE:
            raise
        except Exception:  # the scan is over and well; the next one weighs again
            log.exception("What the services of %s share could not be weighed", scan.registry)


def _close(scan: Scan, status: str, message: str) -> bool:
    closed = Scan.objects.active().filter(pk=scan.pk).update(status=status, message=message, finished_at=timezone.now())
    if closed:
        scan.lanes.all().delete()
    scan.refresh_from_db()
    return bool(closed)


def _wait_seconds(error: RegistryError, pauses: int) -> float:
    """What the registry asked for, else longer each time; with a little jitter, so that scans do not come in a row."""
    asked = error.retry_after_seconds if isinstance(error, RateLimited | ServerFailure) else None
    if asked is not None:
        return asked + random.uniform(0, min(5.0, 0.1 * asked))  # noqa: S311
    first = LIMITED_WAIT_SECONDS if isinstance(error, RateLimited) else SILENT_WAIT_SECONDS
    return min(first * float(2**pauses), LONGEST_WAIT_SECONDS) * random.uniform(0.8, 1.2)  # noqa: S311


def _rest(registry_id: int, until: datetime) -> None:
    """Every worker leaves the registry alone, not only this scan. A shorter wait does not cut a longer one short."""
    earlier = Q(resting_until__isnull=True) | Q(resting_until__lt=until)
    Registry.objects.filter(earlier, pk=registry_id).update(resting_until=until)
    budget.rest(registry_id, (until - timezone.now()).total_seconds())


def _explain(scan: Scan) -> None:
    first = scan.errors.filter(level=ScanError.Level.ERROR).first()
    if first:
        Scan.objects.filter(pk=scan.pk).update(message=first.message)
        scan.message = first.message
