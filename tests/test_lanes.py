"""Lanes: one worker each, for as long as it shows that it lives."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from fleet import scanning
from fleet.models import Registry, Scan, ScanLane, Service
from fleet.scanning.lanes import Lane, ScanOver, open_lanes

pytestmark = pytest.mark.django_db
COUNTS = {"tags": 3, "layers": 1, "requests": 7, "received_bytes": 900}


@pytest.fixture
def scan() -> Scan:
    registry = Registry.objects.create(name="Hub", url="http://127.0.0.1:1", concurrency=2)
    for number in range(3):
        Service.objects.create(registry=registry, repository=f"team/{number}", platform=registry.platform)
    scan = scanning.start(registry, Scan.Trigger.PAGE)
    scanning.begin(scan)
    return scan


def test_services_stand_in_as_many_lanes_as_the_registry_allows(scan: Scan) -> None:
    assert open_lanes(scan) == (0, 1)
    assert open_lanes(scan) == (0, 1), "opened twice they are the same"
    assert ScanLane.objects.count() == 2


def test_a_lane_is_held_by_one_worker_until_it_is_let_go(scan: Scan) -> None:
    open_lanes(scan)
    lane = Lane.take(scan, 0)
    assert lane is not None
    assert Lane.take(scan, 0) is None
    assert Lane.take(scan, 1) is not None
    with lane:
        pass
    assert Lane.take(scan, 0) is not None


def test_the_lane_of_a_dead_worker_is_taken_over_and_the_worker_that_comes_back_stops(scan: Scan) -> None:
    open_lanes(scan)
    first = Lane.take(scan, 0)
    assert first is not None
    ScanLane.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    second = Lane.take(scan, 0)
    assert second is not None
    with pytest.raises(ScanOver):
        first.reads(Service.objects.all()[0], dict)
    second.reads(Service.objects.all()[0], dict)


def test_who_reads_shows_what_was_done_and_that_it_lives(scan: Scan) -> None:
    open_lanes(scan)
    service = Service.objects.all()[0]
    Scan.objects.update(progress_at=timezone.now() - timedelta(hours=1))
    lane = Lane.take(scan, 0)
    assert lane is not None
    with lane:
        lane.reads(service, lambda: COUNTS)
        row = ScanLane.objects.get(number=0)
        assert (row.service, row.tags, row.layers, row.requests, row.received_bytes) == (service, 3, 1, 7, 900)
        assert Scan.objects.get().progress_at > timezone.now() - timedelta(minutes=1)
    row.refresh_from_db()
    assert (row.service, row.tags, row.holder) == (None, 0, "")


@pytest.mark.parametrize("end", [scanning.cancel, lambda scan: scanning.fail(scan, "It broke.")])
def test_a_scan_that_is_over_stops_its_readers(scan: Scan, end) -> None:
    open_lanes(scan)
    lane = Lane.take(scan, 0)
    assert lane is not None
    end(scan)
    with pytest.raises(ScanOver):
        lane.reads(Service.objects.all()[0], dict)
    assert not ScanLane.objects.exists()


def test_several_lanes_are_held_at_once_and_counted_once(scan: Scan) -> None:
    lane = Lane.take(scan, *open_lanes(scan))
    assert lane is not None
    lane.reads(Service.objects.all()[0], lambda: COUNTS)
    assert [row.tags for row in ScanLane.objects.all()] == [3, 0]
    assert Lane.take(scan, 1) is None
