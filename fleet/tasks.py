"""What workers do. Arguments are keys; every task may be delivered twice, or be lost with the queue.

    scan_registry   beat's entry: start a scan of a registry that is due
    run             list the registry's services and open as many lanes as its concurrency allows
    scan_lane       read services of a lane for some seconds, then queue again; the last one closes the scan
    read_pushed     start a scan of each repository that push events named
    tend            beat's entry every few seconds: go on with what rests or was lost
    reconsider      judge a service's newest image again from what is stored

Each kind has its queue, so that workers can be told which to take (``celery -A fleet worker -Q scan``); a worker that
is told nothing takes them all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from functools import partial

from celery import Task, shared_task
from django.db import InterfaceError as DatabaseLost
from django.db import OperationalError as DatabaseUnreachable
from django.db import transaction
from kombu.exceptions import OperationalError

from fleet import scanning
from fleet.models import Registry, Scan, Service

log = logging.getLogger(__name__)
NO_QUEUE = "The queue did not take the scan. Check that Redis runs and that REDIS_URL names it, then scan again."
# A lane is let go after so long, so that other registries' work gets its turn.
TURN_SECONDS = 5.0
# Pushes of one build arrive together; those that come meanwhile are read in one go.
PUSHES_GATHER_SECONDS = 2.0
# A database that restarts is waited for; what takes longer is found by ``tend``.
PATIENT = {
    "autoretry_for": (DatabaseUnreachable, DatabaseLost),
    "retry_backoff": 2,
    "retry_backoff_max": 30,
    "max_retries": 6,
}


def enqueue(scan: Scan) -> None:
    """Hand a queued scan to the workers once it is committed. A queue that cannot be reached fails the scan."""
    transaction.on_commit(partial(_send, scan))


def _send(scan: Scan) -> None:
    try:
        run.delay(scan.pk)
    except OperationalError:
        log.exception("Redis did not take scan %s", scan.pk)
        scanning.fail(scan, NO_QUEUE)


def enqueue_pushed(registry_id: int) -> None:
    """Have the repositories read that push events named, once these are committed. Without a queue ``tend`` finds
    them."""
    transaction.on_commit(partial(_send_pushed, registry_id))


def _send_pushed(registry_id: int) -> None:
    try:
        read_pushed.apply_async((registry_id,), countdown=PUSHES_GATHER_SECONDS)
    except OperationalError:
        log.error("Redis did not take the push events of registry %s: they are read when it is back", registry_id)


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


@shared_task(**PATIENT)
def scan_registry(registry_id: int) -> None:
    registry = Registry.objects.filter(pk=registry_id, enabled=True).first()
    if registry:
        enqueue(scanning.start(registry, Scan.Trigger.SCHEDULE))


@shared_task(bind=True, **PATIENT)
def run(self: Task, scan_id: int, *, again: bool = False) -> None:
    """Taken up again when the worker that had it is gone; services that are done stay done."""
    scan = Scan.objects.select_related("registry").filter(pk=scan_id).first()
    again = again or bool((self.request.delivery_info or {}).get("redelivered")) or self.request.retries > 0
    if scan is None or not scanning.begin(scan, again=again):
        return
    scanning.discover(scan)
    for number in scanning.open_lanes(scan):
        scan_lane.delay(scan_id, number)
    scanning.finish(scan)


@shared_task(**PATIENT)
def scan_lane(scan_id: int, number: int) -> None:
    """Services of a lane, as many as fit into a turn; then the lane queues up again, behind other registries' work."""
    scan = Scan.objects.select_related("registry").filter(pk=scan_id).first()
    lane = scanning.Lane.take(scan, number) if scan else None
    if scan is None or lane is None:
        return
    until = time.monotonic() + TURN_SECONDS
    with lane:
        more = scanning.read_lane(scan, lane, lambda: time.monotonic() < until)
    if not scanning.finish(scan) and more:
        scan_lane.delay(scan_id, number)


@shared_task(**PATIENT)
def read_pushed(registry_id: int) -> None:
    registry = Registry.objects.filter(pk=registry_id, enabled=True).first()
    for service in scanning.take_pushed(registry) if registry else ():
        enqueue(scanning.start(service.registry, Scan.Trigger.PUSH, service))


@shared_task
def tend() -> None:
    lost = scanning.tend()
    for scan_id in lost.scans:
        run.delay(scan_id, again=True)
    for scan_id, number in lost.lanes:
        scan_lane.delay(scan_id, number)
    for registry_id in lost.pushed:
        read_pushed.delay(registry_id)


@shared_task
def reconsider(service_id: int) -> None:
    service = Service.objects.select_related("registry", "snapshot__image").filter(pk=service_id).first()
    if service:
        scanning.reconsider(service)
