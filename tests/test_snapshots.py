"""The writer: policies bind and let go, and rows are as every database wants them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from fleet import snapshots
from fleet.models import Registry, Service, SizePolicy, Violation
from fleet.snapshots.text import storable

State = Service.PolicyState


@pytest.fixture
def registry(db: None) -> Registry:
    return Registry.objects.create(name="Hub", url="https://registry.example.com")


@pytest.fixture
def service(registry: Registry) -> Service:
    return weighed(registry, "team/app", 300)


def weighed(registry: Registry, repository: str, compressed_bytes: int, unpacked_bytes: int | None = None) -> Service:
    return Service.objects.create(
        registry=registry,
        repository=repository,
        platform="linux/amd64",
        compressed_bytes=compressed_bytes,
        unpacked_bytes=unpacked_bytes,
    )


def apply() -> None:
    snapshots.apply_policies(Service.objects.all())


def states() -> dict[str, str]:
    return dict(Service.objects.values_list("repository", "policy_state"))


def test_state_follows_the_worst_verdict(registry: Registry) -> None:
    for repository, size in (("ok/a", 100), ("ok/b", 101), ("ok/c", 201), ("free/d", 999)):
        weighed(registry, repository, size)
    SizePolicy.objects.create(
        name="Limit", repository_glob="ok/*", warn_compressed_bytes=100, fail_compressed_bytes=200
    )
    apply()
    assert states() == {"ok/a": State.OK, "ok/b": State.WARN, "ok/c": State.FAIL, "free/d": State.NONE}


def test_a_violation_that_stays_keeps_its_beginning(service: Service) -> None:
    policy = SizePolicy.objects.create(name="Limit", fail_compressed_bytes=200)
    apply()
    began = timezone.now() - timedelta(days=30)
    Violation.objects.update(since=began)
    Service.objects.update(compressed_bytes=250)
    apply()
    violation = Violation.objects.get()
    assert (violation.since, violation.measured_bytes, violation.limit_bytes) == (began, 250, 200)
    policy.fail_compressed_bytes, policy.warn_compressed_bytes = None, 220
    policy.save()
    apply()
    violation = Violation.objects.get()
    assert (violation.since, violation.level) == (began, Violation.Level.WARN)


def test_a_violation_ends_with_its_cause(service: Service) -> None:
    policy = SizePolicy.objects.create(name="Limit", fail_compressed_bytes=200)
    apply()
    assert Violation.objects.count() == 1
    Service.objects.update(compressed_bytes=200)
    apply()
    assert not Violation.objects.exists()
    assert states() == {"team/app": State.OK}
    policy.enabled = False
    policy.save()
    apply()
    assert states() == {"team/app": State.NONE}


def test_an_unknown_size_breaks_no_limit(service: Service) -> None:
    SizePolicy.objects.create(name="Limit", fail_unpacked_bytes=1)
    apply()
    assert states() == {"team/app": State.OK}


def test_what_is_gone_is_under_no_policy(service: Service) -> None:
    SizePolicy.objects.create(name="Limit", fail_compressed_bytes=1)
    apply()
    Service.objects.update(gone_at=timezone.now())
    apply()
    assert not Violation.objects.exists()
    assert states() == {"team/app": State.NONE}


def test_a_large_fleet_takes_few_queries(registry: Registry, django_assert_max_num_queries) -> None:
    Service.objects.bulk_create(
        Service(registry=registry, repository=f"app/{number}", platform="linux/amd64", compressed_bytes=number)
        for number in range(1200)
    )
    SizePolicy.objects.create(name="Limit", fail_compressed_bytes=600)
    with django_assert_max_num_queries(40):
        apply()
    assert Violation.objects.count() == 599


@pytest.mark.parametrize(
    ("text", "limit", "stored"),
    [
        ("plain", None, "plain"),
        ("a\0b", None, "a\ufffdb"),
        ("a\udcff", None, "a\ufffd\ufffd\ufffd"),
        ("abcdef", 4, "abc…"),
    ],
)
def test_text_is_made_fit_for_every_database(text: str, limit: int | None, stored: str) -> None:
    assert storable(text, limit) == stored
