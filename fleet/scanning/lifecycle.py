"""A scan's row from queued to done, moved by conditional UPDATEs so that several workers agree without a lock."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.functions import Coalesce, Mod
from django.utils import timezone

from fleet.models import Registry, Scan, ScanError, Service

Status = Scan.Status
WORKER_STOPPED = "The worker stopped before this scan was done. Its results so far are kept; scan again."


def start(registry: Registry, trigger: str, service: Service | None = None) -> Scan:
    """A queued scan of a registry, or of one service of it; the one under way where there is one. A scan that no
    worker has moved for half an hour is closed as failed first."""
    with transaction.atomic():
        Registry.objects.select_for_update().get(pk=registry.pk)
        for stale in registry.scans.stale():
            fail(stale, WORKER_STOPPED)
        active = registry.scans.active().first()
        return active or Scan.objects.create(registry=registry, service=service, trigger=trigger)


def begin(scan: Scan, *, again: bool = False) -> bool:
    """Take a queued scan to running; False when somebody else did, or it is over. ``again`` also takes one that runs:
    its task came back because the worker that had it is gone."""
    now = timezone.now()
    expected = (Status.QUEUED, Status.RUNNING) if again else (Status.QUEUED,)
    taken = Scan.objects.filter(pk=scan.pk, status__in=expected).update(
        status=Status.RUNNING, started_at=Coalesce("started_at", now), progress_at=now
    )
    scan.refresh_from_db()
    return bool(taken)


def touch(scan: Scan) -> None:
    """Show that a worker is busy with it."""
    Scan.objects.filter(pk=scan.pk).update(progress_at=timezone.now())


def fail(scan: Scan, message: str) -> None:
    """Close a scan as failed, with the sentence that says why."""
    Scan.objects.active().filter(pk=scan.pk).update(status=Status.FAILED, message=message, finished_at=timezone.now())
    scan.refresh_from_db()


def pending(scan: Scan) -> QuerySet[Service]:
    """The services that a running scan has still to read, as the database sees it now: one that was deleted meanwhile
    does not hold the scan up."""
    if scan.status != Status.RUNNING:
        return Service.objects.none()
    if scan.service_id is not None:
        chosen = Service.objects.filter(pk=scan.service_id)
    else:
        chosen = scan.registry.services.filter(platform=scan.registry.platform, gone_at__isnull=True)
    return chosen.exclude(last_scan=scan).select_related("registry").order_by("pk")


def lanes(scan: Scan) -> tuple[int, ...]:
    """The registry's services in as many rows as may be read at the same time; the numbers of those rows that are not
    empty. A service's row is its key modulo the registry's concurrency, so that workers never meet."""
    return tuple(sorted({pk % scan.registry.concurrency for pk in pending(scan).values_list("pk", flat=True)}))


def next_in(scan: Scan, lane: int) -> Service | None:
    """The first service of a lane that is still to be read."""
    return pending(scan).annotate(lane=Mod("pk", scan.registry.concurrency)).filter(lane=lane).first()


def finish(scan: Scan) -> bool:
    """Close a scan that has nothing left to read; True for the one caller that closed it."""
    scan.refresh_from_db(fields=["status"])
    if pending(scan).exists():
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
    if closed and scan.status == Status.FAILED and not scan.message:
        _explain(scan)
    return bool(closed)


def _explain(scan: Scan) -> None:
    first = scan.errors.filter(level=ScanError.Level.ERROR).first()
    if first:
        Scan.objects.filter(pk=scan.pk).update(message=first.message)
        scan.message = first.message
