"""The ranking, used: signing in, sorting and filtering without a full reload, themes, small screens."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from fleet.models import Service
from tests.dashboard.factories import MB, make_registry, make_service

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MARK, IS_MARKED = "window.notReloaded = true", "window.notReloaded === true"


@pytest.fixture
def fleet(live_server: object) -> list[Service]:
    """Thirty services, the first of which saves most."""
    registry = make_registry("hub")
    return [
        make_service(f"shop/s{at:02}", registry=registry, savings=(50 - at) * MB, owner="web" if at % 2 else "payments")
        for at in range(30)
    ]


def names(page: Page) -> list[str]:
    return page.locator("#ranking .service-name").all_inner_texts()


def test_signing_in_shows_the_ranking_and_signing_out_hides_it(stranger: Page, admin: User, fleet: object) -> None:
    stranger.goto("/")
    stranger.get_by_label("Username").fill("admin")
    stranger.get_by_label("Password").fill("secret-enough")
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.get_by_role("heading", name="Ranking")).to_be_visible()
    assert names(stranger)[0] == "shop/s00"
    stranger.locator("summary", has_text="Account menu").click()
    stranger.get_by_role("button", name="Sign out").click()
    expect(stranger.get_by_label("Username")).to_be_visible()
    stranger.goto("/")
    expect(stranger.get_by_label("Username")).to_be_visible()


def test_sorting_swaps_the_table_without_a_reload(page: Page, fleet: object) -> None:
    page.goto("/")
    page.evaluate(MARK)
    page.get_by_role("columnheader", name="Service").get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"\?sort=service$"))
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Service")
    page.get_by_role("columnheader", name="Service").get_by_role("link").click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Service")
    assert names(page)[0] == "shop/s29"
    assert page.evaluate(IS_MARKED)
    assert page.evaluate("document.activeElement.id") == "sort-service"


def test_filters_search_and_pages_combine_without_a_reload(page: Page, fleet: object) -> None:
    page.goto("/?sort=-service")
    page.evaluate(MARK)
    page.get_by_role("link", name="Page 2").click()
    expect(page.locator("#ranking .service-name")).to_have_count(5)
    page.get_by_label("Owner").select_option("payments")
    expect(page.get_by_text("15 services match")).to_be_visible()
    assert names(page)[0] == "shop/s28"
    page.get_by_label("Search").fill("s0")
    expect(page.get_by_text("5 services match", exact=True)).to_be_visible()
    assert names(page) == ["shop/s08", "shop/s06", "shop/s04", "shop/s02", "shop/s00"]
    expect(page).to_have_url(re.compile(r"/\?(?=.*search=s0)(?=.*owner=payments)(?=.*sort=-service)(?!.*registry=)"))
    assert page.evaluate(IS_MARKED)
    assert page.get_by_label("Search").input_value() == "s0"


def test_the_address_of_a_filtered_table_opens_the_same_table(page: Page, fleet: object) -> None:
    page.goto("/")
    page.get_by_label("Search").fill("s07")
    expect(page.get_by_text("1 service matches")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Search")).to_have_value("s07")
    assert names(page) == ["shop/s07"]


def test_going_back_from_a_service_shows_the_whole_page_again(page: Page, fleet: object) -> None:
    page.goto("/")
    page.get_by_label("Search").fill("s07")
    expect(page.get_by_text("1 service matches")).to_be_visible()
    page.get_by_role("link", name="shop/s07").click()
    expect(page.get_by_role("heading", name="shop/s07")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Ranking")).to_be_visible()
    expect(page.get_by_label("Main")).to_be_visible()
    assert names(page) == ["shop/s07"]


def test_a_session_that_ended_shows_the_sign_in_page_whole(page: Page, fleet: object) -> None:
    page.goto("/")
    page.context.clear_cookies()
    page.get_by_role("columnheader", name="Service").get_by_role("link").click()
    expect(page.get_by_label("Password")).to_be_visible()
    expect(page.locator("#ranking")).to_have_count(0)


def test_a_failure_of_the_server_leaves_the_table_and_is_told(page: Page, fleet: object) -> None:
    page.goto("/")
    page.route("**/?sort=service", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    page.get_by_role("columnheader", name="Service").get_by_role("link").click()
    expect(page.get_by_text("That did not work.")).to_be_visible()
    assert names(page)[0] == "shop/s00"
    page.get_by_role("columnheader", name="Owner").get_by_role("link").click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Owner")
    expect(page.get_by_text("That did not work.")).to_have_count(0)


def test_the_theme_follows_the_system_until_it_is_chosen_and_is_kept(page: Page, fleet: object) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_role("button", name="Use the light theme").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


@pytest.mark.parametrize("address", ["/", "/registries/", "/scans/", "/policies/"])
def test_nothing_sticks_out_of_a_small_screen(page: Page, fleet: object, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("width", [1200, 1360])
def test_the_table_fits_without_a_scrollbar(page: Page, width: int) -> None:
    make_service(
        "payments/settlement", owner="Team Developer Experience", savings=1 * MB, tags=("1", "2026.11.19"),
        policy_state="warn", registry=make_registry("Sample fleet", is_sample=True),
    )  # fmt: skip
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/")
    assert page.evaluate("(box => box.scrollWidth - box.clientWidth)(document.querySelector('#ranking .scroll'))") == 0
    expect(page.get_by_text("2026.11.19")).to_be_in_viewport()


def test_headers_stand_over_their_columns_where_some_are_hidden(page: Page, fleet: object) -> None:
    page.set_viewport_size({"width": 1000, "height": 800})
    page.goto("/")
    ends = "row => { const cells = [...row.cells].filter(c => c.offsetWidth); return cells.at(-1).offsetLeft; }"
    assert page.locator("#ranking thead tr").evaluate(ends) == page.locator("#ranking tbody tr").first.evaluate(ends)


def test_the_ranking_works_without_scripts(
    page: Page, browser: Browser, live_server: LiveServer, fleet: object
) -> None:
    context = browser.new_context(
        java_script_enabled=False, storage_state=page.context.storage_state(), base_url=live_server.url
    )
    plain = context.new_page()
    plain.goto("/")
    plain.get_by_label("Owner").select_option("web")
    plain.get_by_role("button", name="Filter").click()
    assert all(int(name[-2:]) % 2 for name in names(plain))
    plain.get_by_role("columnheader", name="Service").get_by_role("link").click()
    assert names(plain)[0] == "shop/s01"
    context.close()


def test_the_keyboard_reaches_the_content_first(page: Page, fleet: object) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('main').contains(document.activeElement)")
