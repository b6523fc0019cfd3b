"""Scans that go on at the same time: of a registry and of what was pushed there meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from fleet import scanning, tasks
from fleet.models import PushedRepository, Registry, Scan, ScanLane, Service, SizePolicy, Snapshot
from fleet.scanning import judging, one_service
from fleet.scanning.lanes import Lane, is_waiting, others_wait
from fleet.scanning.lifecycle import ScanOver
from tests.fakes.pushable import PushableRegistry, day, image

pytestmark = pytest.mark.django_db
OLD, NEW = image(day(1), app=b"old"), image(day(2), app=b"new")


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"team/a": {"1": OLD}, "team/b": {"1": image(app=b"b")}}) as registry:
        yield registry


@pytest.fixture
def registry(server: PushableRegistry) -> Registry:
    return Registry.objects.create(name="Hub", url=server.url, concurrency=1)


@pytest.fixture
def whole(registry: Registry) -> Scan:
    """A scan of the registry that was listed."""
    scan = scanning.start(registry, Scan.Trigger.SCHEDULE)
    scanning.begin(scan)
    scanning.discover(scan)
    scanning.open_lanes(scan)
    return scan


def _pushed(registry: Registry, repository: str = "team/a") -> Scan:
    service = Service.objects.get(repository=repository)
    scan = scanning.start(registry, Scan.Trigger.PUSH, service)
    scanning.begin(scan)
    scanning.discover(scan)
    scanning.open_lanes(scan)
    return scan


class TestConcurrency:
    def test_it_holds_across_scans(self, registry: Registry, whole: Scan) -> None:
        push = _pushed(registry)
        number = push.lanes.get().number
        with Lane.take(whole, 0) as lane:
            assert lane
            assert Lane.take(push, number) is None
            assert is_waiting(push, number)
            assert others_wait(whole)
        assert Lane.take(push, number)

    def test_who_finds_no_room_asks_again_soon(
        self, registry: Registry, whole: Scan, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[tuple[tuple[int, int], float]] = []
        monkeypatch.setattr(tasks.scan_lane, "apply_async", lambda args, countdown: sent.append((args, countdown)))
        push = _pushed(registry)
        lane = Lane.take(whole, 0)
        tasks.scan_lane(push.pk, 0)
        assert sent == [((push.pk, 0), tasks.WAIT_SECONDS)]
        assert lane
        with lane:
            pass
        tasks.scan_lane(push.pk, 0)
        push.refresh_from_db()
        assert push.status == Scan.Status.DONE

    def test_a_changed_concurrency_does_not_mix_the_lanes_of_a_running_scan(
        self, registry: Registry, whole: Scan
    ) -> None:
        Registry.objects.update(concurrency=7)
        whole.registry.refresh_from_db()
        assert scanning.open_lanes(whole) == (0,)
        assert ScanLane.objects.filter(scan=whole).count() == 1


class TestPushes:
    def test_one_for_a_service_that_is_being_read_waits(self, registry: Registry, whole: Scan) -> None:
        lane = Lane.take(whole, 0)
        assert lane
        lane.reads(Service.objects.get(repository="team/a"), dict)
        PushedRepository.objects.create(registry=registry, repository="team/a")
        assert list(scanning.take_pushed(registry)) == []
        with lane:
            pass
        assert [service.repository for service in scanning.take_pushed(registry)] == ["team/a"]

    def test_what_was_read_earlier_and_is_written_later_overwrites_nothing(
        self, registry: Registry, server: PushableRegistry, whole: Scan, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = Service.objects.get(repository="team/a")
        push = _pushed(registry)
        judge = judging.judge

        def slowly(*arguments: object) -> object:
            """While the registry's scan judges the old image, the new one is pushed, read and written."""
            monkeypatch.setattr(one_service, "judge", judge)
            server.push("team/a", "1", NEW)
            assert scanning.scan_service(push, Service.objects.get(pk=service.pk))
            return judge(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(one_service, "judge", slowly)
        assert scanning.scan_service(whole, service)
        service.refresh_from_db()
        assert service.snapshot is not None
        assert service.snapshot.image.digest == NEW.digest
        assert Snapshot.objects.filter(service=service).count() == 1
        assert {row.image_id for row in service.suggestions.all()} == {service.snapshot.image_id}

    def test_a_service_that_comes_back_is_under_its_policies_again(self, registry: Registry, whole: Scan) -> None:
        SizePolicy.objects.create(name="Small", fail_compressed_bytes=1)
        service = Service.objects.get(repository="team/a")
        scanning.scan_service(whole, service)
        Service.objects.filter(pk=service.pk).update(gone_at=timezone.now(), policy_state="none")
        PushedRepository.objects.create(registry=registry, repository="team/a")
        (back,) = scanning.take_pushed(registry)
        back.refresh_from_db()
        assert (back.gone_at, back.policy_state) == (None, "fail")


def test_a_database_that_is_gone_says_nothing_of_a_service(whole: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("the database system is shutting down")

    monkeypatch.setattr(one_service, "judge", gone)
    with pytest.raises(OperationalError):
        scanning.scan_service(whole, Service.objects.get(repository="team/a"))
    whole.refresh_from_db()
    assert (whole.services_done, whole.error_count) == (0, 0)


def test_a_scan_that_is_cancelled_while_it_is_listed_lists_no_further(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = scanning.start(registry, Scan.Trigger.PAGE)
    scanning.begin(scan)
    monkeypatch.setattr("fleet.scanning.discovery.TOUCH_SECONDS", -1.0)
    monkeypatch.setattr("fleet.scanning.discovery.is_selected", lambda *_: scanning.cancel(Scan.objects.get()) or True)
    assert scanning.discover(scan) == ()
    assert scan.status == Scan.Status.CANCELLED
    assert "cancelled" in scan.message
    assert not Service.objects.exists()


def test_the_command_line_ends_when_its_lanes_are_taken_over(registry: Registry, whole: Scan) -> None:
    """And what it had asked for is counted all the same."""
    lane = Lane.take(whole, 0)
    assert lane
    ScanLane.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    assert Lane.take(whole, 0)
    with pytest.raises(ScanOver):
        scanning.scan_service(whole, Service.objects.get(repository="team/a"), watch=lane)
    assert not scanning.read_lane(whole, lane, lambda: True)
