"""Bases asked of a registry over HTTP, through mirrors, and the table behind them."""

import socket

import pytest

from fleet.dockerfile.bases import RegistryBases, TableBases, mirrored, parse_mirrors, short_name
from fleet.oci.errors import InvalidReference
from fleet.oci.manifest import ImageConfig, Platform
from fleet.oci.reference import Reference
from fleet.sample.build import build_image, build_layer
from fleet.sample.registry import ReadOnlyRegistry
from fleet.sample.tar import File

AMD64 = Platform("linux", "amd64")
SLIM = build_image(
    ImageConfig(AMD64, env=("LANG=C.UTF-8",)), [build_layer([File("usr/local/bin/python3.11", b"x" * 5_000)])]
)


@pytest.fixture
def registry():
    with ReadOnlyRegistry({"hub/python": {"3.11-slim": SLIM, "3.11": SLIM}}) as served:
        yield served


def bases(registry, **options):
    mirrors = parse_mirrors([f"docker.io/library={registry.address}/hub"])
    return RegistryBases(mirrors, platform=AMD64, **options)


def test_the_first_candidate_that_the_mirror_serves_is_measured(registry):
    found = bases(registry).find(["python:3.11-slim-bookworm", "python:3.11-slim"])
    assert found.reference == f"{registry.address}/hub/python:3.11-slim"
    assert (found.digest, found.source) == (SLIM.digest, "registry")
    assert (found.sizes.unpacked_bytes, found.sizes.compressed_bytes) == (5_000, SLIM.compressed_bytes)
    assert "usr/local/bin/python3.11" in found.tree.nodes
    assert found.config.variable("LANG") == "C.UTF-8"


def test_an_answer_is_kept_whether_good_or_bad(registry):
    served = bases(registry)
    served.find(["python:3.11-slim-bookworm", "python:3.11-slim"])
    asked = len(registry.requests)
    served.find(["python:3.11-slim-bookworm", "python:3.11-slim"])
    assert len(registry.requests) == asked


def test_a_pin_costs_one_head_and_reads_no_layer(registry):
    served = bases(registry)
    assert served.pin("python:3.11") == f"{registry.address}/hub/python:3.11@{SLIM.digest}"
    assert served.pin("python:3.9") is None
    assert {(line.method, line.status) for line in registry.requests} == {("HEAD", 200), ("HEAD", 404)}


def test_what_no_registry_serves_comes_from_the_table_with_its_date(registry):
    found = bases(registry).find(["python:3.12-slim-bookworm"])
    assert (found.reference, found.source, found.tree, found.digest) == (
        "python:3.12-slim-bookworm",
        "table",
        None,
        None,
    )
    assert found.as_of


def test_an_unreachable_host_is_asked_once_and_the_table_answers(monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    served = RegistryBases({"docker.io/library": f"127.0.0.1:{port}/hub"}, platform=AMD64)
    assert served.find(["python:3.11-slim"]).source == "table"
    calls = []
    monkeypatch.setattr("fleet.dockerfile.bases.open_location", lambda *a, **k: calls.append(a))
    assert served.find(["python:3.11-slim-bookworm"]).source == "table"
    assert calls == []


@pytest.mark.parametrize(
    "name", ["python:3.11", "python:3.11-alpine", "registry.test/python:3.11-slim", "node:22-slim"]
)
def test_the_table_knows_slim_bases_only(name):
    assert TableBases().find([name]) is None


def test_longer_mirrors_win():
    mirrors = parse_mirrors(["docker.io=a.test/all", "docker.io/library=b.test/lib", "", "ghcr.io/x=c.test"])
    assert mirrored("python:3.11", mirrors) == "b.test/lib/python:3.11"
    assert mirrored("team/app:1", mirrors) == "a.test/all/team/app:1"
    assert mirrored("ghcr.io/xyz/app:1", mirrors) == "ghcr.io/xyz/app:1"


@pytest.mark.parametrize("line", ["docker.io/library", "=x.test", "a=", "a=b c", "a=https://x.test"])
def test_what_is_no_mirror_is_refused(line):
    with pytest.raises(InvalidReference):
        parse_mirrors([line])


def test_docker_hubs_names_stay_short():
    assert short_name(Reference.parse("python:3.11-slim")) == "python:3.11-slim"
    assert short_name(Reference.parse("team/app:1")) == "team/app:1"
    assert short_name(Reference.parse("quay.io/a/b:1")) == "quay.io/a/b:1"
