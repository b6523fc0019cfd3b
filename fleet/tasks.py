"""What workers do. Arguments are keys; every task may be delivered twice.

    scan_registry   beat's entry: start a scan of a registry that is due
    run             list the registry's services and open as many lanes as its concurrency allows
    scan_lane       read one service of a lane and queue for the next; the last one closes the scan
    reconsider      judge a service's newest image again from what is stored

Each kind has its queue, so that workers can be told which to take (``celery -A fleet worker -Q scan``); a worker that
is told nothing takes them all.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial

from celery import Task, shared_task
from django.db import OperationalError as DatabaseUnreachable
from django.db import transaction
from kombu.exceptions import OperationalError

from fleet import scanning
from fleet.models import Registry, Scan, Service

log = logging.getLogger(__name__)
NO_QUEUE = "The queue did not take the scan. Check that Redis runs and that REDIS_URL names it, then scan again."


def enqueue(scan: Scan) -> None:
    """Hand a queued scan to the workers once it is committed. A queue that cannot be reached fails the scan."""
    transaction.on_commit(partial(_send, scan))


def _send(scan: Scan) -> None:
    try:
        run.delay(scan.pk)
    except OperationalError:
        log.exception("Redis did not take scan %s", scan.pk)
        scanning.fail(scan, NO_QUEUE)


def enqueue_reconsideration(service_ids: Iterable[int]) -> None:
    """Have services judged again once what changed for them is committed. Without a queue they keep the suggestions
    that they have until their next image."""
    transaction.on_commit(partial(_send_reconsideration, tuple(service_ids)))


def _send_reconsideration(service_ids: tuple[int, ...]) -> None:
    try:
        for service_id in service_ids:
            reconsider.delay(service_id)
    except OperationalError:
        log.exception("Redis did not take the services to judge again")


@shared_task
def scan_registry(registry_id: int) -> None:
    registry = Registry.objects.filter(pk=registry_id, enabled=True).first()
    if registry:
        enqueue(scanning.start(registry, Scan.Trigger.SCHEDULE))


@shared_task(bind=True)
def run(self: Task, scan_id: int) -> None:
    """Taken up again when the worker that had it is gone; services that are done stay done."""
    scan = Scan.objects.select_related("registry").filter(pk=scan_id).first()
    redelivered = bool((self.request.delivery_info or {}).get("redelivered"))
    if scan is None or not scanning.begin(scan, again=redelivered):
        return
    scanning.discover(scan)
    for lane in scanning.lanes(scan):
        scan_lane.delay(scan_id, lane)
    scanning.finish(scan)


@shared_task(autoretry_for=(DatabaseUnreachable,), retry_backoff=True)
def scan_lane(scan_id: int, lane: int) -> None:
    """One service of a lane; then the lane queues up again, behind other registries' work."""
    scan = Scan.objects.select_related("registry").filter(pk=scan_id).first()
    service = scanning.next_in(scan, lane) if scan else None
    if scan and service:
        scanning.scan_service(scan, service)
    if scan and not scanning.finish(scan) and service:
        scan_lane.delay(scan_id, lane)


@shared_task
def reconsider(service_id: int) -> None:
    service = Service.objects.select_related("registry", "snapshot__image").filter(pk=service_id).first()
    if service:
        scanning.reconsider(service)
