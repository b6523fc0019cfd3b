"""Each layer is read once for the whole fleet: by whoever claims it first, and by another when that one dies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.utils import timezone

from fleet.image.layer import index_layer
from fleet.image.stored import dump_index
from fleet.models import Layer
from fleet.oci.errors import RegistryError
from fleet.oci.manifest import Descriptor
from fleet.oci.sources.endpoint import open_endpoint
from fleet.scanning import layers
from fleet.scanning.layers import CLAIM, LayerReader
from tests.databases import database_url
from tests.fakes.pushable import BASE, PushableRegistry, image

MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
BLOB = Descriptor(MEDIA_TYPE, BASE.digest, BASE.size_bytes)
REPOSITORY_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"team/app": {"1": image()}, "team/other": {"1": image(app=b"other")}}) as registry:
        yield registry


@pytest.fixture
def reader(server: PushableRegistry) -> Iterator[LayerReader]:
    endpoint = open_endpoint("distribution", server.url)
    yield LayerReader(endpoint.source("team/app"), lambda: None)
    endpoint.close()


@pytest.fixture
def row(db: None) -> Layer:
    return Layer.objects.create(digest=BASE.digest, media_type=MEDIA_TYPE, compressed_bytes=BASE.size_bytes)


def store_as_another_worker() -> None:
    index = index_layer(BASE.chunks(), digest=BASE.digest, media_type=MEDIA_TYPE)
    Layer.objects.update(index=dump_index(index), claimed_until=None, indexed_at=timezone.now())


def test_a_layer_is_claimed_while_it_is_read(row: Layer, reader: LayerReader, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[object] = []

    class Slow:
        """The source, which takes so long that claims are renewed meanwhile."""

        name = "registry.test/team/app"
        stores_compressed = True

        def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
            assert renewed.wait(10)
            return inner.blob(descriptor)

    def keep_alive() -> None:
        held.append(Layer.objects.get().claimed_until)
        renewed.set()

    renewed = threading.Event()
    inner, reader.source = reader.source, Slow()  # type: ignore[assignment]
    reader.keep_alive = keep_alive
    monkeypatch.setattr(layers, "RENEW_AFTER_SECONDS", 0.0)
    assert reader.read([BLOB])[BASE.digest].entries
    row.refresh_from_db()
    assert isinstance(held[0], datetime)
    assert held[0] > timezone.now()
    assert row.claimed_until is None
    assert (row.index is not None, row.diff_id, row.unpacked_bytes) == (True, BASE.diff_id, 50_038)
    assert reader.indexed == 1


def test_what_another_worker_reads_is_waited_for(
    row: Layer, reader: LayerReader, server: PushableRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    Layer.objects.update(claimed_until=timezone.now() + CLAIM)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            store_as_another_worker()

    monkeypatch.setattr(layers, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: 0.0))
    assert reader.read([BLOB])[BASE.digest].entries
    assert len(waits) == 3
    assert not server.asked("GET", "/blobs/")
    assert reader.indexed == 0


def test_a_claim_that_ran_out_is_taken_over(row: Layer, reader: LayerReader, server: PushableRegistry) -> None:
    Layer.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert reader.read([BLOB])[BASE.digest].entries
    assert len(server.asked("GET", "/blobs/")) == 1


def test_waiting_ends_with_a_sentence(row: Layer, reader: LayerReader, monkeypatch: pytest.MonkeyPatch) -> None:
    Layer.objects.update(claimed_until=timezone.now() + timedelta(days=1))
    monkeypatch.setattr(layers, "PATIENCE_SECONDS", 0.01)
    with pytest.raises(RegistryError, match="too long"):
        reader.read([BLOB])


def test_a_failed_reading_gives_the_claim_back(row: Layer, reader: LayerReader, server: PushableRegistry) -> None:
    server.damage(BASE)
    with pytest.raises(RegistryError):
        reader.read([BLOB])
    row.refresh_from_db()
    assert (row.index, row.claimed_until) == (None, None)


def test_a_claim_that_is_another_workers_by_now_is_not_given_back(row: Layer) -> None:
    mine = layers._claim(BASE.digest)
    assert mine is not None
    theirs = timezone.now() + timedelta(hours=1)
    Layer.objects.update(claimed_until=theirs)
    layers._release({BASE.digest: mine})
    row.refresh_from_db()
    assert row.claimed_until == theirs
    assert layers._renew({BASE.digest: mine}) == {}


def test_an_index_of_another_version_is_read_again(row: Layer, reader: LayerReader, server: PushableRegistry) -> None:
    Layer.objects.update(index=b"plimsoll-layer-index 0\n", indexed_at=timezone.now())
    assert reader.read([BLOB])[BASE.digest].entries
    assert len(server.asked("GET", "/blobs/")) == 1


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_scan_at_once_read_a_shared_layer_once(server: PushableRegistry, tmp_path: Path) -> None:
    """Real processes on a real database: SQLite's file locks, or PostgreSQL's row locks."""
    environment = {**os.environ, "PLIMSOLL_VAR": str(tmp_path), "DATABASE_URL": database_url(tmp_path)}
    command = [sys.executable, "-m", "tests.fakes.scan_at_once", server.url, "team/app", "team/other"]
    done = subprocess.run(command, env=environment, cwd=REPOSITORY_ROOT, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.asked("GET", f"/blobs/{BASE.digest}")) == 1
