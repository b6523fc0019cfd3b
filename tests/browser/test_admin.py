"""What an administrator does: add a registry and scan it, set a policy and see the flag."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from fleet.celery import app
from fleet.models import Scan
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
