"""Why an image grew, in a real browser: the tip of the chart, the table, and the page that compares."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from fleet.analysis.growth import Cause, Growth
from fleet.image.sizes import Sizes
from fleet.models import Service
from fleet.snapshots import write_growth
from tests.dashboard.factories import MB, make_image, make_service

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def service(live_server: LiveServer) -> Service:
    service = make_service("shop/api", sizes=(310 * MB, 402 * MB))
    causes = (
        Cause("package", "changed", "chromium 120 → 121", Sizes(160 * MB, 60 * MB), "Debian package"),
        Cause("files", "added", EVIL, Sizes(90 * MB, 32 * MB), "RUN make"),
    )
    first = service.snapshots.order_by("taken_at")[0]
    first.image = make_image()  # of one image under two tags there is nothing to compare
    first.save()
    before, after = service.snapshots.select_related("image")
    assert write_growth(before, after, Growth(Sizes(250 * MB, 92 * MB), causes, by_files=True))
    return service


def test_the_tip_of_the_chart_names_the_causes_as_text(page: Page, service: Service) -> None:
    page.goto(f"/services/{service.pk}/")
    chart = page.locator("#trend-chart")
    expect(chart.locator("canvas")).to_be_visible()
    box = chart.bounding_box()
    assert box is not None
    page.wait_for_timeout(600)  # the drawing grows for a moment
    page.mouse.move(box["x"] + box["width"] - 60, box["y"] + box["height"] / 2)
    tip = page.locator(".chart-tooltip")
    expect(tip).to_contain_text(f"+92 MB: chromium 120 → 121 (+60 MB), {EVIL} (+32 MB)")
    expect(tip.locator("img")).to_have_count(0)


def test_the_table_opens_all_causes_and_leads_to_the_comparison(page: Page, service: Service) -> None:
    page.goto(f"/services/{service.pk}/")
    page.get_by_role("tab", name="Table").click()
    table = page.get_by_role("table", name="Snapshots, newest first")
    causes = table.locator("details").first
    expect(causes.locator("li").nth(1)).to_be_hidden()
    causes.locator("summary").click()
    expect(causes.locator("li").nth(1)).to_contain_text(EVIL)
    table.get_by_role("link", name="Compare 1.1 with 1.0").click()
    expect(page.get_by_role("heading", name="Compare two releases")).to_be_visible()
    expect(page.get_by_label("From")).to_contain_text("1.0")
