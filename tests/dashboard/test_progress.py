"""How far a scan is, without a database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dashboard.progress import progress_of, services_of
from fleet.models import Scan, ScanLane
from tests.dashboard.factories import FIRST_DAY, MB

NOW = FIRST_DAY + timedelta(seconds=100)


def scan(**fields: Any) -> Scan:
    values = {"status": Scan.Status.RUNNING, "started_at": FIRST_DAY, "services": 40, "services_done": 10}
    return Scan(**(values | fields))


def test_counts_are_those_of_the_scan_and_of_what_its_lanes_read() -> None:
    lanes = [
        ScanLane(tags=3, layers=1, requests=9, received_bytes=5 * MB),
        ScanLane(tags=4, layers=0, requests=4, received_bytes=0),
    ]
    counted = scan(tags=100, layers_indexed=20, requests=300, received_bytes=15 * MB)
    progress = progress_of(counted, lanes, NOW)
    assert (progress.tags, progress.layers, progress.requests) == (107, 21, 313)
    assert progress.received_bytes == 20 * MB
    assert progress.bytes_per_second == 20 * MB / 100
    assert progress.percent == 25


def test_the_time_left_follows_from_the_services_done() -> None:
    assert progress_of(scan(), [], NOW).seconds_left == 300
    assert progress_of(scan(services_done=40), [], NOW).seconds_left == 0
    # Services that were deleted meanwhile are no time ahead.
    assert progress_of(scan(services_done=41), [], NOW).seconds_left == 0
    assert progress_of(scan(services_done=41), [], NOW).percent == 100


def test_there_are_at_least_as_many_services_as_are_done() -> None:
    assert services_of(scan()) == 40
    assert services_of(scan(services=1, services_done=2)) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"services_done": 0},
        {"services": 0, "services_done": 0},
        {"started_at": None, "status": Scan.Status.QUEUED},
        {"status": Scan.Status.PAUSED},
        {"status": Scan.Status.DONE, "finished_at": NOW},
        {"started_at": NOW},
    ],
    ids=["no service is done", "none is known", "it has not begun", "it rests", "it is over", "it has just begun"],
)
def test_the_time_left_is_unknown_while(fields: dict[str, Any]) -> None:
    assert progress_of(scan(progress_at=NOW, **fields), [], NOW).seconds_left is None


def test_a_rate_needs_time_and_bytes() -> None:
    assert progress_of(scan(received_bytes=0), [], NOW).bytes_per_second is None
    assert progress_of(scan(received_bytes=MB, started_at=NOW), [], NOW).bytes_per_second is None
    assert progress_of(scan(received_bytes=MB, started_at=None), [], NOW).bytes_per_second is None


def test_the_time_that_a_scan_rests_or_is_over_does_not_lower_its_rate() -> None:
    ended = FIRST_DAY + timedelta(seconds=10)
    resting = scan(received_bytes=20 * MB, status=Scan.Status.PAUSED, progress_at=ended)
    assert progress_of(resting, [], NOW).bytes_per_second == 2 * MB
    done = scan(received_bytes=20 * MB, status=Scan.Status.DONE, finished_at=ended)
    assert progress_of(done, [], NOW).bytes_per_second == 2 * MB


def test_clocks_that_disagree_break_nothing() -> None:
    early = progress_of(scan(received_bytes=MB, started_at=NOW + timedelta(seconds=5)), [], NOW)
    assert (early.bytes_per_second, early.seconds_left) == (None, None)
