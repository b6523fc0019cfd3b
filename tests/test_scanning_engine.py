"""A scan of a Docker Engine, which keeps its layers uncompressed: what a pull would move is estimated for every tag."""

from __future__ import annotations

import io
import os
import tarfile
import uuid
from collections.abc import Iterator

import docker
import pytest

from fleet import scanning
from fleet.models import Registry, Scan, Service, Snapshot
from fleet.snapshots import read_growth

pytestmark = [pytest.mark.django_db, pytest.mark.engine]


@pytest.fixture
def repository() -> Iterator[str]:
    """Two tags of a repository of our own, of 40 kB and 80 kB that compress to almost nothing."""
    name = f"plimsoll-scan-{uuid.uuid4().hex[:12]}"
    client = docker.from_env()
    for tag, size_bytes in (("1", 40_000), ("2", 80_000)):
        client.api.import_image_from_data(_tar(size_bytes), repository=name, tag=tag)
    yield name
    for tag in ("1", "2"):
        client.images.remove(f"{name}:{tag}", force=True)
    client.close()


def _tar(size_bytes: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo("app/data")
        member.size = size_bytes
        tar.addfile(member, io.BytesIO(b"a" * size_bytes))
    return stream.getvalue()


def test_every_tag_has_both_sizes_and_a_second_scan_finds_nothing_new(repository: str) -> None:
    url = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    registry = Registry.objects.create(name="Engine", kind=Registry.Kind.ENGINE, url=url, include=repository)
    done = scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND))
    assert done.status == Scan.Status.DONE, list(done.errors.values_list("message", flat=True))
    sizes = dict(Snapshot.objects.values_list("tag", "unpacked_bytes"))
    assert sizes == {"1": 40_000, "2": 80_000}
    assert all(0 < size < 10_000 for size in Snapshot.objects.values_list("compressed_bytes", flat=True))
    assert Service.objects.get().savings_compressed_bytes is not None
    (growth,) = [read_growth(stored) for stored in Snapshot.objects.values_list("growth", flat=True) if stored]
    assert growth is not None
    assert growth.growth.by_files
    assert [abs(cause.delta.unpacked_bytes) for cause in growth.growth.causes][:1] == [40_000]
    again = scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND))
    assert (again.status, again.snapshots, again.layers_indexed) == (Scan.Status.DONE, 0, 0)
