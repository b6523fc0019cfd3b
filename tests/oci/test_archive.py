import gzip
import io
import json
import tarfile

import pytest

from fleet.oci.errors import DigestMismatch, InvalidResponse, NotFound, RegistryError
from fleet.oci.manifest import parse_config, parse_manifest
from fleet.oci.media_types import DOCKER_LAYER_GZIP, DOCKER_LAYER_TAR, DOCKER_MANIFEST
from fleet.oci.reference import parse_location
from fleet.oci.sources import ArchiveSource, open_location
from tests.oci.content import sha256
from tests.oci.test_layout import write_layout

LAYERS = (b"layer one" * 400_000, b"layer two")


def config_for(*layers):
    rootfs = {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]}
    return json.dumps({"os": "linux", "architecture": "amd64", "rootfs": rootfs}).encode()


def write_tar(path, members, links=()):
    with tarfile.open(path, "w") as archive:
        for name, body in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
        for name, kind, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return path


def saved(config, layers, tags=("app:1.0",)):
    entry = {"Config": "config.json", "RepoTags": list(tags), "Layers": list(layers)}
    return {"config.json": config, "manifest.json": json.dumps([entry]).encode()}


@pytest.fixture
def archive(tmp_path):
    members = {"a/layer.tar": LAYERS[0], "b/layer.tar": LAYERS[1]}
    return write_tar(tmp_path / "app.tar", members | saved(config_for(*LAYERS), members))


@pytest.mark.parametrize("suffix", ["", ":app:1.0", ":1.0", ":docker.io/library/app:1.0"])
def test_a_saved_image_gets_a_manifest_that_tells_the_truth(archive, suffix):
    source, reference = open_location(parse_location(f"docker-archive:{archive}{suffix}"))
    assert source.name == "app"
    assert not source.stores_compressed
    descriptor, body = source.manifest(reference)
    assert (descriptor.digest, descriptor.size_bytes) == (sha256(body), len(body))
    assert source.head(descriptor.digest) == source.head(reference) == descriptor
    manifest = parse_manifest(body, descriptor.media_type)
    assert manifest.media_type == DOCKER_MANIFEST
    assert [(layer.media_type, layer.digest, layer.size_bytes) for layer in manifest.layers] == [
        (DOCKER_LAYER_TAR, sha256(layer), len(layer)) for layer in LAYERS
    ]
    assert tuple(b"".join(source.blob(layer)) for layer in manifest.layers) == LAYERS
    assert max(len(chunk) for chunk in source.blob(manifest.layers[0])) <= 256 << 10
    assert len(parse_config(b"".join(source.blob(manifest.config))).diff_ids) == 2


def test_a_blob_is_found_before_any_manifest_was_asked_for(archive):
    manifest = parse_manifest(ArchiveSource(archive).manifest("")[1], DOCKER_MANIFEST)
    assert b"".join(ArchiveSource(archive).blob(manifest.layers[1])) == LAYERS[1]


@pytest.mark.parametrize(
    "link", [("b/layer.tar", tarfile.SYMTYPE, "../a/layer.tar"), ("b/layer.tar", tarfile.LNKTYPE, "a/layer.tar")]
)
def test_equal_layers_may_be_links(tmp_path, link):
    members = {"a/layer.tar": LAYERS[0]} | saved(config_for(LAYERS[0], LAYERS[0]), ["a/layer.tar", "b/layer.tar"])
    source = ArchiveSource(write_tar(tmp_path / "app.tar", members, [link]))
    manifest = parse_manifest(source.manifest("")[1], DOCKER_MANIFEST)
    assert [layer.digest for layer in manifest.layers] == [sha256(LAYERS[0])] * 2


@pytest.mark.parametrize("target", ["../../../../etc/passwd", "/etc/passwd", "layer.tar"])
def test_a_link_does_not_lead_out_or_round_in_circles(tmp_path, target):
    members = saved(config_for(LAYERS[0]), ["a/layer.tar"])
    links = [("a/layer.tar", tarfile.SYMTYPE, target)]
    with pytest.raises(NotFound, match=r"holds no a/layer\.tar"):
        ArchiveSource(write_tar(tmp_path / "app.tar", members, links)).manifest("")


