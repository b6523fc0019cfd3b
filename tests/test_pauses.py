"""Scans that rest: why, for how long, what is kept, and how they go on or end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from fleet import scanning, tasks
from fleet.models import Registry, Scan, ScanError, Service, Snapshot
from fleet.oci.errors import RateLimited, Unauthorized, Unreachable, UntrustedCertificate
from fleet.sample.registry import Response
from fleet.scanning import budget
from fleet.scanning.lifecycle import PATIENCE_PAUSES, calls_for_rest, pause
from tests.fakes.pushable import PushableRegistry, day, image

pytestmark = pytest.mark.django_db
LIMITED = Response(429, {"Retry-After": "3600"})
MANIFEST = "/v2/team/b/manifests/1.0"


@pytest.fixture(autouse=True)
def own_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rests of one test are nothing to another."""
    monkeypatch.setattr(budget, "_own", budget._OwnShelf())
    monkeypatch.setattr(budget, "_try_redis_at", float("inf"))
    monkeypatch.setattr(budget, "_shared", None)


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    images = {
        "team/a": {"1.0": image(day(0))},
        "team/b": {"1.0": image(day(1), app=b"b"), "1.1": image(day(2), app=b"bb")},
    }
    with PushableRegistry(images) as registry:
        yield registry


@pytest.fixture
def registry(server: PushableRegistry) -> Registry:
    return Registry.objects.create(name="Hub", url=server.url, concurrency=1)


@pytest.fixture
def limited(server: PushableRegistry, registry: Registry) -> Scan:
    """A scan that met a 429 at the second tag of its second service."""
    server.replies[MANIFEST] = LIMITED
    return scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND))


def test_a_registry_that_asks_to_wait_is_waited_for(limited: Scan, registry: Registry) -> None:
    assert limited.status == Scan.Status.PAUSED
    assert limited.resume_at is not None
    assert timedelta(seconds=3590) < limited.resume_at - timezone.now() < timedelta(seconds=3620)
    assert "goes on by itself" in limited.message
    registry.refresh_from_db()
    assert registry.resting_until == limited.resume_at
    assert not ScanError.objects.exists()


def test_what_was_read_before_the_pause_is_kept_and_nothing_counts_twice(
    limited: Scan, server: PushableRegistry
) -> None:
    assert limited.services_done == 1
    assert set(Snapshot.objects.values_list("service__repository", "tag")) == {("team/a", "1.0"), ("team/b", "1.1")}
    del server.replies[MANIFEST]
    _let_time_pass(limited)
    done = scanning.run_scan(limited)
    assert (done.status, done.services, done.services_done, done.tags, done.snapshots) == ("done", 2, 2, 3, 3)
    assert Service.objects.get(repository="team/b").snapshot.tag == "1.1"


def test_nothing_is_asked_of_a_registry_that_rests(limited: Scan, server: PushableRegistry) -> None:
    service = Service.objects.get(repository="team/a")
    asked = len(server.requests)
    another = scanning.run_scan(scanning.start(service.registry, Scan.Trigger.PAGE, service))
    assert another.status == Scan.Status.PAUSED
    assert len(server.requests) == asked


def test_tend_takes_it_up_when_its_time_has_come(limited: Scan, server: PushableRegistry) -> None:
    del server.replies[MANIFEST]
    assert scanning.tend().lanes == []
    _let_time_pass(limited)
    lost = scanning.tend()
    assert lost.lanes == [(limited.pk, 0)]
    assert scanning.tend().lanes == [], "it is sent once"
    tasks.scan_lane(*lost.lanes[0])
    limited.refresh_from_db()
    assert (limited.status, limited.services_done, limited.message) == ("done", 2, "")


def test_a_429_to_the_listing_pauses_too(server: PushableRegistry, registry: Registry) -> None:
    server.replies["/v2/_catalog"] = LIMITED
    paused = scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND))
    assert (paused.status, paused.services) == (Scan.Status.PAUSED, 0)
    del server.replies["/v2/_catalog"]
    _let_time_pass(paused)
    assert [pk for pk, _ in scanning.tend().scans] == [paused.pk]
    done = scanning.run_scan(Scan.objects.get())
    assert (done.status, done.services_done) == ("done", 2)


