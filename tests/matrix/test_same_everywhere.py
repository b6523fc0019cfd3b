"""The same images in different registries give the same analysis, to the byte."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.models import Scan
from tests.matrix.content import StoredLayer, images, newest, of_amd64
from tests.matrix.facts import facts, forget_everything, scan, told
from tests.matrix.registries import BUILT, DEBIAN, Matrix

pytestmark = [pytest.mark.django_db, pytest.mark.registry]

Facts = dict[str, Any]


@pytest.fixture(scope="module")
def kept() -> Facts:
    """Filled by the first test that compares: scanning once is enough."""
    return {}


@pytest.fixture
def expected(matrix: Matrix, kept: Facts, db: None) -> Facts:
    """What the simplest of all registries gives."""
    if not kept:
        kept.update(_read(matrix, "anonymous"))
    return kept


def _read(matrix: Matrix, name: str) -> Facts:
    member = matrix[name]
    done = scan(member.row(**matrix.bases))
    found = facts(done, member.server.host)
    assert done.status == Scan.Status.DONE, told(done)
    forget_everything()
    return found


def test_a_scan_finds_what_was_pushed(expected: Facts) -> None:
    """So that what is equal everywhere is right, too."""
    tags = {(row["service"], row["tag"]): row for row in expected["snapshots"]}
    assert set(tags) == {(repository, tag) for repository, held in images().items() for tag in held}
    for (repository, tag), row in tags.items():
        published = images()[repository][tag]
        image = of_amd64(published)
        assert (row["head_digest"], row["image"]) == (published.document.digest, image.digest)
        assert row["compressed_bytes"] == image.compressed_bytes
    layers = {row["digest"]: row for row in expected["layers"]}
    for repository in images():
        for layer in newest(repository).layers:
            assert isinstance(layer, StoredLayer)
            row = layers[layer.digest]
            assert (row["diff_id"], row["compressed_bytes"]) == (layer.diff_id, layer.size_bytes)
            assert row["media_type"] == layer.media_type
            assert row["entries"] > 0
    assert [(row["runtime"], row["runtime_version"]) for row in expected["analyses"]] == [("python", "3.11.9")] * 2
    assert {package["name"] for row in expected["analyses"] for package in row["packages"]} >= {"gcc", "Django"}
    assert len({row["rule"] for row in expected["findings"]}) >= 4
    assert sum(bool(row["dockerfile"]) for row in expected["suggestions"]) >= 2
    assert any(row[1] == "charts/shop" for row in expected["errors"])


@pytest.mark.parametrize("name", [name for name in DEBIAN if name != "anonymous"])
def test_every_way_in_leads_to_the_same(name: str, matrix: Matrix, expected: Facts) -> None:
    assert _read(matrix, name) == expected


@pytest.mark.peers
@pytest.mark.parametrize("name", BUILT)
def test_every_registry_gives_the_same(name: str, matrix: Matrix, expected: Facts) -> None:
    assert _read(matrix, name) == expected
