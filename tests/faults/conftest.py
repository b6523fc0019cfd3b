"""One registry that misbehaves, the row that an admin made of it, and what the scan of it says to people."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from fleet import scanning
from fleet.models import Registry, Scan
from fleet.oci.client import Limits
from fleet.scanning import budget, lifecycle, synchronous
from tests.fakes.faulty import FaultyRegistry
from tests.fakes.pushable import day, image

SECRET = "hunter2-very-secret"
OLDER, NEWEST = image(day(0)), image(day(7), app=b"x" * 9000)

# Waits between two questions take a moment here. What an answer may take is short where a test is about that alone.
HASTY = Limits(
    connect_seconds=5,
    read_seconds=10,
    body_seconds=15,
    crawl_seconds=10,
    backoff_seconds=0.01,
    patience_seconds=2,
    manifest_bytes=64 << 10,
    page_bytes=64 << 10,
    pages=20,
    names=2000,
)


@dataclass(frozen=True)
class Told:
    """What people read of a scan that is over or rests. ``errors`` are (tag, sentence); the registry's address is
    written REGISTRY."""

    status: str
    message: str
    errors: tuple[tuple[str, str], ...]
    scan: Scan

    @property
    def sentence(self) -> str:
        """The only one."""
        ((_, sentence),) = self.errors or (("", self.message),)
        return sentence


Scanned = Callable[[], Told]


@pytest.fixture
def server() -> Iterator[FaultyRegistry]:
    with FaultyRegistry({"team/app": {"1.0": OLDER, "1.1": NEWEST}}) as registry:
        yield registry


@pytest.fixture
def registry(db: None, server: FaultyRegistry) -> Registry:
    return Registry.objects.create(name="Faulty", url=server.url, username="robot$ci", secret=SECRET)


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Waits are short, and nobody else's rests hold; call it for other limits."""

    def be(**limits: float) -> None:
        monkeypatch.setattr("fleet.oci.client.Limits", lambda: replace(HASTY, **limits))

    be()
    monkeypatch.setattr(lifecycle, "SILENT_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(lifecycle, "LIMITED_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(lifecycle, "PATIENCE_FOR_A_SERVICE", 0)
    monkeypatch.setattr(synchronous, "SLICE_SECONDS", 0.01)
    monkeypatch.setattr(budget, "_own", budget._OwnShelf())
    monkeypatch.setattr(budget, "_shared", None)
    monkeypatch.setattr(budget, "_try_redis_at", float("inf"))
    return be


@pytest.fixture
def scanned(server: FaultyRegistry, registry: Registry, caplog: pytest.LogCaptureFixture) -> Scanned:
    """Run a whole scan, as the command line does, and give what it says."""
    caplog.set_level(logging.DEBUG)

    def run() -> Told:
        row = Registry.objects.get(pk=registry.pk)
        scan = scanning.run_scan(scanning.start(row, Scan.Trigger.COMMAND))
        scan.refresh_from_db()
        assert SECRET not in caplog.text
        return told(scan, server.address)

    return run


def told(scan: Scan, address: str) -> Told:
    """Also checks what holds for every scan, whatever went wrong."""
    rows = list(scan.errors.values_list("tag", "message"))
    assert scan.status not in (Scan.Status.QUEUED, Scan.Status.RUNNING)
    assert (scan.finished_at is None) == (scan.status == Scan.Status.PAUSED)
    assert (scan.resume_at is not None) == (scan.status == Scan.Status.PAUSED)
    for sentence in filter(None, (scan.message, *(message for _, message in rows))):
        assert sentence.endswith("."), sentence
        assert sentence.isprintable(), sentence
        assert "unexpectedly" not in sentence, sentence
        assert len(sentence) < 600
        assert SECRET not in sentence
    return Told(
        scan.status,
        scan.message.replace(address, "REGISTRY"),
        tuple((tag, message.replace(address, "REGISTRY")) for tag, message in rows),
        scan,
    )
