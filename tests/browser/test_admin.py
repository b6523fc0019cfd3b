"""What an administrator does: add a registry and scan it, set a policy and see the flag."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from fleet.celery import app
from fleet.models import Scan, ScanLane
from fleet.models.push import push_url
from tests.dashboard.factories import MB, make_registry, make_scan, make_service
from tests.fakes.pushable import PushableRegistry, day, image

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def hub() -> Iterator[PushableRegistry]:
    with PushableRegistry({"team/app": {"1.0": image(day(0)), "1.1": image(day(7), app=b"x" * 9000)}}) as registry:
        yield registry


@pytest.fixture
def at_once() -> Iterator[None]:
    """Tasks run in the request that sends them; a worker of its own has the end-to-end test."""
    before = app.conf.task_always_eager
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = before


def test_an_added_registry_is_scanned_and_its_services_are_ranked(
    page: Page, live_server: LiveServer, hub: PushableRegistry, at_once: None
) -> None:
    page.goto("/")
    page.get_by_role("link", name="Add a registry").click()
    page.get_by_label("Name:", exact=True).fill("hub")
    page.get_by_label("URL:", exact=True).fill(hub.url)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    page.goto("/registries/")
    page.get_by_role("button", name="Scan now hub").click()
    expect(page.get_by_role("heading", name="of hub")).to_be_visible()
    expect(page.locator("#progress").get_by_text("Done", exact=True)).to_be_visible()
    page.get_by_role("link", name="Its services in the ranking").click()
    page.get_by_role("link", name="team/app").click()
    expect(page.get_by_role("heading", name="team/app")).to_be_visible()
    expect(page.locator("#trend-chart canvas")).to_be_visible()
    expect(page.locator("#findings")).to_contain_text("/var/cache/apt/archives/gcc.deb")


def test_a_policy_flags_services_on_the_ranking_and_on_their_pages(page: Page, live_server: LiveServer) -> None:
    service = make_service("shop/api", sizes=(402 * MB,))
    page.goto("/policies/")
    page.get_by_role("link", name="Add a policy").first.click()
    page.get_by_label("Name:", exact=True).fill("shops")
    page.get_by_label("Fail above (compressed)").fill("300 MB")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    page.goto("/?policy=fail")
    row = page.locator(f"#service-{service.pk}")
    expect(row).to_contain_text("Over policy")
    row.get_by_role("link", name="shop/api").click()
    expect(page.locator(".facts")).to_contain_text("Over policy")
    expect(page.get_by_text("compressed 402 MB, limit 300 MB")).to_be_visible()


def test_a_running_scan_is_followed_to_its_end(page: Page, live_server: LiveServer) -> None:
    scan = make_scan(make_registry("hub"), status=Scan.Status.RUNNING, services=3, services_done=1, finished_at=None)
    page.goto(f"/scans/{scan.pk}/")
    page.evaluate("window.notReloaded = true")
    expect(page.locator("#progress")).to_contain_text("1 / 3")
    Scan.objects.filter(pk=scan.pk).update(services_done=2, requests=1234)
    expect(page.locator("#progress")).to_contain_text("2 / 3")
    expect(page.locator("#progress")).to_contain_text("1,234")
    Scan.objects.filter(pk=scan.pk).update(status=Scan.Status.DONE, services_done=3)
    expect(page.locator("#progress")).to_contain_text("3 / 3")
    expect(page.locator("#progress[hx-trigger]")).to_have_count(0)
    assert page.evaluate("window.notReloaded === true")


def test_a_scan_shows_what_it_reads_and_is_cancelled_with_a_click(page: Page, live_server: LiveServer) -> None:
    registry = make_registry("hub")
    scan = make_scan(registry, status=Scan.Status.RUNNING, services=3, services_done=1, finished_at=None)
    lane = ScanLane.objects.create(scan=scan, number=0, service=make_service("shop/api", registry=registry), layers=2)
    page.goto(f"/scans/{scan.pk}/")
    progress = page.locator("#progress")
    expect(progress.get_by_role("row", name="shop/api")).to_be_visible()
    page.get_by_role("button", name="Cancel").focus()
    page.evaluate("window.notReloaded = true")
    ScanLane.objects.filter(pk=lane.pk).update(received_bytes=31 * MB)
    expect(progress.get_by_role("row", name="shop/api")).to_contain_text("31 MB")
    # The page under the keyboard was exchanged, and the keyboard is still where it was.
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    assert page.evaluate("window.notReloaded === true")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The results of 1 of 3 services are kept")).to_be_visible()
    expect(progress.get_by_text("Cancelled", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.locator("#progress[hx-trigger]")).to_have_count(0)


def test_a_paused_scan_goes_on_under_the_eyes_of_who_waits(page: Page, live_server: LiveServer) -> None:
    resume_at = timezone.now() + timedelta(minutes=5)
    scan = make_scan(make_registry(), status=Scan.Status.PAUSED, resume_at=resume_at, finished_at=None)
    page.goto(f"/scans/{scan.pk}/")
    expect(page.get_by_text("It goes on at")).to_be_visible()
    Scan.objects.filter(pk=scan.pk).update(status=Scan.Status.RUNNING, resume_at=None)
    expect(page.locator("#progress").get_by_text("Running", exact=True)).to_be_visible()


def test_a_registry_is_tested_edited_and_given_a_push_secret_from_its_page(
    page: Page, live_server: LiveServer, hub: PushableRegistry
) -> None:
    registry = make_registry("hub", url=hub.url)
    page.goto("/registries/")
    page.get_by_role("link", name="hub", exact=True).click()
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("hub answers and lists 1 repository.")).to_be_visible()
    page.get_by_role("link", name="Make a secret").click()
    page.get_by_label("Make a new secret").check()
    page.get_by_role("button", name="Save", exact=True).click()
    registry.refresh_from_db()
    expect(page.get_by_text(registry.push_secret)).to_be_visible()
    page.goto(f"/registries/{registry.pk}/")
    expect(page.get_by_text(f"{live_server.url}/events/{registry.pk}/", exact=True)).to_be_visible()
    expect(page.locator("#push-url-with-token")).to_be_hidden()
    page.get_by_text("For a sender that takes a URL alone").click()
    expect(page.locator("#push-url-with-token")).to_contain_text(push_url(registry))
    assert registry.push_secret not in page.content()


def test_a_mistake_in_a_folded_part_of_the_form_unfolds_it(page: Page, live_server: LiveServer) -> None:
    page.goto("/admin/fleet/registry/add/")
    page.get_by_label("Name:", exact=True).fill("hub")
    page.get_by_label("URL:", exact=True).fill("https://registry.example.com")
    key = page.get_by_label("Key of the client certificate")
    expect(key).to_be_hidden()
    page.get_by_text("Certificates and plain HTTP").click()
    key.fill("-----BEGIN PRIVATE KEY-----")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The key has no certificate.")).to_be_visible()
    expect(key).to_be_empty()


@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_of_registries_and_scans_fit(page: Page, live_server: LiveServer, width: int) -> None:
    registry = make_registry("a-registry-with-a-long-name." * 3, push_secret="a-push-secret-of-our-own")
    service = make_service("team/backend/" + "long-name" * 10, registry=registry, name="Shop API")
    scan = make_scan(registry, status=Scan.Status.RUNNING, finished_at=None, message="word " * 60)
    ScanLane.objects.create(scan=scan, number=0, service=service)
    make_scan(registry, status=Scan.Status.FAILED, message="word " * 60)
    page.set_viewport_size({"width": width, "height": 850})
    for address in ("/registries/", f"/registries/{registry.pk}/", "/scans/", f"/scans/{scan.pk}/"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") == width, address
