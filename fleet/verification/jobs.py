"""A verification's row from queued to its end, moved by conditional UPDATEs so that a task that is delivered twice, or
whose worker died, runs it once.

queued ── begin ──▶ running ── finish ──▶ verified | failed | inconclusive
              ▲        │                        cancel: from the first two
              └────────┘ the worker was silent for a lease
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from fleet import snapshots
from fleet.models import Engine, Service, Suggestion, Verification
from fleet.models.secret import UNREADABLE
from fleet.models.verification import UNDER_WAY
from fleet.oci.errors import RegistryError, Unauthorized
from fleet.oci.manifest import parse_config
from fleet.oci.origin import registry_origins
from fleet.oci.trust import Trust
from fleet.verification.engine import EngineSettings, Limits, Logins
from fleet.verification.probing import Probe, make_probe, parse_environment
from fleet.verification.verify import Order, Outcome, verify
from fleet.verification.watch import Log

log = logging.getLogger(__name__)

Status = Verification.Status
MOST_ATTEMPTS = 3
GAVE_UP = f"The worker stopped {MOST_ATTEMPTS} times while it verified this. Look at its log, then verify again."
FAULT = "A fault of ours ended it, which says nothing of the Dockerfile. An administrator finds it in the worker's log."
NO_ENGINE = "No engine is configured and enabled. An administrator adds one in the admin, under engines."
NO_CONTEXT = "A rebuild needs what it is built from. Set a git URL in the probe of this service, then verify again."
DATABASE_GONE = (OperationalError, InterfaceError)
# Of a service so many are kept, the newest.
KEPT = 50
_BEAT_SECONDS = 2.0
# Saving a large image, or cleaning up, may keep a worker silent for a while.
_LEASE_SECONDS = 180.0
_REQUEUE = timedelta(minutes=5)


class Over(Exception):
    """The verification was cancelled while this worker ran it, or taken over by another."""


def is_on() -> bool:
    return Engine.objects.filter(enabled=True).exists()


def start(suggestion: Suggestion, user_id: int | None = None) -> Verification:
    """A queued verification of a suggestion as it is now; the one under way for the same rung where there is one."""
    row = Verification(
        service_id=suggestion.service_id,
        image_id=suggestion.image_id,
        requested_by_id=user_id,
        mode=suggestion.mode,
        tier=suggestion.tier,
        dockerfile=suggestion.dockerfile,
        dockerfile_sha256=snapshots.digest_of(suggestion.dockerfile),
        estimated_unpacked_bytes=suggestion.after_unpacked_bytes,
        estimated_compressed_bytes=suggestion.after_compressed_bytes,
    )
    under_way = Verification.objects.filter(service=row.service_id, mode=row.mode, tier=row.tier, status__in=UNDER_WAY)
    try:
        with transaction.atomic():
            if found := under_way.first():
                return found
            row.save()
    except IntegrityError:
        return under_way.get()
    _forget_old(row)
    return row


def _forget_old(row: Verification) -> None:
    over = Verification.objects.filter(service=row.service_id).exclude(status__in=UNDER_WAY)
    kept = list(over.values_list("pk", flat=True)[:KEPT])
    if len(kept) == KEPT:
        over.exclude(pk__in=kept).delete()


def begin(verification: Verification) -> bool:
    """Take a verification to running, on an engine that runs none; False where somebody else did, it is over, or every
    engine is busy. One whose worker was silent for a lease is taken from it, three times at most."""
    now, holder = timezone.now(), str(uuid.uuid4())
    free = Q(status=Status.QUEUED) | Q(status=Status.RUNNING, held_until__lt=now)
    rows = Verification.objects.filter(free, pk=verification.pk)
    if rows.filter(attempts__gte=MOST_ATTEMPTS).exists():
        _close(rows, Outcome("inconclusive", (GAVE_UP,), "worker-stopped"))
    elif not is_on():
        _close(rows, Outcome("inconclusive", (NO_ENGINE,), "no-engine"))
    with transaction.atomic():
        engine = _free_engine(verification)
        taken = engine and rows.update(
            status=Status.RUNNING,
            engine=engine,
            holder=holder,
            held_until=now + lease(),
            started_at=Coalesce("started_at", now),
            attempts=F("attempts") + 1,
            step="Beginning",
        )
    verification.refresh_from_db()
    return bool(taken)


def lease() -> timedelta:
    """How long a worker may be silent before its verification is another's."""
    return timedelta(seconds=max(settings.LEASE_SECONDS, _LEASE_SECONDS))


def run(verification: Verification, logins: Logins) -> None:
    """Build, run, compare and write down what came of it. Of one that was begun."""
    held = _Held(verification)
    try:
        outcome = verify(order_of(verification), settings_of(verification), logins, held)
    except RegistryError as error:
        outcome = Outcome("inconclusive", (str(error),), "not-verifiable")
    except Over:
        return
    except DATABASE_GONE:
        raise
    except Exception:  # whoever waits for it is told; what it was stands in the log
        log.exception("Verification %s could not be done", verification.pk)
        outcome = Outcome("inconclusive", (FAULT,), "fault")
    if _close(held.rows, outcome):
        snapshots.apply_verifications(Service.objects.get(pk=verification.service_id))


def cancel(verification: Verification) -> bool:
    """End a verification because somebody wants it to end; False when it was over. Its worker notices within seconds,
    and cleans up."""
    rows = Verification.objects.filter(pk=verification.pk, status__in=UNDER_WAY)
    return bool(rows.update(status=Status.CANCELLED, finished_at=timezone.now(), step="", held_until=None))


