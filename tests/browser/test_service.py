"""A service's page, used: the chart, the tabs, the Dockerfile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from fleet.models import Service
from tests.dashboard.factories import (
    DOCKERFILE,
    MB,
    make_analysis,
    make_finding,
    make_policy,
    make_service,
    make_suggestion,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def service(live_server: LiveServer) -> Service:
    service = make_service("shop/api", sizes=(310 * MB, 402 * MB), savings=200 * MB, tags=("1.0", EVIL))
    make_finding(make_analysis(service), paths=["/var/cache/apt/archives/gcc.deb"])
    make_policy("shops")
    make_suggestion(service, "rebuild", dockerfile="FROM scratch\n")
    make_suggestion(service, "repack")
    make_suggestion(
        service, "repack", tier="scratch", dockerfile="FROM scratch AS tiny\n", buildkit_dockerfile="# BuildKit\n"
    )
    return service


@pytest.fixture
def opened(page: Page, service: Service) -> Page:
    page.goto(f"/services/{service.pk}/")
    return page


def visible(page: Page) -> Locator:
    """The one form of the one suggestion that is open."""
    return page.locator(".code [role=tabpanel]:visible")


def test_the_ranking_leads_to_the_chart(page: Page, service: Service) -> None:
    page.goto("/")
    page.get_by_role("link", name="shop/api").click()
    drawing = page.locator("#trend-chart canvas")
    expect(drawing).to_be_visible()
    assert (
        page.evaluate(
            """() => {
            const canvas = document.querySelector("#trend-chart canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
        }"""
        )
        > 10
    )


def test_the_chart_s_tip_shows_a_hostile_tag_as_text(opened: Page) -> None:
    chart = opened.locator("#trend-chart")
    expect(chart.locator("canvas")).to_be_visible()
    box = chart.bounding_box()
    assert box is not None
    opened.wait_for_timeout(600)  # the drawing grows for a moment
    opened.mouse.move(box["x"] + box["width"] - 60, box["y"] + box["height"] / 2)
    expect(opened.locator(".chart-tooltip")).to_contain_text(EVIL)
    expect(opened.locator(".chart-tooltip")).to_contain_text("402 MB")
    expect(opened.locator(".chart-tooltip img")).to_have_count(0)


def test_the_chart_is_a_table_on_request(opened: Page) -> None:
    expect(opened.get_by_role("table", name="Snapshots, newest first")).to_be_hidden()
    opened.get_by_role("tab", name="Chart").focus()
    opened.keyboard.press("ArrowRight")
    table = opened.get_by_role("table", name="Snapshots, newest first")
    expect(table).to_be_visible()
    expect(table).to_contain_text("+92 MB")
    expect(opened.locator("#trend-chart")).to_be_hidden()


def test_the_copied_dockerfile_is_the_suggested_one(opened: Page, live_server: LiveServer) -> None:
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    opened.get_by_role("tab", name="Repack").click()
    visible(opened).get_by_role("button", name="Copy").click()
    expect(opened.get_by_text("Copied")).to_be_visible()
    assert opened.evaluate("navigator.clipboard.readText()") == DOCKERFILE
    expect(opened.get_by_text("Copied")).to_be_hidden()


def test_without_a_clipboard_the_dockerfile_is_selected(opened: Page) -> None:
    opened.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    visible(opened).get_by_role("button", name="Copy").click()
    expect(opened.get_by_text("Press Ctrl+C")).to_be_visible()
    assert opened.evaluate("getSelection().toString().trim()") == "FROM scratch"


def test_the_dockerfile_downloads(opened: Page) -> None:
    opened.get_by_role("tab", name="Repack").click()
    with opened.expect_download() as download:
        visible(opened).get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "Dockerfile"
    assert Path(download.value.path()).read_text() == DOCKERFILE


def test_a_rung_opens_in_place_and_the_address_names_it(opened: Page) -> None:
    opened.evaluate("window.still = true")
    opened.get_by_role("tab", name="Repack").click()
    expect(opened).to_have_url(re.compile(r"\?mode=repack#suggestions$"))
    expect(visible(opened).locator("code")).to_contain_text("registry.example.com/app")
    rung = opened.get_by_role("link", name="Scratch")
    rung.focus()
    opened.keyboard.press("Enter")
    expect(rung).to_have_attribute("aria-current", "true")
    expect(opened.locator("#mode-repack [aria-current]")).to_have_count(1)
    expect(visible(opened).locator("code")).to_have_text("FROM scratch AS tiny")
    expect(opened).to_have_url(re.compile(r"\?mode=repack&tier=scratch#suggestions$"))
    assert opened.evaluate("window.still")
    opened.reload()
    expect(visible(opened).locator("code")).to_have_text("FROM scratch AS tiny")


def test_the_modes_and_forms_are_reached_by_arrow_keys(opened: Page) -> None:
    opened.get_by_role("tab", name="Rebuild").focus()
    opened.keyboard.press("ArrowLeft")
    expect(opened.get_by_role("tab", name="Repack")).to_be_focused()
    opened.get_by_role("link", name="Scratch").click()
    opened.locator("[role=tab]:visible", has_text="Portable").focus()
    opened.keyboard.press("ArrowRight")
    expect(visible(opened).locator("code")).to_have_text("# BuildKit")
    opened.keyboard.press("End")
    expect(visible(opened).locator("code")).to_contain_text("# A smaller image for shop/api: scratch")


def test_without_scripts_the_rungs_are_links(
    page: Page, service: Service, browser: Browser, live_server: LiveServer
) -> None:
    state = page.context.storage_state()
    plain = browser.new_context(base_url=live_server.url, java_script_enabled=False, storage_state=state)
    bare = plain.new_page()
    bare.goto(f"/services/{service.pk}/")
    bare.get_by_role("tab", name="Repack").click()
    bare.get_by_role("link", name="Scratch").click()
    expect(bare.locator("code", has_text="FROM scratch AS tiny").first).to_be_visible()
    expect(bare.locator("code", has_text="# BuildKit").first).to_be_visible()
    plain.close()


def test_paths_of_a_finding_open(opened: Page) -> None:
    path = opened.get_by_text("/var/cache/apt/archives/gcc.deb")
    expect(path).to_be_hidden()
    opened.get_by_text("1 path", exact=True).click()
    expect(path).to_be_visible()


def test_the_whole_dockerfile_can_be_read(page: Page, live_server: LiveServer) -> None:
    service = make_service()
    make_suggestion(service, dockerfile=f"FROM {'a' * 300}\n" + "RUN true\n" * 200 + "CMD last\n")
    page.goto(f"/services/{service.pk}/")
    code = page.locator("#suggestions pre:visible")
    assert code.evaluate("box => box.scrollHeight > box.clientHeight && box.scrollWidth > box.clientWidth")
    last = code.locator(".s-instruction").last
    last.scroll_into_view_if_needed()
    expect(last).to_have_text("CMD")
    expect(last).to_be_in_viewport()


def test_the_page_fits_a_small_screen_in_both_themes(opened: Page) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    for scheme in ("light", "dark"):
        opened.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        opened.reload()
        expect(opened.locator("#trend-chart canvas")).to_be_visible()
        assert opened.evaluate("document.documentElement.scrollWidth") == 390
