"""The one row of bandwidth and prices, as an administrator keeps it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from fleet.dockerfile.benefits import DEFAULT_BANDWIDTH_MBIT, Tariff
from fleet.models import Prices

pytestmark = pytest.mark.django_db
ADD = reverse("admin:fleet_prices_add")
LIST = reverse("admin:fleet_prices_changelist")


@pytest.fixture(autouse=True)
def plain_http(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = False


def values(**fields: str) -> dict[str, str]:
    empty = {"storage_gb_month": "", "transfer_gb": "", "pulls_per_replica_month": "", "currency": ""}
    return {"bandwidth_mbit": "100", **empty, **fields}


def test_until_somebody_says_so_there_are_no_prices() -> None:
    assert Prices.tariff() == Tariff(DEFAULT_BANDWIDTH_MBIT)
    assert not Prices.tariff().knows_costs


def test_there_is_one_row(admin_client: Client) -> None:
    assert admin_client.get(LIST).headers["Location"] == ADD
    assert admin_client.post(ADD, values(storage_gb_month="0.023", currency="USD")).status_code == 302
    assert admin_client.get(ADD).status_code == 403
    change = reverse("admin:fleet_prices_change", args=[Prices.ONLY])
    assert admin_client.get(LIST).headers["Location"] == change
    admin_client.post(change, values(bandwidth_mbit="1000", transfer_gb="0.09", pulls_per_replica_month="30"))
    assert Prices.tariff() == Tariff(1000, None, Decimal("0.09"), Decimal(30), "")
    assert Prices.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"bandwidth_mbit": "0"}, "greater than or equal to 1"),
        ({"storage_gb_month": "-1"}, "greater than or equal to 0"),
        ({"transfer_gb": "1"}, "Say how often a replica is pulled"),
        ({"pulls_per_replica_month": "1"}, "Say what a transferred GB costs"),
    ],
)
def test_what_makes_no_sense_is_refused(admin_client: Client, fields: dict[str, str], sentence: str) -> None:
    assert sentence in admin_client.post(ADD, values(**fields)).content.decode()
    assert not Prices.objects.exists()


def test_who_may_not_change_prices_sees_none(client: Client, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("reader", password="x", is_staff=True)
    client.force_login(user)
    assert client.get(LIST).status_code == 403
    assert client.post(ADD, values()).status_code == 403
