"""Verifications on engines that are not on a socket here: behind TLS and behind a real sshd."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.oci.trust import Trust
from fleet.verification.engine import EngineSettings
from fleet.verification.verify import Order, Outcome, verify
from tests.oci.authority import Authority
from tests.oci.test_engine_remote import sshd, temporary, tls_front
from tests.verification.parts import BRIEF, BUSYBOX, SERVE, command, copied, nobody

__all__ = ["sshd", "temporary"]
pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("clean")]


def verified(server: str, settings: EngineSettings) -> Outcome:
    outcome = verify(Order(copied(server, [BUSYBOX, "www/index.html"], command(SERVE)), server), settings, nobody)
    assert outcome.verdict == "verified", outcome
    assert outcome.measured
    assert outcome.candidate
    assert outcome.candidate.answer
    return outcome


def test_over_tcp_with_certificates(server: str) -> None:
    authority = Authority()
    trust = Trust(authority.pem, *authority.issue("client"))
    with tls_front(authority) as port:
        verified(server, EngineSettings(f"tcp://127.0.0.1:{port}", trust, limits=BRIEF))
        without = verify(
            Order("FROM scratch\n", server), EngineSettings(f"tcp://127.0.0.1:{port}", limits=BRIEF), nobody
        )
    assert (without.verdict, without.cause) == ("inconclusive", "engine")


def test_over_ssh(server: str, sshd: int, temporary: Path) -> None:
    verified(server, EngineSettings(f"ssh://127.0.0.1:{sshd}", limits=BRIEF))
    assert not list(temporary.rglob("*"))
