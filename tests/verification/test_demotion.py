"""What an engine's word does to a service's suggestions."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.models import Service, Suggestion, Verification
from fleet.snapshots import apply_verifications, digest_of
from fleet.snapshots.verifications import GATE
from tests.dashboard.factories import DOCKERFILE, MB, make_analysis, make_service, make_suggestion

pytestmark = pytest.mark.django_db
SLIM, SCRATCH = DOCKERFILE, "FROM scratch\n"


@pytest.fixture
def service() -> Service:
    """Scratch saves most and is recommended; slim comes after it."""
    service = make_service(sizes=(402 * MB,), savings=352 * MB)
    make_analysis(service)
    make_suggestion(service, tier="slim", dockerfile=SLIM, recommended=False)
    make_suggestion(
        service,
        tier="scratch",
        dockerfile=SCRATCH,
        after_compressed_bytes=50 * MB,
        after_unpacked_bytes=150 * MB,
        recommended=True,
    )
    return service


def verified(service: Service, tier: str, text: str, status: str, **fields: Any) -> Verification:
    values = {"reasons": [f"It is {status}."], "cause": "" if status == "verified" else "library-missing"}
    return Verification.objects.create(
        service=service,
        image=service.snapshot.image,
        mode="repack",
        tier=tier,
        dockerfile=text,
        dockerfile_sha256=digest_of(text),
        status=status,
        **{**values, **fields},
    )


def row(service: Service, tier: str) -> Suggestion:
    return service.suggestions.get(tier=tier)


def test_a_failed_verification_demotes_and_says_why(service: Service) -> None:
    verified(service, "scratch", SCRATCH, "failed", reasons=["The shared library libpq.so.5 is missing."])
    assert apply_verifications(service)
    fallen, next_best = row(service, "scratch"), row(service, "slim")
    assert (fallen.usable, fallen.recommended) == (False, False)
    assert fallen.gates[-1] == {
        "name": GATE,
        "passed": False,
        "detail": "The shared library libpq.so.5 is missing.",
        "cause": "library-missing",
    }
    assert len(fallen.gates) == 2, "the other gates stay"
    assert (next_best.usable, next_best.recommended) == (True, True)
    service.refresh_from_db()
    assert service.savings_compressed_bytes == next_best.savings_compressed_bytes == 302 * MB
    assert service.savings_source == Service.SavingsSource.SUGGESTION


def test_where_nothing_is_left_nothing_is_recommended(service: Service) -> None:
    verified(service, "scratch", SCRATCH, "failed")
    verified(service, "slim", SLIM, "failed")
    apply_verifications(service)
    assert not service.suggestions.filter(recommended=True).exists()
    service.refresh_from_db()
    assert (service.savings_compressed_bytes, service.savings_source) == (30 * MB, Service.SavingsSource.FINDINGS)


def test_what_is_verified_shows_that_and_keeps_its_place(service: Service) -> None:
    verified(service, "scratch", SCRATCH, "verified")
    apply_verifications(service)
    proven = row(service, "scratch")
    assert (proven.usable, proven.recommended) == (True, True)
    assert proven.gates[-1]["passed"] is True


def test_doing_it_twice_is_doing_it_once_and_judging_anew_changes_nothing(service: Service) -> None:
    verified(service, "scratch", SCRATCH, "failed")
    assert apply_verifications(service)
    before = list(service.suggestions.order_by("tier").values("gates", "usable", "recommended"))
    assert not apply_verifications(service)
    assert list(service.suggestions.order_by("tier").values("gates", "usable", "recommended")) == before
    # As a scan writes the same suggestion again: usable, recommended, with its own gates alone.
    gates = [gate for gate in row(service, "scratch").gates if gate["name"] != GATE]
    service.suggestions.filter(tier="scratch").update(gates=gates, usable=True, recommended=True)
    service.suggestions.filter(tier="slim").update(recommended=False)
    assert apply_verifications(service)
    assert list(service.suggestions.order_by("tier").values("gates", "usable", "recommended")) == before


def test_another_text_or_another_rung_is_not_meant(service: Service) -> None:
    verified(service, "scratch", SCRATCH + "# another\n", "failed")
    verified(service, "slim", SCRATCH, "failed")
    assert not apply_verifications(service)
    assert row(service, "scratch").recommended


def test_what_is_under_way_or_not_proven_changes_nothing(service: Service) -> None:
    for status in ("inconclusive", "cancelled", "running"):
        verified(service, "scratch", SCRATCH, status)
    assert not apply_verifications(service)


def test_the_newest_word_counts(service: Service) -> None:
    verified(service, "scratch", SCRATCH, "failed")
    apply_verifications(service)
    verified(service, "scratch", SCRATCH, "verified")
    apply_verifications(service)
    assert row(service, "scratch").usable
    assert row(service, "slim").recommended, "a recommendation that moved stays until suggestions are made anew"
    verified(service, "scratch", SCRATCH, "inconclusive")
    assert not apply_verifications(service), "what proves nothing takes no proof away"


def test_a_gate_of_a_text_that_is_gone_goes_with_it(service: Service) -> None:
    verified(service, "scratch", SCRATCH, "failed")
    apply_verifications(service)
    service.suggestions.filter(tier="scratch").update(dockerfile="FROM scratch\nCOPY --from=x /a /a\n")
    assert apply_verifications(service)
    assert GATE not in [gate["name"] for gate in row(service, "scratch").gates]
    assert row(service, "scratch").usable
