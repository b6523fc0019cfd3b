"""Work that was lost is found again: with the worker, with the queue, between two steps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from fleet import scanning, tasks
from fleet.models import PushedRepository, Registry, Scan, ScanLane, Service
from tests.fakes.pushable import PushableRegistry, image

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(seconds=settings.LEASE_SECONDS + 1)


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"team/a": {"1": image()}, "team/b": {"1": image(app=b"b")}}) as registry:
        yield registry


@pytest.fixture
def registry(server: PushableRegistry) -> Registry:
    return Registry.objects.create(name="Hub", url=server.url, concurrency=1)


@pytest.fixture
def scan(registry: Registry) -> Scan:
    return scanning.start(registry, Scan.Trigger.SCHEDULE)


def _age(scan: Scan) -> None:
    Scan.objects.filter(pk=scan.pk).update(progress_at=timezone.now() - LONG_AGO)
    ScanLane.objects.filter(scan=scan).update(held_until=timezone.now() - LONG_AGO)


def test_a_scan_whose_task_was_lost_is_sent_again_once(scan: Scan) -> None:
    assert scanning.tend().scans == []
    _age(scan)
    assert [pk for pk, _ in scanning.tend().scans] == [scan.pk]
    assert scanning.tend().scans == []


def test_a_scan_whose_worker_died_while_it_listed_is_sent_again(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(tasks.scan_lane, "delay", lambda *lane: sent.append(lane))
    scanning.begin(scan)
    _age(scan)
    ((again, mark),) = scanning.tend().scans
    tasks.run(again, mark.isoformat())
    assert sent == [(scan.pk, 0)]
    tasks.run(again, mark.isoformat())
    assert len(sent) == 1, "who comes second finds it taken"


def test_a_lane_whose_task_was_lost_is_sent_again(scan: Scan) -> None:
    scanning.begin(scan)
    scanning.discover(scan)
    scanning.open_lanes(scan)
    assert scanning.tend().lanes == []
    _age(scan)
    assert scanning.tend().lanes == [(scan.pk, 0)]
    assert scanning.tend().lanes == []


def test_a_lane_that_is_held_is_left_alone(scan: Scan) -> None:
    scanning.begin(scan)
    scanning.discover(scan)
    lane = scanning.Lane.take(scan, *scanning.open_lanes(scan))
    assert lane is not None
    Scan.objects.update(progress_at=timezone.now() - LONG_AGO)
    assert scanning.tend().lanes == []


def test_a_scan_that_has_nothing_left_is_closed(scan: Scan) -> None:
    scanning.begin(scan)
    keys = scanning.discover(scan)
    scanning.open_lanes(scan)
    for key in keys:
        scanning.scan_service(scan, Service.objects.get(pk=key))
    _age(scan)
    scanning.tend()
    scan.refresh_from_db()
    assert (scan.status, scan.services_done) == (Scan.Status.DONE, 2)


def test_a_service_that_came_after_the_listing_does_not_hold_the_scan_up(scan: Scan, registry: Registry) -> None:
    registry.concurrency = 64
    registry.save()
    scan.registry.refresh_from_db()
    scanning.begin(scan)
    keys = scanning.discover(scan)
    scanning.open_lanes(scan)
    for key in keys:
        scanning.scan_service(scan, Service.objects.get(pk=key))
    late = Service.objects.create(registry=registry, repository="team/late", platform=registry.platform)
    assert not scanning.finish(scan)
    _age(scan)
    assert scanning.tend().lanes == [(scan.pk, late.pk % 64)]


def test_push_events_that_nobody_read_are_found(registry: Registry) -> None:
    PushedRepository.objects.create(registry=registry, repository="team/a")
    assert scanning.tend().pushed == []
    PushedRepository.objects.update(pushed_at=timezone.now() - LONG_AGO)
    assert scanning.tend().pushed == [registry.pk]


class TestPushed:
    def test_a_pushed_repository_is_read_and_taken_off_the_list(
        self, registry: Registry, django_capture_on_commit_callbacks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[int] = []
        monkeypatch.setattr(tasks.run, "delay", lambda scan_id: sent.append(scan_id))
        PushedRepository.objects.create(registry=registry, repository="team/a")
        with django_capture_on_commit_callbacks(execute=True):
            tasks.read_pushed(registry.pk)
        assert not PushedRepository.objects.exists()
        scan = Scan.objects.get()
        assert (scan.trigger, scan.service.repository, sent) == (Scan.Trigger.PUSH, "team/a", [scan.pk])

    def test_one_that_is_just_being_read_is_read_again_afterwards(self, registry: Registry) -> None:
        service = Service.objects.create(registry=registry, repository="team/a", platform=registry.platform)
        running = scanning.start(registry, Scan.Trigger.PAGE, service)
        scanning.begin(running)
        PushedRepository.objects.create(registry=registry, repository="team/a")
        assert list(scanning.take_pushed(registry)) == []
        scanning.run_scan(running)
        scanning.scan_service(running, service)
        scanning.finish(running)
        assert list(scanning.take_pushed(registry)) == [service]
        assert not PushedRepository.objects.exists()

    def test_what_the_registry_does_not_have_becomes_no_service(self, registry: Registry) -> None:
        PushedRepository.objects.create(registry=registry, repository="not/there")
        assert list(scanning.take_pushed(registry)) == []
        assert not PushedRepository.objects.exists()
        assert not Service.objects.exists()

    def test_what_the_settings_leave_out_is_dropped(self, registry: Registry) -> None:
        registry.exclude = "team/*"
        registry.save()
        PushedRepository.objects.create(registry=registry, repository="team/a")
        assert list(scanning.take_pushed(registry)) == []
        assert not PushedRepository.objects.exists()
        assert not Service.objects.exists()

    def test_a_scan_of_the_registry_still_counts_it_once(self, registry: Registry) -> None:
        whole = scanning.start(registry, Scan.Trigger.SCHEDULE)
        scanning.begin(whole)
        first, second = (Service.objects.get(pk=key) for key in scanning.discover(whole))
        scanning.scan_service(whole, first)
        one = scanning.run_scan(scanning.start(registry, Scan.Trigger.PUSH, first))
        assert (one.status, one.services_done) == (Scan.Status.DONE, 1)
        assert not scanning.finish(whole)
        assert not scanning.scan_service(whole, Service.objects.get(pk=first.pk))
        scanning.scan_service(whole, second)
        assert scanning.finish(whole)
        assert (whole.services, whole.services_done) == (2, 2)
