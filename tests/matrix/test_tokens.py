"""Tokens that end while a scan goes on. The registry verifies each by its signature, its scope and its end."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from fleet import scanning
from fleet.models import Scan, Snapshot
from fleet.scanning import Progress
from tests.matrix.content import images
from tests.matrix.facts import told
from tests.matrix.registries import Matrix, Member

pytestmark = [pytest.mark.django_db, pytest.mark.registry, pytest.mark.once]

# Whom a registry believes for so long after a token's end, since clocks differ.
FORGIVEN_SECONDS = 60
SHOP = "repository:team/shop:pull"


@pytest.fixture
def member(matrix: Matrix) -> Member:
    member = matrix["token"]
    assert member.tokens
    member.tokens.forget()
    return member


def test_a_token_is_asked_for_once_for_each_scope(member: Member, matrix: Matrix) -> None:
    assert member.tokens
    done = _scan_slowly(member, matrix, seconds=0)
    assert done.status == Scan.Status.DONE, told(done)
    assert {status for _, status in member.tokens.asked} == {200}
    scopes = Counter(scope for scope, _ in member.tokens.asked)
    assert scopes == dict.fromkeys(
        ["", "registry:catalog:*", "repository:charts/shop:pull", "repository:team/many:pull", SHOP], 1
    )


def test_a_token_is_renewed_before_the_registry_refuses_it(member: Member, matrix: Matrix) -> None:
    """It says that it ends after a second."""
    assert member.tokens
    member.tokens.lifetime_seconds = 1
    before = len(member.server.requests())
    done = _scan_slowly(member, matrix)
    _assert_whole(done)
    assert [scope for scope, _ in member.tokens.asked].count(SHOP) > 1
    assert _refusals(member, before) == 0


def test_a_token_that_the_registry_takes_no_longer_is_renewed(member: Member, matrix: Matrix) -> None:
    """It says that it lasts minutes, and the registry finds that it has ended."""
    assert member.tokens
    member.tokens.first_valid_seconds = 1 - FORGIVEN_SECONDS
    before = len(member.server.requests())
    done = _scan_slowly(member, matrix)
    _assert_whole(done)
    assert [scope for scope, _ in member.tokens.asked].count(SHOP) == 2
    assert _refusals(member, before) >= 1


def _scan_slowly(member: Member, matrix: Matrix, seconds: float = 1.0) -> Scan:
    """A scan that rests once, in the middle of a repository: some of it was read, and its layers were not."""
    begun: list[int] = []
    rested: list[Progress] = []

    def rest(progress: Progress) -> None:
        if progress.repository != "team/shop" or rested:
            return
        begun.append(progress.received_bytes)
        if progress.received_bytes > begun[0]:
            rested.append(progress)
            time.sleep(seconds)

    done = scanning.run_scan(scanning.start(member.row(**matrix.bases), Scan.Trigger.COMMAND), rest)
    assert rested
    return done


def _assert_whole(done: Scan) -> None:
    assert done.status == Scan.Status.DONE, told(done)
    assert Snapshot.objects.count() == sum(map(len, images().values()))
    assert not Snapshot.objects.filter(service__snapshot=None).exists()


def _refusals(member: Member, before: int) -> int:
    """How often the registry refused to let the shop's repository be read."""
    return sum(
        path.startswith("/v2/team/shop/") and status == 401 for _, path, status in member.server.requests()[before:]
    )