def test_layers_that_another_tool_compressed_are_named_by_their_stored_bytes(tmp_path):
    stored = gzip.compress(LAYERS[0])
    members = {"1.tar.gz": stored} | saved(config_for(LAYERS[0]), ["1.tar.gz"])
    source = ArchiveSource(write_tar(tmp_path / "app.tar", members))
    (layer,) = parse_manifest(source.manifest("")[1], DOCKER_MANIFEST).layers
    assert (layer.media_type, layer.digest) == (DOCKER_LAYER_GZIP, sha256(stored))
    assert source.stores_compressed
    assert b"".join(source.blob(layer)) == stored


def test_a_layer_that_is_not_what_its_config_says_is_noticed(tmp_path):
    members = {"1.tar": b"other" * 10} | saved(config_for(LAYERS[1]), ["1.tar"])
    source = ArchiveSource(write_tar(tmp_path / "app.tar", members))
    (layer,) = parse_manifest(source.manifest("")[1], DOCKER_MANIFEST).layers
    with pytest.raises(DigestMismatch):
        list(source.blob(layer))


def test_a_layout_within_the_archive_is_read_as_such(tmp_path, sample):
    layout = tmp_path / "layout"
    layout.mkdir()
    write_layout(layout, {"1.0": sample}, **{"io.containerd.image.name": "docker.io/library/app:1.0"})
    members = {str(path.relative_to(layout)): path.read_bytes() for path in layout.rglob("*") if path.is_file()}
    source = ArchiveSource(write_tar(tmp_path / "app.tar", members | saved(sample.config, ["ignored"])))
    assert source.manifest("app:1.0") == source.manifest("")
    assert source.manifest("")[0].digest == sample.digest
    assert b"".join(source.blob(sample.layer_descriptor)) == sample.layer
    assert source.stores_compressed


def test_several_images_must_be_told_apart(tmp_path):
    entries = [
        {"Config": f"{name}.json", "RepoTags": [f"{name}:1"], "Layers": [f"{name}.tar"]} for name in ("one", "two")
    ]
    members = {"manifest.json": json.dumps(entries).encode()}
    for name in ("one", "two"):
        members |= {f"{name}.json": config_for(name.encode()), f"{name}.tar": name.encode()}
    source = ArchiveSource(write_tar(tmp_path / "both.tar", members))
    (layer,) = parse_manifest(source.manifest("two:1")[1], DOCKER_MANIFEST).layers
    assert b"".join(source.blob(layer)) == b"two"
    for ambiguous in ("", "1"):
        with pytest.raises(NotFound, match="Name one of one:1, two:1"):
            source.head(ambiguous)
    with pytest.raises(NotFound, match="holds no three"):
        source.head("three:1")


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({}, InvalidResponse),
        ({"something": b"else"}, InvalidResponse),
        ({"manifest.json": b"[[]]"}, InvalidResponse),
        ({"manifest.json": b"[]"}, NotFound),
        ({"manifest.json": b"nonsense"}, InvalidResponse),
        (saved(config_for(), ["1.tar"]), InvalidResponse),
        (saved(b"<html>", []), InvalidResponse),
        ({"manifest.json": b'[{"Config":"/etc/hostname","Layers":[]}]'}, NotFound),
        ({"manifest.json": b'[{"Config":null,"RepoTags":null,"Layers":null}]'}, NotFound),
    ],
)
def test_what_is_no_saved_image_is_refused(tmp_path, members, error):
    with pytest.raises(error):
        ArchiveSource(write_tar(tmp_path / "app.tar", members)).manifest("")


def test_a_file_that_is_no_tar_is_refused(tmp_path, archive):
    compressed = tmp_path / "app.tar.gz"
    compressed.write_bytes(gzip.compress(archive.read_bytes()))
    for path in (compressed, tmp_path / "missing.tar", tmp_path):
        with pytest.raises(RegistryError, match=r"uncompressed|Check the path"):
            ArchiveSource(path)


def test_an_archive_that_was_cut_off_is_noticed(archive):
    whole = archive.read_bytes()
    manifest = parse_manifest(ArchiveSource(archive).manifest("")[1], DOCKER_MANIFEST)
    archive.write_bytes(whole[: len(LAYERS[0]) // 2])
    with pytest.raises(RegistryError):
        list(ArchiveSource(archive).blob(manifest.layers[0]))


def test_a_stream_outlives_the_source(archive):
    source = ArchiveSource(archive)
    layer = parse_manifest(source.manifest("")[1], DOCKER_MANIFEST).layers[0]
    chunks = source.blob(layer)
    next(chunks)
    source.close()
    assert sum(map(len, chunks)) > 0
    with pytest.raises(RegistryError, match="closed"):
        source.head("")
