"""What workers do. Arguments are keys; every task may be delivered twice, or be lost with the queue.

    scan_registry   beat's entry: start a scan of a registry that is due
    run             list the registry's services and open as many lanes as its concurrency allows
    scan_lane       read services of a lane for some seconds, then queue again; the last one closes the scan
    read_pushed     start a scan of each repository that push events named
    tend            beat's entry every few seconds: go on with what rests or was lost
    keep_house      beat's entry once a day: drop the layer indexes that no kept image needs, weigh what services share
    reconsider      judge a service's newest image again from what is stored
    verify_suggestion   build a suggested Dockerfile on an engine and run it beside the original

Each kind has its queue, so that workers can be told which to take (``celery -A fleet worker -Q scan``); a worker that
is told nothing takes them all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import datetime
from functools import partial

from celery import shared_task
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from fleet import scanning, snapshots
from fleet.models import PushedRepository, Registry, Scan, Service, Verification
from fleet.verification import jobs

log = logging.getLogger(__name__)
NO_QUEUE = "The queue did not take the scan. Check that Redis runs and that REDIS_URL names it, then scan again."
# A lane is let go after so long, so that other registries' work gets its turn.
TURN_SECONDS = 5.0
# A lane for which the registry's concurrency has no room asks again so soon; who has had a turn waits for longer then.
WAIT_SECONDS = 0.5
GIVE_WAY_SECONDS = 1.5
# Pushes of one build arrive together; those that come meanwhile are read in one go.
PUSHES_GATHER_SECONDS = 2.0
# A verification for which no engine is free asks again so soon.
ENGINE_WAIT_SECONDS = 5
# A database that restarts is waited for; what takes longer is found by ``tend``.
PATIENT = {
    "autoretry_for": scanning.DATABASE_GONE,
    "retry_backoff": 2,
    "retry_backoff_max": 30,
    "max_retries": 6,
}


def enqueue(scan: Scan) -> None:
    """Hand a queued scan to the workers once it is committed. A queue that cannot be reached fails a scan that somebody
    is waiting for; ``tend`` finds the others."""
    transaction.on_commit(partial(_send, scan))


def _send(scan: Scan) -> None:
    try:
        run.delay(scan.pk)
    except OperationalError:
        if scan.trigger == Scan.Trigger.PAGE:
            log.exception("Redis did not take scan %s", scan.pk)
            scanning.fail(scan, NO_QUEUE)
        else:
            log.error("Redis did not take scan %s: it begins when Redis is back", scan.pk)


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


def enqueue_verification(verification: Verification) -> None:
    """Hand a queued verification to the workers once it is committed. Without a queue ``tend`` finds it."""
    transaction.on_commit(partial(_send_verification, verification.pk))


def _send_verification(verification_id: int) -> None:
    try:
        verify_suggestion.delay(verification_id)
    except OperationalError:
        log.error("Redis did not take verification %s: it begins when Redis is back", verification_id)


@shared_task(**PATIENT)
def scan_registry(registry_id: int) -> None:
    registry = Registry.objects.filter(pk=registry_id, enabled=True).first()
    if registry:
        enqueue(scanning.start(registry, Scan.Trigger.SCHEDULE))


@shared_task(**PATIENT)
def run(scan_id: int, mark: str = "") -> None:
    """Taken up again when the worker that had it is gone: ``mark`` is by whom ``tend`` told so. Services that are done
    stay done."""
    scan = Scan.objects.select_related("registry").filter(pk=scan_id).first()
    if scan is None or not scanning.begin(scan, mark=datetime.fromisoformat(mark) if mark else None):
        return
    scanning.discover(scan)
    if scan.status == Scan.Status.RUNNING:  # else it was closed, or rests and lists again afterwards
        for number in scanning.open_lanes(scan):
            scan_lane.delay(scan_id, number)
        scanning.finish(scan)


@shared_task(**PATIENT)
def scan_lane(scan_id: int, number: int) -> None:
    """Services of a lane, as many as fit into a turn; then the lane queues up again, behind other registries' work."""
    scan = Scan.objects.select_related("registry").filter(pk=scan_id).first()
    if scan is None:
        return
    lane = scanning.Lane.take(scan, number)
    if lane is None:
        if scanning.is_waiting(scan, number):
            scan_lane.apply_async((scan_id, number), countdown=WAIT_SECONDS)
        return
    until = time.monotonic() + TURN_SECONDS
    with lane:
        more = scanning.read_lane(scan, lane, lambda: time.monotonic() < until)
    if scanning.finish(scan):
        if scan.service_id is not None and PushedRepository.objects.filter(registry=scan.registry_id).exists():
            read_pushed.delay(scan.registry_id)
    elif more:
        scan_lane.apply_async((scan_id, number), countdown=GIVE_WAY_SECONDS if scanning.others_wait(scan) else 0)


@shared_task(**PATIENT)
def read_pushed(registry_id: int) -> None:
    registry = Registry.objects.filter(pk=registry_id, enabled=True).first()
    for service in scanning.take_pushed(registry) if registry else ():
        enqueue(scanning.start(service.registry, Scan.Trigger.PUSH, service))


@shared_task
def tend() -> None:
    lost = scanning.tend()
    for scan_id, mark in lost.scans:
        run.delay(scan_id, mark.isoformat())
    for scan_id, number in lost.lanes:
        scan_lane.delay(scan_id, number)
    for registry_id in lost.pushed:
        read_pushed.delay(registry_id)
    for verification_id in jobs.lost():
        verify_suggestion.delay(verification_id)


@shared_task(**PATIENT)
def keep_house() -> None:
    pruned = snapshots.prune_indexes(settings.INDEXED_IMAGES)
    log.info("Dropped %s layer indexes of %s bytes that no kept image needs", pruned.layers, pruned.index_bytes)
    for registry in Registry.objects.filter(enabled=True):
        snapshots.weigh_sharing(registry)


@shared_task
def reconsider(service_id: int) -> None:
    service = Service.objects.select_related("registry", "snapshot__image").filter(pk=service_id).first()
    if service:
        scanning.reconsider(service)


@shared_task(**PATIENT)
def verify_suggestion(verification_id: int) -> None:
    """Taken up again when the worker that had it is gone; one that is delivered twice runs once."""
    related = Verification.objects.select_related("service__registry", "service__probe", "image", "engine")
    verification = related.filter(pk=verification_id).first()
    if verification is None:
        return
    if jobs.begin(verification):
        jobs.run(verification, scanning.logins(verification.service.registry))
    elif verification.status == Verification.Status.QUEUED:
        verify_suggestion.apply_async((verification_id,), countdown=ENGINE_WAIT_SECONDS)
