import io
import os
import tarfile
import uuid

import docker
import pytest

from fleet.oci.errors import InvalidReference, NotFound, Unreachable
from fleet.oci.manifest import Descriptor, parse_config, parse_manifest
from fleet.oci.reference import parse_location
from fleet.oci.sources import open_endpoint, open_location


@pytest.fixture(scope="module")
def engine():
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException:
        pytest.skip("no Docker Engine answers")
    yield client
    client.close()


@pytest.fixture(scope="module")
def images(engine):
    """Two tiny images of one name: the name, and their IDs by tag."""
    name = f"plimsoll-test-{uuid.uuid4().hex[:12]}"
    ids = {}
    for tag in ("1.0", "2.0"):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            member = tarfile.TarInfo("version")
            member.size = len(tag)
            archive.addfile(member, io.BytesIO(tag.encode()))
        engine.api.import_image_from_data(content.getvalue(), repository=name, tag=tag)
        ids[tag] = engine.images.get(f"{name}:{tag}").id
    yield name, ids
    for tag in ids:
        engine.images.remove(f"{name}:{tag}")


@pytest.mark.engine
def test_an_image_is_read_from_the_engine(images):
    name, ids = images
    source, reference = open_location(parse_location(f"docker-daemon:{name}:1.0"))
    assert (source.name, reference) == (name, "1.0")
    assert source.head("1.0").digest == ids["1.0"]
    descriptor, body = source.manifest("1.0")
    assert descriptor.digest == ids["1.0"]
    manifest = parse_manifest(body, descriptor.media_type)
    with tarfile.open(fileobj=io.BytesIO(b"".join(source.blob(manifest.layers[0])))) as layer:
        assert layer.extractfile("version").read() == b"1.0"
    assert parse_config(b"".join(source.blob(manifest.config))).platform.os == "linux"
    assert not source.stores_compressed
    assert source.manifest(ids["1.0"]) == (descriptor, body)
    source.close()


@pytest.mark.engine
def test_going_back_to_an_earlier_image_still_works(images):
    name, _ = images
    source, _ = open_location(parse_location(f"docker-daemon:{name}:1.0"))
    first = parse_manifest(source.manifest("1.0")[1], "")
    source.manifest("2.0")
    assert sum(map(len, source.blob(first.layers[0]))) == first.layers[0].size_bytes
    source.close()


@pytest.mark.engine
def test_a_layer_can_be_read_before_any_manifest(images):
    name, _ = images
    source, _ = open_location(parse_location(f"docker-daemon:{name}:2.0"))
    layer = parse_manifest(source.manifest("2.0")[1], "").layers[0]
    source.close()
    source, _ = open_location(parse_location(f"docker-daemon:{name}:2.0"))
    assert sum(map(len, source.blob(layer))) == layer.size_bytes
    with pytest.raises(NotFound):
        source.blob(Descriptor(layer.media_type, "sha256:" + "0" * 64, 1))
    source.close()


@pytest.mark.engine
def test_a_head_does_not_save_the_image(images):
    name, ids = images
    endpoint = open_endpoint("engine", os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    endpoint.check()
    assert name in endpoint.repositories()
    assert list(endpoint.tags(name)) == ["1.0", "2.0"]
    assert endpoint.source(name).head("2.0").digest == ids["2.0"]
    assert endpoint.stats.received_bytes == 0
    endpoint.close()


@pytest.mark.engine
def test_a_missing_image_is_not_found(engine):
    source, reference = open_location(parse_location("docker-daemon:plimsoll-test-nothing:9"))
    with pytest.raises(NotFound, match="no image plimsoll-test-nothing:9"):
        source.manifest(reference)


def test_an_engine_that_does_not_run_is_unreachable(tmp_path):
    with pytest.raises(Unreachable, match="cannot be reached"):
        open_endpoint("engine", f"unix://{tmp_path}/no.sock").check()


def test_a_url_that_is_no_engines_is_refused():
    with pytest.raises(InvalidReference):
        open_endpoint("engine", "/var/run/docker.sock")
