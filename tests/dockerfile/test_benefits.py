"""Seconds, money and bytes, reckoned by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from fleet.dockerfile.benefits import Load, Stack, Tariff, monthly_cost, pull_seconds, weigh

GB = 10**9
MB = 10**6


def test_a_pull_takes_its_bits_over_the_bandwidth() -> None:
    assert pull_seconds(100 * MB, 100) == 8
    assert pull_seconds(1 * GB, 1000) == 8


@pytest.mark.parametrize(
    ("tariff", "expected"),
    [
        (Tariff(), None),
        (Tariff(transfer_gb=Decimal("0.09")), None),
        (Tariff(pulls_per_replica_month=Decimal(30)), None),
        (Tariff(storage_gb_month=Decimal("0.10")), Decimal("0.05")),
        (Tariff(transfer_gb=Decimal("0.09"), pulls_per_replica_month=Decimal(30)), Decimal("5.40")),
        (Tariff(100, Decimal("0.10"), Decimal("0.09"), Decimal(30)), Decimal("5.45")),
        (Tariff(storage_gb_month=Decimal(0)), Decimal(0)),
    ],
)
def test_only_what_an_administrator_priced_costs(tariff: Tariff, expected: Decimal | None) -> None:
    assert monthly_cost(500 * MB, 4, tariff) == expected


def test_shared_blobs_are_stored_once_a_scope_and_pulled_once_a_host() -> None:
    shop = Stack("hub", {"base": 30, "shop": 70}, replicas=3)
    web = Stack("hub", {"base": 30, "web": 10}, replicas=5)
    far = Stack("mirror", {"base": 30, "far": 1}, replicas=1)
    assert weigh([shop]) == Load(100, 300)
    assert weigh([shop, web]) == Load(110, 5 * 30 + 3 * 70 + 5 * 10)
    assert weigh([shop, web, far]) == Load(141, 5 * 30 + 3 * 70 + 5 * 10 + 1)
    assert weigh([]) == Load(0, 0)


def test_a_service_without_replicas_is_stored_and_not_pulled() -> None:
    assert weigh([Stack("hub", {"a": 5}, replicas=0)]) == Load(5, 0)
