"""What workers do. Arguments are keys; every task may be delivered twice.

    scan_registry   beat's entry: start a scan of a registry that is due
    run             list the registry's services and hand out one task for each
    scan_one_service  read one service; the last one closes the scan
    reconsider      judge a service's newest image again from what is stored

Each kind has its queue, so that workers can be told which to take (``celery -A fleet worker -Q scan``); a worker that
is told nothing takes them all. How many services are read at the same time is the workers' number of processes.
"""

from __future__ import annotations

import logging
from functools import partial

from celery import Task, shared_task
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
    for service_id in scanning.discover(scan):
        scan_one_service.delay(scan_id, service_id)
    scanning.finish(scan)


@shared_task
def scan_one_service(scan_id: int, service_id: int) -> None:
    scan = Scan.objects.select_related("registry").filter(pk=scan_id).first()
    service = Service.objects.select_related("registry").filter(pk=service_id).first()
    if scan and service:
        scanning.scan_service(scan, service)
        scanning.finish(scan)


@shared_task
def reconsider(service_id: int) -> None:
    service = Service.objects.select_related("registry", "snapshot__image").filter(pk=service_id).first()
    if service:
        scanning.reconsider(service)
