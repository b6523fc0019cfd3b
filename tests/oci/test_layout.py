import json
import os

import pytest

from fleet.oci.errors import DigestMismatch, InvalidReference, InvalidResponse, NotFound
from fleet.oci.manifest import Descriptor, parse_manifest
from fleet.oci.media_types import DOCKER_MANIFEST, OCI_INDEX, OCI_LAYER_TAR
from fleet.oci.reference import parse_location
from fleet.oci.sources import LayoutSource, open_endpoint, open_location
from tests.oci.content import make_sample, sha256

NAME = "org.opencontainers.image.ref.name"


def write_blob(path, body):
    directory = path / "blobs" / "sha256"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / sha256(body).removeprefix("sha256:")).write_bytes(body)


def write_layout(path, images, **annotations):
    """``images``: sample by tag."""
    manifests = []
    for tag, sample in images.items():
        for body in (sample.config, sample.layer, sample.manifest):
            write_blob(path, body)
        item = {"mediaType": DOCKER_MANIFEST, "digest": sample.digest, "size": len(sample.manifest)}
        manifests.append({**item, "annotations": {NAME: tag, **annotations}} if tag else item)
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))


def test_an_image_is_read_by_its_tag_its_digest_or_alone(tmp_path, sample):
    write_layout(tmp_path, {"1.0": sample})
    source, reference = open_location(parse_location(f"oci:{tmp_path}"))
    for name in (reference, "1.0", sample.digest):
        descriptor, body = source.manifest(name)
        assert (descriptor.digest, body) == (sample.digest, sample.manifest)
    assert b"".join(source.blob(sample.layer_descriptor)) == sample.layer
    assert source.stores_compressed
    source.close()


def test_the_whole_name_that_containerd_writes_is_understood(tmp_path, sample):
    write_layout(tmp_path, {"1.0": sample}, **{"io.containerd.image.name": "docker.io/library/app:1.0"})
    for name in ("app:1.0", "docker.io/library/app:1.0", "library/app:1.0"):
        assert LayoutSource(tmp_path).head(name).digest == sample.digest


def test_several_images_must_be_told_apart(tmp_path):
    write_layout(tmp_path, {"1.0": make_sample(b"1"), "2.0": make_sample(b"2")})
    source = LayoutSource(tmp_path)
    assert source.head("2.0").digest == make_sample(b"2").digest
    with pytest.raises(NotFound, match=r"Name one of 1\.0, 2\.0"):
        source.head("")
    with pytest.raises(NotFound, match=r"no 3\.0\. It holds 1\.0, 2\.0"):
        source.head("3.0")


def test_a_manifest_within_an_index_is_found_by_its_digest(tmp_path, sample):
    write_layout(tmp_path, {"1.0": sample})
    listed = {"mediaType": DOCKER_MANIFEST, "digest": sample.digest, "size": len(sample.manifest)}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [listed]}).encode()
    write_blob(tmp_path, index)
    outer = {"mediaType": OCI_INDEX, "digest": sha256(index), "size": len(index)}
    (tmp_path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [outer]}))
    source = LayoutSource(tmp_path)
    assert parse_manifest(source.manifest("")[1], OCI_INDEX).manifests[0].digest == sample.digest
    assert source.manifest(sample.digest)[0].media_type == DOCKER_MANIFEST


def test_plain_layers_are_not_compressed(tmp_path, sample):
    manifest = json.loads(sample.manifest)
    manifest["layers"][0]["mediaType"] = OCI_LAYER_TAR
    plain = type(sample)(sample.config, sample.layer, json.dumps(manifest).encode())
    write_layout(tmp_path, {"1.0": plain})
    assert not LayoutSource(tmp_path).stores_compressed


