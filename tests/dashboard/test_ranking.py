"""The ranking: order, filters, pages, and what hostile names do to it."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from fleet.models import Scan, Service
from tests.dashboard.factories import MB, make_registry, make_scan, make_service
from tests.dashboard.pages import HTMX, body, listed, queries_of, words

pytestmark = pytest.mark.django_db
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


def test_most_bytes_to_save_come_first_and_unknown_ones_last(reader: Client) -> None:
    make_service("unknown")
    make_service("little", savings=1 * MB)
    make_service("much", savings=200 * MB)
    assert listed(reader) == ["much", "little", "unknown"]
    assert listed(reader, "?sort=savings") == ["little", "much", "unknown"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("service", ["a", "b", "c"]),
        ("-service", ["c", "b", "a"]),
        ("owner", ["b", "c", "a"]),
        ("runtime", ["c", "b", "a"]),
        ("compressed", ["a", "c", "b"]),
        ("-unpacked", ["b", "c", "a"]),
        ("percent", ["b", "a", "c"]),
        ("-newest", ["b", "a", "c"]),
    ],
)
def test_columns_sort(reader: Client, sort: str, expected: list[str]) -> None:
    make_service("a", owner="z", runtime="python", sizes=(10 * MB,) * 2, savings=5 * MB)
    make_service("b", owner="x", runtime="node", sizes=(90 * MB,) * 3, savings=9 * MB)
    make_service("c", owner="y", runtime="go", sizes=(40 * MB,))
    assert listed(reader, f"?sort={sort}") == expected


@pytest.mark.parametrize(
    "query",
    ["?sort=registry__secret", "?sort=;drop", "?sort=--savings", "?sort=", "?sort=-", "?sort=trend", "?page=-3",
     "?page=nine", "?page=99999999999999999999", "?per_page=1000000", "?per_page=-1", "?registry=x", "?registry=999",
     "?owner=nobody", "?policy='", "?search=%00", f"?search={'a' * 300}", "?sort=%F0%9F%92%A5&page=&per_page="],
)  # fmt: skip
def test_parameters_that_make_no_sense_change_nothing(reader: Client, query: str) -> None:
    make_service("b", savings=1)
    make_service("a", savings=2)
    assert listed(reader, query) == ["a", "b"]


def test_the_sorted_column_says_so_to_a_screen_reader(reader: Client) -> None:
    make_service()
    head = body(reader.get("/?sort=service")).split("<tbody>")[0]
    assert re.findall(r'aria-sort="(\w+)"[^>]*>\s*<a id="sort-(\w+)"', head)[0] == ("ascending", "service")
    assert head.count('aria-sort="ascending"') == 1
    assert 'aria-sort="descending"' not in head


def test_filters_combine_with_each_other_and_with_the_order(reader: Client) -> None:
    hub, mirror = make_registry("hub"), make_registry("mirror")
    make_service("shop/api", registry=hub, savings=1, policy_state="fail")
    make_service("shop/web", registry=hub, savings=2, policy_state="fail")
    make_service("shop/old", registry=hub, savings=3, policy_state="ok")
    make_service("shop/go", registry=hub, savings=4, policy_state="fail", runtime="go")
    make_service("shop/far", registry=mirror, savings=5, policy_state="fail")
    make_service("shop/theirs", registry=hub, savings=6, policy_state="fail", owner="web")
    query = f"?registry={hub.pk}&owner=payments&runtime=python&policy=fail&search=SHOP&sort=savings"
    assert listed(reader, query) == ["shop/api", "shop/web"]


def test_search_finds_repositories_and_owners(reader: Client) -> None:
    make_service("shop/api", owner="web")
    make_service("ledger/core", owner="shopkeepers")
    make_service("other", owner="web")
    assert set(listed(reader, "?search=shop")) == {"shop/api", "ledger/core"}


def test_a_name_stands_for_the_repository_and_both_are_found(reader: Client) -> None:
    make_service("team/zebra", name="Accounts", savings=3)
    make_service("team/middle", savings=2)
    make_service("team/alpha", name="Zoo", savings=1)
    assert listed(reader) == ["Accounts", "team/middle", "Zoo"]
    assert "team/zebra · " in body(reader.get("/"))
    assert listed(reader, "?search=zebra") == ["Accounts"]
    assert listed(reader, "?search=ACCOUNT") == ["Accounts"]
    assert listed(reader, "?sort=service") == ["Accounts", "team/middle", "Zoo"]
    assert listed(reader, "?sort=-service") == ["Zoo", "team/middle", "Accounts"]


def test_services_that_are_gone_or_not_weighed_are_left_out(reader: Client) -> None:
    make_service("here")
    make_service("gone", gone_at="2026-01-01T00:00Z")
    Service.objects.create(registry=make_registry(), repository="new", platform="linux/amd64")
    assert listed(reader) == ["here"]


def test_pages_show_every_service_once_even_where_the_order_ties(reader: Client) -> None:
    registry = make_registry()
    names = {make_service(f"s{at:02}", registry=registry, sizes=(MB,), savings=7).repository for at in range(60)}
    pages = [listed(reader, f"?page={page}") for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [25, 25, 10]
    assert {name for page in pages for name in page} == names
    assert len(listed(reader, "?per_page=50")) == 50


def test_a_page_number_keeps_filters_and_order(reader: Client) -> None:
    registry = make_registry()
    for at in range(30):
        make_service(f"s{at:02}", registry=registry, sizes=(MB,))
    page = body(reader.get("/?owner=payments&sort=service"))
    assert 'href="?owner=payments&amp;sort=service&amp;page=2"' in page


def test_htmx_gets_the_table_alone_and_a_clean_address(reader: Client) -> None:
    make_service("shop/api")
    response = reader.get("/?search=shop&owner=&registry=&sort=service&per_page=25", headers=HTMX)
    page = body(response)
    assert page.startswith('<div id="ranking"')
    assert "<html" not in page
    assert "shop/api" in page
    assert response.headers["HX-Push-Url"] == "/?search=shop&sort=service&per_page=25"


def test_the_table_alone_never_passes_for_the_page_in_a_cache(reader: Client) -> None:
    make_service()
    for headers in ({}, HTMX):
        assert "HX-Request-Type" in reader.get("/", headers=headers).headers["Vary"]


def test_the_head_sums_up_the_fleet(reader: Client) -> None:
    registry = make_registry("hub")
    make_service(registry=registry, sizes=(100 * MB,), savings=60 * MB, policy_state="fail")
    make_service(registry=registry, sizes=(300 * MB,), savings=40 * MB, policy_state="warn")
    make_scan(registry, status=Scan.Status.PARTIAL)
    head = words(body(reader.get("/")).split('id="filters"')[0])
    assert "Services 2" in head
    assert "Fleet, compressed 400 MB measured" in head
    assert "Could save 100 MB estimate , 25 % of the fleet" in head
    assert "Over policy 1 1 warning" in head
    assert "Done with errors hub" in head


def test_a_row_says_which_figures_are_estimates_and_from_where(reader: Client) -> None:
    service = make_service(
        "shop/api", sizes=(310 * MB, 402 * MB), savings=201 * MB, registry=make_registry("hub", is_sample=True)
    )
    page = body(reader.get("/"))
    row = page[page.index(f'<tr id="service-{service.pk}"') :].split("</tr>")[0]
    assert "2 snapshots, 310\xa0MB → 402\xa0MB" in row
    text = words(row)
    assert "hub Sample payments" in text
    assert "Python 3.12.4 402 MB 1.21 GB" in text
    assert "201 MB 50 % suggested Dockerfile" in text
    assert '<span class="kind" title="estimate">' in row
    assert 'title="402,000,000 bytes"' in row


@pytest.mark.parametrize(
    ("savings", "told"), [(0, "nothing to save"), (11_003, "< 0.1 MB"), (None, "not analysed yet")]
)
def test_crumbs_get_a_word_instead_of_a_bar(reader: Client, savings: int | None, told: str) -> None:
    make_service(savings=savings)
    row = body(reader.get("/")).split("<tbody>")[1].split("</tr>")[0]
    assert told in words(row)
    assert "bar-save" not in row


def test_hostile_text_stays_text(reader: Client) -> None:
    make_service(EVIL, owner=EVIL[:100], runtime_version="<b>", tags=("<i>", "<i>"), registry=make_registry(EVIL))
    for headers in ({}, HTMX):
        page = body(reader.get("/", {"search": "<script>"}, headers=headers))
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_no_match_offers_to_clear_the_filters(reader: Client) -> None:
    make_service("shop/api")
    assert "Clear the filters" in words(body(reader.get("/?search=nothing")))


def test_an_empty_installation_says_what_to_do_first(staff: Client) -> None:
    page = body(staff.get("/"))
    assert "No registry yet" in page
    assert "/admin/fleet/registry/add/" in page


def test_configured_but_not_scanned_leads_to_the_registries(reader: Client) -> None:
    make_registry()
    assert "No service weighed yet" in body(reader.get("/"))


@pytest.mark.parametrize("address", ["/", "/ranking.csv"])
def test_queries_do_not_grow_with_the_fleet(reader: Client, address: str) -> None:
    make_service(savings=1)
    few = queries_of(reader, address)
    for _ in range(12):
        make_service(savings=1)
    assert queries_of(reader, address) == few


def test_secrets_of_registries_are_not_read_for_a_list(reader: Client, django_assert_max_num_queries) -> None:
    make_service(registry=make_registry("hub", secret="hunter2", client_key="k3y", push_secret="p"))
    with django_assert_max_num_queries(20) as captured:
        body(reader.get("/"))
    for column in ("secret", "client_key", "push_secret"):
        assert not [query for query in captured if f'"{column}"' in query["sql"]]
