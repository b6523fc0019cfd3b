"""A Docker Engine with the same images: what it can hold of them gives the same analysis.

It names images by their configs and keeps layers plain, so manifests' digests and compressed sizes are its own.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import uuid
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from fleet.models import Registry, Scan, Service, Snapshot
from fleet.sample.build import BuiltImage
from tests.matrix.content import StoredLayer, images, of_amd64
from tests.matrix.facts import forget_everything, scan, told
from tests.matrix.registries import Matrix

pytestmark = [pytest.mark.django_db, pytest.mark.engine, pytest.mark.registry]

Facts = dict[str, Any]


@pytest.fixture
def prefix() -> Iterator[str]:
    """Of the names that the images have in the engine."""
    prefix = f"plimsoll-{uuid.uuid4().hex[:12]}/"
    client = docker.from_env()
    names = {
        f"{prefix}{repository}:{tag}": of_amd64(published)
        for repository, tags in images().items()
        for tag, published in tags.items()
    }
    for name, image in names.items():
        client.images.load(_saved(name, image))
    yield prefix
    for name in names:
        client.images.remove(name, force=True)
    client.close()


def _saved(name: str, image: BuiltImage) -> bytes:
    """An archive as ``docker save`` writes it."""
    layers = [layer for layer in image.layers if isinstance(layer, StoredLayer)]
    paths = {f"{layer.diff_id.removeprefix('sha256:')}/layer.tar": layer.tar for layer in layers}
    config = f"{image.config.digest.removeprefix('sha256:')}.json"
    manifest = [{"Config": config, "RepoTags": [name], "Layers": list(paths)}]
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        held = {config: image.config.content, **paths, "manifest.json": json.dumps(manifest).encode()}
        for path, body in held.items():
            member = tarfile.TarInfo(path)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return stream.getvalue()


def test_an_engine_gives_the_same_but_for_what_is_compressed(prefix: str, matrix: Matrix) -> None:
    url = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    held = _read(matrix["anonymous"].row(exclude="charts/*", **matrix.bases))
    engine = Registry.objects.create(
        name="Engine", kind=Registry.Kind.ENGINE, url=url, include=f"{prefix}*", **matrix.bases
    )
    found = _read(engine, prefix)
    assert found == held
    assert set(held) == set(images())


def _read(registry: Registry, prefix: str = "") -> dict[str, Facts]:
    done = scan(registry)
    assert done.status == Scan.Status.DONE, told(done)
    services = Service.objects.filter(registry=registry).select_related("snapshot__image__analysis")
    found = {service.repository.removeprefix(prefix): _facts(service) for service in services}
    forget_everything()
    return found


def _facts(service: Service) -> Facts:
    assert service.snapshot
    image = service.snapshot.image
    analysis = image.analysis
    configs = (bytes(snapshot.image.config) for snapshot in Snapshot.objects.filter(service=service))
    return {
        "tags": sorted(Snapshot.objects.filter(service=service).values_list("tag", "taken_at")),
        "configs": sorted(map(bytes.hex, configs)),
        "newest": (service.snapshot.tag, image.platform, image.created_at, image.unpacked_bytes),
        "service": (service.owner, service.runtime, service.runtime_version, service.unpacked_bytes),
        "layers": list(image.layers.order_by("imagelayer").values_list("diff_id", "unpacked_bytes", "entries")),
        "analysis": (analysis.runtime_evidence, analysis.base_layers, analysis.reclaimable_unpacked_bytes),
        "packages": analysis.packages,
        "findings": sorted(
            analysis.findings.values_list(
                "rule", "layer", "title", "advice", "unpacked_bytes", "created_by", "base", "path_count", "paths"
            )
        ),
        "suggestions": sorted(
            service.suggestions.values_list(
                *("mode", "tier", "usable", "recommended", "base_reference", "base_digest"),
                *("before_unpacked_bytes", "after_unpacked_bytes"),
            )
        ),
    }