def test_damaged_content_is_noticed(tmp_path, sample):
    write_layout(tmp_path, {"1.0": sample})
    blobs = tmp_path / "blobs" / "sha256"
    for path in blobs.iterdir():
        path.write_bytes(b"x" + path.read_bytes()[1:])
    source = LayoutSource(tmp_path)
    with pytest.raises(DigestMismatch):
        source.manifest("1.0")
    with pytest.raises(DigestMismatch):
        list(source.blob(sample.layer_descriptor))


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"", InvalidResponse), (b"[]", InvalidResponse), (b'{"config":{},"layers":[]}', InvalidResponse)],
)
def test_a_malformed_index_is_refused(tmp_path, content, error):
    (tmp_path / "index.json").write_bytes(content)
    with pytest.raises(error):
        LayoutSource(tmp_path).head("")


def test_what_is_not_there_is_not_found(tmp_path, sample):
    with pytest.raises(NotFound, match="no OCI layout"):
        LayoutSource(tmp_path / "nothing").head("")
    write_layout(tmp_path, {"1.0": sample})
    (tmp_path / "blobs" / "sha256" / sample.digest.removeprefix("sha256:")).unlink()
    with pytest.raises(NotFound, match="incomplete"):
        LayoutSource(tmp_path).manifest("1.0")


def test_a_digest_cannot_lead_out_of_the_layout(tmp_path, sample):
    write_layout(tmp_path, {"1.0": sample})
    with pytest.raises(InvalidReference):
        LayoutSource(tmp_path).blob(Descriptor("", "sha256:../../index.json", 10))


def test_a_pipe_in_place_of_a_blob_does_not_hang(tmp_path, sample):
    write_layout(tmp_path, {"1.0": sample})
    blob = tmp_path / "blobs" / "sha256" / sample.digest.removeprefix("sha256:")
    blob.unlink()
    os.mkfifo(blob)
    with pytest.raises(NotFound):
        LayoutSource(tmp_path).manifest("1.0")


def test_a_directory_of_layouts_is_an_endpoint(tmp_path):
    for name in ("b", "a/nested"):
        (tmp_path / name).mkdir(parents=True)
        write_layout(tmp_path / name, {"1": make_sample(name.encode())})
    endpoint = open_endpoint("layout", str(tmp_path))
    endpoint.check()
    assert list(endpoint.repositories()) == ["a/nested", "b"]
    assert list(endpoint.tags("b")) == ["1"]
    source = endpoint.source("a/nested")
    assert (source.name, source.head("1").digest) == ("a/nested", make_sample(b"a/nested").digest)
    with pytest.raises(NotFound):
        endpoint.source("../outside")


def test_an_empty_layout_says_so(tmp_path):
    write_layout(tmp_path, {})
    with pytest.raises(NotFound, match=r"holds no image yet: its index\.json is empty"):
        LayoutSource(tmp_path).head("")


def test_one_layout_is_an_endpoint_of_one_repository(tmp_path, sample):
    write_layout(tmp_path, {"1": sample})
    endpoint = open_endpoint("layout", str(tmp_path))
    assert list(endpoint.repositories()) == [tmp_path.name]
    assert list(endpoint.tags(tmp_path.name)) == ["1"]


def test_a_directory_without_layouts_fails_the_connection_test(tmp_path):
    with pytest.raises(NotFound, match="holds no OCI layout"):
        open_endpoint("layout", str(tmp_path)).check()
    with pytest.raises(NotFound, match="no directory"):
        open_endpoint("layout", str(tmp_path / "missing")).check()


def test_a_whole_name_in_the_place_of_a_tag_is_asked_for_by_its_tag(tmp_path):
    images = {"registry.example.com/app:1.0": make_sample(b"1"), "registry.example.com/app:2.0": make_sample(b"2")}
    write_layout(tmp_path, images)
    endpoint = open_endpoint("layout", str(tmp_path))
    assert list(endpoint.tags(tmp_path.name)) == ["1.0", "2.0"]
    assert endpoint.source(tmp_path.name).head("2.0").digest == make_sample(b"2").digest
