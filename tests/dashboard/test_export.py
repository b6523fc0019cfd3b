"""The ranking as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.test import Client

from dashboard.export import neutralised
from tests.dashboard.factories import MB, make_registry, make_service

pytestmark = pytest.mark.django_db


def rows_of(response: Any) -> list[dict[str, str]]:
    assert response.streaming
    return list(csv.DictReader(io.StringIO(b"".join(response).decode())))


def test_the_file_holds_the_filtered_services_in_the_order_of_the_page(reader: Client) -> None:
    registry = make_registry("hub")
    for at in range(60):
        make_service(f"s{at:02}", registry=registry, sizes=(MB,), savings=at)
    make_service("theirs", owner="web", savings=999)
    rows = rows_of(reader.get("/ranking.csv?owner=payments&sort=-service"))
    assert [row["service"] for row in rows] == [f"s{at:02}" for at in reversed(range(60))]


def test_sizes_are_bytes_and_unknown_ones_are_empty(reader: Client) -> None:
    make_service("known", sizes=(402 * MB,), savings=201 * MB, tags=("2.1",))
    make_service("unknown")
    known, unknown = rows_of(reader.get("/ranking.csv"))
    assert known["compressed_bytes"] == "402000000"
    assert known["savings_percent"] == "50.0"
    assert known["savings_source"] == "suggestion"
    assert known["newest_tag"] == "2.1"
    assert unknown["savings_compressed_bytes"] == unknown["savings_percent"] == ""


def test_a_service_has_its_name_and_its_repository(reader: Client) -> None:
    make_service("team/shop-api", name="Shop API", savings=2)
    make_service("team/ledger", savings=1)
    named, plain = rows_of(reader.get("/ranking.csv"))
    assert (named["service"], named["repository"]) == ("Shop API", "team/shop-api")
    assert (plain["service"], plain["repository"]) == ("team/ledger", "team/ledger")


def test_a_name_never_becomes_a_formula(reader: Client) -> None:
    make_service("=cmd|' /C calc'!A0", owner="@SUM(1)", tags=("-2+3", "+1"))
    (row,) = rows_of(reader.get("/ranking.csv"))
    assert row["service"] == "'=cmd|' /C calc'!A0"
    assert row["owner"] == "'@SUM(1)"
    assert row["newest_tag"] == "'+1"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_every_formula_start_is_neutralised_and_numbers_stay(start: str) -> None:
    assert neutralised([f"{start}1", -5, None, "a=b"]) == [f"'{start}1", -5, None, "a=b"]


def test_the_browser_saves_it(reader: Client) -> None:
    response = reader.get("/ranking.csv")
    assert response.headers["Content-Disposition"] == 'attachment; filename="plimsoll-ranking.csv"'
    assert response.headers["Content-Type"].startswith("text/csv")