def lost() -> list[int]:
    """Verifications that no worker has: it died, or the queue lost them. Each is named once in a while."""
    now = timezone.now()
    waiting = Q(status=Status.QUEUED) & (Q(held_until__lt=now) | Q(held_until=None, queued_at__lt=now - _REQUEUE))
    rows = Verification.objects.filter(waiting | Q(status=Status.RUNNING, held_until__lt=now))
    found = list(rows.values_list("pk", flat=True))
    # Of one that waits for its turn the time alone is noted, so that it is not sent again at every look.
    Verification.objects.filter(pk__in=found, status=Status.QUEUED).update(held_until=now + _REQUEUE)
    return found


def order_of(verification: Verification) -> Order:
    """What the row asks for. Raises RegistryError where that cannot be done."""
    service = verification.service
    probe = getattr(service, "probe", None)
    context = probe.context if probe and verification.mode == "rebuild" else ""
    if verification.mode == "rebuild" and not context:
        raise RegistryError(NO_CONTEXT)
    return Order(verification.dockerfile, original_of(verification), service.platform, probe_of(verification), context)


def original_of(verification: Verification) -> str:
    """What an engine calls the image that is replaced. Raises RegistryError."""
    registry, service = verification.service.registry, verification.service
    if registry.kind == registry.Kind.ENGINE:
        return str(verification.image.digest)
    if registry.kind != registry.Kind.DISTRIBUTION:
        raise RegistryError(
            f"{registry} keeps its images in files, which no engine can pull. Push the image to a registry, or load it "
            "into the engine and run manage.py verify docker-daemon:NAME."
        )
    name, _ = registry_origins(registry.url, plain_http=True)
    return f"{name}/{service.repository}@{verification.image.digest}"


def probe_of(verification: Verification) -> Probe:
    row = getattr(verification.service, "probe", None)
    config = parse_config(bytes(verification.image.config))
    if row is None:
        return make_probe(config)
    if row.environment == UNREADABLE:
        raise Unauthorized("The probe's variables cannot be decrypted with the present keys. Enter them again.")
    return make_probe(
        config,
        path=row.path,
        port=row.port or 0,
        command=row.command,
        tcp=row.tcp,
        environment=parse_environment(row.environment),
    )


def settings_of(verification: Verification) -> EngineSettings:
    """The engine that a verification was given, with the time that its service may take to answer."""
    if verification.engine is None:
        raise RegistryError(NO_ENGINE)
    found = settings_of_engine(verification.engine)
    row = getattr(verification.service, "probe", None)
    if row is None:
        return found
    return replace(found, limits=replace(found.limits, start_seconds=float(row.wait_seconds)))


def settings_of_engine(engine: Engine) -> EngineSettings:
    """Raises Unauthorized where its key cannot be read."""
    if engine.client_key == UNREADABLE:
        raise Unauthorized(f"The stored key of {engine} cannot be decrypted with the present keys. Enter it again.")
    limits = Limits(
        memory_bytes=engine.memory_bytes,
        cpus=float(engine.cpus),
        pids=engine.pids,
        build_seconds=engine.build_seconds,
        whole_seconds=engine.whole_seconds,
    )
    trust = Trust(engine.ca_certificate, engine.client_certificate, engine.client_key)
    return EngineSettings(engine.url, trust, engine.plain_http, limits, engine.build_network)


def _free_engine(verification: Verification) -> Engine | None:
    """An enabled engine that no other verification is busy on. Locked until the transaction ends."""
    engines = list(Engine.objects.select_for_update().filter(enabled=True))
    others = Verification.objects.filter(status=Status.RUNNING, held_until__gte=timezone.now())
    busy = set(others.exclude(pk=verification.pk).values_list("engine", flat=True))
    return next((engine for engine in engines if engine.pk not in busy), None)


def _close(rows: QuerySet[Verification], outcome: Outcome) -> bool:
    measured = outcome.measured
    return bool(
        rows.update(
            status=outcome.verdict,
            finished_at=timezone.now(),
            held_until=None,
            step="",
            cause=outcome.cause[:50],
            reasons=[snapshots.storable(reason) for reason in outcome.reasons],
            log=snapshots.storable(outcome.log),
            probe=outcome.probe.as_json(),
            original=outcome.original.as_json() if outcome.original else None,
            candidate=outcome.candidate.as_json() if outcome.candidate else None,
            read_only=outcome.read_only,
            measured_unpacked_bytes=measured.unpacked_bytes if measured else None,
            measured_compressed_bytes=measured.compressed_bytes if measured else None,
        )
    )


class _Held:
    """Shows how it goes on, and renews the hold."""

    def __init__(self, verification: Verification) -> None:
        self.rows = Verification.objects.filter(pk=verification.pk, holder=verification.holder, status=Status.RUNNING)
        self._log: Log | None = None
        self._beat_at = 0.0

    def follows(self, log: Log) -> None:
        self._log = log

    def step(self, sentence: str) -> None:
        self._write(step=snapshots.storable(sentence, 200))

    def beat(self) -> None:
        if time.monotonic() - self._beat_at >= _BEAT_SECONDS:
            self._write()

    def _write(self, **columns: str) -> None:
        self._beat_at = time.monotonic()
        log = snapshots.storable(self._log.text) if self._log else ""
        if not self.rows.update(held_until=timezone.now() + lease(), log=log, **columns):
            raise Over
