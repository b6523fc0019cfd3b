"""Scans, registries and policies as lists."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule

from fleet.models import Scan, ScanError, ScanLane
from tests.dashboard.factories import (
    MB,
    make_policy,
    make_registry,
    make_scan,
    make_service,
    make_violation,
)
from tests.dashboard.pages import HTMX, body, listed, queries_of, words

pytestmark = pytest.mark.django_db


def test_a_scan_shows_counts_bytes_duration_and_errors(reader: Client) -> None:
    scan = make_scan(
        make_registry("hub"), status=Scan.Status.PARTIAL, services=12, services_done=12, snapshots=7, tags=40,
        requests=1234, received_bytes=98 * MB, layers_indexed=5, error_count=1,
    )  # fmt: skip
    ScanError.objects.create(scan=scan, repository="shop/api", tag="1.0", message="The blob is <truncated>.")
    ScanError.objects.create(scan=scan, repository="charts", level="notice", message="A Helm chart.")
    text = words(body(reader.get(f"/scans/{scan.pk}/")))
    assert "12 / 12" in text
    assert "7 from 40 tags" in text
    assert "1,234 98 MB read" in text
    assert "5 1 error " in text
    assert "Took 42.0 s" in text
    assert "shop/api 1.0 error The blob is <truncated>." in text
    assert "left out A Helm chart." in text


def test_a_running_scan_asks_again_and_a_finished_one_does_not(reader: Client) -> None:
    scan = make_scan(make_registry(), status=Scan.Status.RUNNING, finished_at=None)
    page = body(reader.get(f"/scans/{scan.pk}/"))
    assert f'hx-get="/scans/{scan.pk}/" hx-trigger="every 2s"' in page
    Scan.objects.update(status=Scan.Status.DONE)
    partial = body(reader.get(f"/scans/{scan.pk}/", headers=HTMX))
    assert partial.startswith('<div id="progress"')
    assert "hx-trigger" not in partial


def test_a_running_scan_shows_what_its_lanes_read_the_rate_and_the_time_left(reader: Client) -> None:
    registry = make_registry("hub")
    scan = make_scan(
        registry, status=Scan.Status.RUNNING, started_at=timezone.now() - timedelta(seconds=100), finished_at=None,
        services=40, services_done=10, tags=100, requests=300, received_bytes=95 * MB, layers_indexed=20,
    )  # fmt: skip
    named = make_service("shop/api", registry=registry, name="Shop API")
    ScanLane.objects.create(
        scan=scan,
        number=0,
        service=named,
        tags=3,
        layers=1,
        requests=9,
        received_bytes=5 * MB,
        held_until=timezone.now(),
    )
    ScanLane.objects.create(scan=scan, number=1)
    text = words(body(reader.get(f"/scans/{scan.pk}/", headers=HTMX)))
    assert "Left about 5 minutes estimate" in text
    assert "from 103 tags" in text
    assert "Requests 309 100 MB read, 1 MB/s" in text or "Requests 309 100 MB read, 99" in text
    assert "Layers indexed 21" in text
    assert "Being read now 1 service at the same time" in text
    assert "Shop API shop/api 3 1 9 5 MB" in text
    Scan.objects.update(status=Scan.Status.DONE, finished_at=timezone.now())
    over = words(body(reader.get(f"/scans/{scan.pk}/", headers=HTMX)))
    assert "Being read now" not in over
    assert "Left" not in over


def test_a_paused_scan_says_why_and_when_it_goes_on(reader: Client) -> None:
    resume_at = timezone.now() + timedelta(minutes=3, seconds=10)
    scan = make_scan(
        make_registry(), status=Scan.Status.PAUSED, finished_at=None, resume_at=resume_at,
        message="Paused: hub.example.com allows no more requests now.", trigger=Scan.Trigger.PUSH,
    )  # fmt: skip
    page = body(reader.get(f"/scans/{scan.pk}/"))
    text = words(page)
    assert "Paused: hub.example.com allows no more requests now." in text
    assert f"at {timezone.localtime(resume_at):%H:%M} , in 3 minutes." in text
    assert "Started by push event" in text
    assert 'hx-trigger="every 10s"' in page
    assert "Paused" in words(body(reader.get("/scans/")))


@pytest.mark.parametrize("status", [Scan.Status.QUEUED, Scan.Status.RUNNING, Scan.Status.PAUSED])
def test_an_active_scan_is_cancelled_and_keeps_what_it_read(staff: Client, status: str) -> None:
    scan = make_scan(make_registry(), status=status, finished_at=None, services=12, services_done=5)
    assert f'action="/scans/{scan.pk}/cancel/"' in body(staff.get(f"/scans/{scan.pk}/"))
    page = body(staff.post(f"/scans/{scan.pk}/cancel/", follow=True))
    assert f"Scan {scan.pk} was cancelled. The results of 5 of 12 services are kept" in words(page)
    assert f"/scans/{scan.pk}/cancel/" not in page
    assert "hx-trigger" not in page
    scan.refresh_from_db()
    assert (scan.status, scan.services_done) == (Scan.Status.CANCELLED, 5)
    assert "Cancelled" in words(body(staff.get("/scans/")))
    again = words(body(staff.post(f"/scans/{scan.pk}/cancel/", follow=True)))
    assert f"Scan {scan.pk} was over already." in again


def test_a_scan_that_read_nothing_yet_says_so_when_it_is_cancelled(staff: Client) -> None:
    scan = make_scan(make_registry(), status=Scan.Status.RUNNING, finished_at=None, services=0, services_done=0)
    assert "It had finished no service" in words(body(staff.post(f"/scans/{scan.pk}/cancel/", follow=True)))


def test_only_those_who_may_scan_may_cancel(reader: Client) -> None:
    scan = make_scan(make_registry(), status=Scan.Status.RUNNING, finished_at=None)
    assert "/cancel/" not in body(reader.get(f"/scans/{scan.pk}/"))
    assert reader.post(f"/scans/{scan.pk}/cancel/").status_code == 403
    assert reader.get(f"/scans/{scan.pk}/cancel/").status_code == 405
    scan.refresh_from_db()
    assert scan.status == Scan.Status.RUNNING


def test_a_finished_scan_is_not_cancelled(staff: Client) -> None:
    scan = make_scan(make_registry())
    assert "was over already" in words(body(staff.post(f"/scans/{scan.pk}/cancel/", follow=True)))
    scan.refresh_from_db()
    assert scan.status == Scan.Status.DONE


def test_queries_of_a_scan_do_not_grow_with_its_lanes(staff: Client) -> None:
    registry = make_registry()
    scan = make_scan(registry, status=Scan.Status.RUNNING, finished_at=None)

    def add(number: int) -> None:
        ScanLane.objects.create(scan=scan, number=number, service=make_service(registry=registry))
        ScanError.objects.create(scan=scan, message="No.")

    add(0)
    few = queries_of(staff, f"/scans/{scan.pk}/", **HTMX)
    for number in range(1, 9):
        add(number)
    assert queries_of(staff, f"/scans/{scan.pk}/", **HTMX) == few


def test_a_scan_without_services_yet_says_what_it_does(reader: Client) -> None:
    scan = make_scan(make_registry(), status=Scan.Status.RUNNING, finished_at=None, services=0, services_done=0)
    text = words(body(reader.get(f"/scans/{scan.pk}/")))
    assert "looking for repositories" in text
    assert "Running for" in text
    Scan.objects.update(status=Scan.Status.QUEUED, started_at=None)
    assert "waiting for a worker" in words(body(reader.get(f"/scans/{scan.pk}/")))


def test_a_service_that_came_after_the_listing_is_counted(staff: Client) -> None:
    registry = make_registry()
    scan = make_scan(registry, status=Scan.Status.RUNNING, finished_at=None, services=1, services_done=2)
    for page in (f"/scans/{scan.pk}/", "/scans/", f"/registries/{registry.pk}/"):
        text = words(body(staff.get(page)))
        assert "2 / 2" in text
        assert "2 / 1" not in text
        assert "2 of 1" not in text
    assert "2 of 2 services are kept" in words(body(staff.post(f"/scans/{scan.pk}/cancel/", follow=True)))


def test_a_failed_scan_says_why_on_its_page_and_on_the_registries(reader: Client) -> None:
    reason = "https://hub.example.com refused the login: check the token."
    scan = make_scan(make_registry(), status=Scan.Status.FAILED, message=reason)
    assert reason in body(reader.get(f"/scans/{scan.pk}/"))
    assert reason in body(reader.get("/registries/"))


def test_registries_show_schedule_services_and_the_latest_scan_alone(staff: Client) -> None:
    crontab = CrontabSchedule.objects.create(minute="0", hour="3")
    registry = make_registry("hub", crontab=crontab)
    make_service(registry=registry)
    make_service(registry=registry, gone_at="2026-01-01T00:00Z")
    make_scan(registry, status=Scan.Status.FAILED, message="Long ago.")
    make_scan(registry, status=Scan.Status.DONE)
    page = body(staff.get("/registries/"))
    text = words(page)
    assert "At 03:00" in text
    assert f'href="/?registry={registry.pk}">1</a>' in page
    assert "Done" in text
    assert "Long ago." not in text
    assert f"/admin/fleet/registry/{registry.pk}/change/" in page


def test_a_secret_is_on_no_page(staff: Client) -> None:
    registry = make_registry("hub", username="robot", secret="hunter2")
    scan = make_scan(registry)
    for address in (
        "/",
        "/registries/",
        "/scans/",
        f"/scans/{scan.pk}/",
        f"/admin/fleet/registry/{registry.pk}/change/",
    ):
        assert "hunter2" not in body(staff.get(address)), address


def test_policies_count_services_not_limits(reader: Client) -> None:
    policy, service = make_policy("shops", owner="payments"), make_service("shop/api")
    make_violation(service, policy)
    make_violation(service, policy, kind="unpacked")
    make_violation(make_service("shop/web"), policy, level="warn")
    page = body(reader.get("/policies/"))
    first = page.split("<tbody>")[1]
    assert "shops owner payments – / 300 MB – / – 1 1" in words(first)
    assert listed(reader, address="/policies/") == ["shop/api", "shop/api", "shop/web"]
    assert "3 limits exceeded" in words(page)


def test_violations_sort(reader: Client) -> None:
    policy = make_policy()
    for name, size in (("b", 500), ("a", 700), ("c", 600)):
        make_violation(make_service(name), policy, measured_bytes=size * MB)
    assert listed(reader, "?sort=-measured", address="/policies/") == ["a", "c", "b"]
    assert listed(reader, "?sort=service", address="/policies/") == ["a", "b", "c"]


def test_readers_get_no_links_to_the_administration(reader: Client) -> None:
    make_violation(make_service(), make_policy())
    for address in ("/", "/registries/", "/policies/", "/scans/"):
        assert "/admin/" not in body(reader.get(address)), address


@pytest.mark.parametrize(("address", "first_step"), [
    ("/registries/", "Add a registry"), ("/scans/", "Go to the registries"), ("/policies/", "Add a policy"),
])  # fmt: skip
def test_empty_lists_name_the_next_step(staff: Client, address: str, first_step: str) -> None:
    assert first_step in words(body(staff.get(address)))


@pytest.mark.parametrize("address", ["/registries/", "/scans/", "/policies/"])
def test_queries_do_not_grow_with_rows(staff: Client, address: str) -> None:
    def add() -> None:
        registry = make_registry()
        make_scan(registry)
        make_violation(make_service(registry=registry), make_policy(registry=registry))

    add()
    few = queries_of(staff, address)
    for _ in range(8):
        add()
    assert queries_of(staff, address) == few