def test_a_registry_that_is_gone_is_tried_for_a_while_and_then_recorded(registry: Registry) -> None:
    scan = scanning.start(registry, Scan.Trigger.PAGE)
    waits = []
    for _ in range(PATIENCE_PAUSES):
        scanning.begin(scan)
        assert pause(scan, Unreachable("It is gone."))
        assert scan.resume_at is not None
        waits.append((scan.resume_at - timezone.now()).total_seconds())
        Scan.objects.update(status=Scan.Status.RUNNING)
        scan.refresh_from_db()
    assert pause(scan, Unreachable("It is gone."))
    assert scan.status == Scan.Status.FAILED
    assert "It is gone. It was tried 6 times in a row" in scan.message
    assert waits[0] < 15
    assert 8 < waits[-1] / waits[0] < 80, "each wait is longer"


def test_a_service_that_is_always_refused_comes_last_and_is_recorded_in_the_end(
    limited: Scan, server: PushableRegistry, registry: Registry
) -> None:
    server.push("team/c", "1.0", image(day(3), app=b"c"))
    Service.objects.create(registry=registry, repository="team/c", platform=registry.platform)
    for _ in range(3):
        _let_time_pass(limited)
        limited = scanning.run_scan(limited)
    assert (limited.status, limited.services_done) == (Scan.Status.PARTIAL, 3)
    assert ScanError.objects.get().repository == "team/b"
    assert Service.objects.get(repository="team/c").compressed_bytes


def test_a_gateway_that_finds_no_registry_behind_it_is_waited_for(registry: Registry, server: PushableRegistry) -> None:
    server.replies["/v2/team/b/tags/list"] = Response(503, {"Retry-After": "3600"})
    paused = scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND))
    assert paused.status == Scan.Status.PAUSED
    assert paused.resume_at is not None
    assert paused.resume_at - timezone.now() > timedelta(minutes=50)


@pytest.mark.parametrize(
    ("trigger", "known", "status"),
    [
        (Scan.Trigger.SCHEDULE, True, Scan.Status.PAUSED),
        (Scan.Trigger.PAGE, True, Scan.Status.PAUSED),
        (Scan.Trigger.PAGE, False, Scan.Status.FAILED),
        (Scan.Trigger.COMMAND, True, Scan.Status.FAILED),
    ],
)
def test_a_known_registry_that_is_gone_when_it_is_listed_is_waited_for(
    registry: Registry, trigger: str, known: bool, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(tasks.scan_lane, "delay", lambda *lane: sent.append(lane))
    registry.url = "http://127.0.0.1:1"
    registry.save()
    if known:
        Service.objects.create(registry=registry, repository="team/old", platform=registry.platform)
    scan = scanning.start(registry, trigger)
    tasks.run(scan.pk)
    scan.refresh_from_db()
    assert scan.status == status
    assert sent == []
    assert not scan.lanes.exists(), "it is listed again when it goes on"


def test_a_paused_scan_can_be_cancelled(limited: Scan) -> None:
    assert scanning.cancel(limited)
    assert limited.status == Scan.Status.CANCELLED
    assert not scanning.cancel(limited)
    _let_time_pass(limited)
    assert scanning.tend().lanes == []


def test_a_scan_that_rests_for_long_is_not_given_up(limited: Scan, registry: Registry) -> None:
    Scan.objects.update(progress_at=timezone.now() - timedelta(hours=6))
    assert scanning.start(registry, Scan.Trigger.SCHEDULE) == limited
    Scan.objects.update(resume_at=timezone.now() - timedelta(hours=1))
    assert scanning.start(registry, Scan.Trigger.SCHEDULE) != limited


def test_only_what_passes_is_waited_for() -> None:
    assert calls_for_rest(RateLimited("Slow down."))
    assert calls_for_rest(Unreachable("Gone."))
    assert not calls_for_rest(UntrustedCertificate("Who is that?"))
    assert not calls_for_rest(Unauthorized("Wrong password."))


def _let_time_pass(scan: Scan) -> None:
    Scan.objects.filter(pk=scan.pk).update(resume_at=timezone.now() - timedelta(seconds=1))
    scan.refresh_from_db()
    budget._own._until.clear()
