import json
from datetime import UTC, datetime

import pytest

from fleet.oci.errors import InvalidReference, InvalidResponse, NotFound, TooLarge, UnsupportedMediaType
from fleet.oci.manifest import (
    Descriptor,
    HistoryEntry,
    Index,
    Manifest,
    Platform,
    choose_platform,
    parse_config,
    parse_manifest,
)
from fleet.oci.media_types import (
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    SCHEMA1,
    SCHEMA1_SIGNED,
    describe_artifact,
    is_foreign_layer,
)

DIGEST = "sha256:" + "0" * 64


def descriptor(media_type=OCI_LAYER_GZIP, **fields):
    return {"mediaType": media_type, "digest": DIGEST, "size": 7, **fields}


def manifest(**fields):
    return {"schemaVersion": 2, "config": descriptor(OCI_CONFIG, size=3), "layers": [descriptor()], **fields}


def parse(value, media_type=OCI_MANIFEST):
    return parse_manifest(json.dumps(value).encode(), media_type)


def test_a_manifest_weighs_its_config_and_its_layers():
    found = parse(manifest(layers=[descriptor(), descriptor(size=100)]))
    assert isinstance(found, Manifest)
    assert found.compressed_bytes == 3 + 7 + 100


def test_parameters_of_the_content_type_do_not_matter():
    assert parse(manifest(mediaType=OCI_MANIFEST), f"{OCI_MANIFEST}; charset=utf-8").media_type == OCI_MANIFEST


def test_an_index_lists_its_platforms():
    found = parse(
        {
            "schemaVersion": 2,
            "manifests": [descriptor(OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64"})],
        },
        OCI_INDEX,
    )
    assert isinstance(found, Index)
    assert found.manifests[0].platform == Platform("linux", "arm64")


@pytest.mark.parametrize(
    ("value", "media_type", "error"),
    [
        (manifest(mediaType=DOCKER_MANIFEST), OCI_MANIFEST, InvalidResponse),
        (manifest(manifests=[]), OCI_MANIFEST, InvalidResponse),
        (manifest(config=None), OCI_MANIFEST, InvalidResponse),
        (manifest(layers=[descriptor(size=-1)]), OCI_MANIFEST, InvalidResponse),
        (manifest(layers=[descriptor(size=2**63)]), OCI_MANIFEST, InvalidResponse),
        (manifest(layers=[descriptor(size=True)]), OCI_MANIFEST, InvalidResponse),
        (manifest(layers=[descriptor(size="7")]), OCI_MANIFEST, InvalidResponse),
        (manifest(layers=[descriptor(digest="sha256:../../x")]), OCI_MANIFEST, InvalidResponse),
        (manifest(layers="none"), OCI_MANIFEST, InvalidResponse),
        (manifest(layers=[[]]), OCI_MANIFEST, InvalidResponse),
        ([], OCI_MANIFEST, InvalidResponse),
        ({"schemaVersion": 1, "fsLayers": []}, SCHEMA1_SIGNED, UnsupportedMediaType),
        ({"schemaVersion": 1, "fsLayers": []}, "", UnsupportedMediaType),
        ({"schemaVersion": 1, "fsLayers": []}, SCHEMA1, UnsupportedMediaType),
        ({"schemaVersion": 1, "fsLayers": []}, "application/json", UnsupportedMediaType),
        ({"schemaVersion": 1, "fsLayers": []}, OCI_MANIFEST, UnsupportedMediaType),
        (manifest(), "application/json", UnsupportedMediaType),
    ],
)
def test_what_is_no_manifest_is_refused(value, media_type, error):
    with pytest.raises(error):
        parse(value, media_type)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\xfe", b"[" * 200_000, b'{"a": NaN}', b'{"a": ' + b"9" * 10_000 + b"}"]
)
def test_hostile_json_is_refused_and_never_crashes(body):
    with pytest.raises(InvalidResponse):
        parse_manifest(body, OCI_MANIFEST)


def test_an_enormous_manifest_is_refused():
    with pytest.raises(TooLarge):
        parse_manifest(b" " * (5 << 20), OCI_MANIFEST)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, None),
        ({"layers": []}, None),
        ({"layers": [descriptor(DOCKER_LAYER_GZIP)]}, None),
        ({"layers": [descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"), descriptor()]}, None),
        ({"config": descriptor("application/vnd.cncf.helm.config.v1+json")}, "a Helm chart"),
        ({"config": descriptor("application/vnd.buildkit.cacheconfig.v0")}, "a BuildKit cache"),
        ({"layers": [descriptor("application/vnd.in-toto+json")]}, "an attestation"),
        ({"layers": [descriptor("application/vnd.dev.cosign.simplesigning.v1+json")]}, "a signature"),
        ({"config": descriptor(OCI_EMPTY), "artifactType": "text/spdx+json"}, "an SBOM"),
        ({"config": descriptor(OCI_EMPTY), "artifactType": "application/x"}, "an artifact of type application/x"),
        ({"config": descriptor("application/x.y")}, "an artifact of type application/x.y"),
        ({"layers": [descriptor("text/plain")]}, "an artifact of type text/plain"),
        ({"artifactType": OCI_CONFIG}, None),
        ({"artifactType": "application/x"}, "an artifact of type application/x"),
        ({"config": descriptor(OCI_EMPTY)}, f"an artifact of type {OCI_EMPTY}"),
        ({"config": descriptor("application/vnd.docker.attestation.config.v1+json")}, "an attestation"),
        ({"layers": [descriptor("application/vnd.dsse.envelope.v1+json")]}, "an attestation"),
        ({"artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json"}, "a signature"),
        ({"artifactType": "application/vnd.dev.sigstore.bundle+json;version=0.2"}, "a signature"),
        ({"artifactType": "application/vnd.cncf.notary.signature"}, "a signature"),
        ({"layers": [descriptor("application/vnd.cyclonedx+xml;version=1.4")]}, "an SBOM"),
        ({"layers": [descriptor("spdx+json"), descriptor("text/spdx")]}, "an SBOM"),
        ({"config": descriptor("application/vnd.wasm.config.v0+json")}, "a WebAssembly module"),
        ({"layers": [descriptor("application/wasm")]}, "a WebAssembly module"),
        ({"config": descriptor("application/x"), "layers": [descriptor("application/vnd.y.v1+wasm")]},
         "a WebAssembly module"),
        ({"config": descriptor("application/vnd.docker.plugin.v1+json")}, "a Docker Engine plugin"),
    ],
)  # fmt: skip
def test_an_artifact_is_called_by_its_name(fields, said):
    assert describe_artifact(parse(manifest(**fields))) == said


def test_foreign_layers_are_known():
    assert is_foreign_layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    assert is_foreign_layer("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd")
    assert not is_foreign_layer(OCI_LAYER_GZIP)


def test_a_schema_1_manifest_is_told_by_its_body_alone():
    for body in ({"schemaVersion": 1}, {"fsLayers": [], "history": []}, {"schemaVersion": 1, "signatures": []}):
        with pytest.raises(UnsupportedMediaType, match="legacy schema 1"):
            parse(body, "application/json")


def test_the_bytes_of_foreign_layers_are_kept_apart():
    foreign = descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", size=1000, urls=["https://x"])
    found = parse(manifest(layers=[foreign, descriptor()]))
    assert (found.compressed_bytes, found.foreign_bytes) == (3 + 7, 1000)


def image(platform, digest=DIGEST, **annotations):
    return Descriptor(OCI_MANIFEST, digest, 1, platform and Platform(*platform.split("/")), annotations)


INDEX = Index(
    OCI_INDEX,
    (
        image("unknown/unknown", **{"vnd.docker.reference.type": "attestation-manifest"}),
        image("linux/amd64", "amd64"),
        image("linux/arm64/v8", "arm64"),
        image("linux/arm/v6", "armv6"),
        image("linux/arm/v7", "armv7"),
    ),
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("linux/amd64", "amd64"),
        ("Linux/x86_64", "amd64"),
        ("linux/aarch64", "arm64"),
        ("linux/arm64/v8", "arm64"),
        ("linux/arm", "armv7"),
        ("linux/arm/v6", "armv6"),
    ],
)
def test_the_platform_is_chosen_as_engines_do(wanted, found):
    assert choose_platform(INDEX, Platform.parse(wanted)).digest == found


def test_a_missing_platform_names_those_that_exist():
    with pytest.raises(NotFound, match=r"no linux/s390x image.*linux/amd64, linux/arm/v6") as missing:
        choose_platform(INDEX, Platform("linux", "s390x"))
    assert "unknown" not in str(missing.value)


def parsed_index(*manifests, **fields):
    return parse({"schemaVersion": 2, "manifests": list(manifests), **fields}, OCI_INDEX)


ATTESTATION = descriptor(
    OCI_MANIFEST,
    platform={"os": "unknown", "architecture": "unknown"},
    annotations={"vnd.docker.reference.type": "attestation-manifest"},
)


@pytest.mark.parametrize(
    ("index", "what"),
    [
        (parsed_index(), "an empty index"),
        (parsed_index(ATTESTATION), "an index of attestations alone"),
        (parsed_index(descriptor(), descriptor("application/vnd.buildkit.cacheconfig.v0")), "a BuildKit cache"),
        (parsed_index(descriptor(OCI_MANIFEST, artifactType="application/vnd.cncf.notary.signature")), "a signature"),
        (parsed_index(descriptor("application/x"), artifactType="application/y"), "an artifact of type application/y"),
        (parsed_index(descriptor(OCI_INDEX)), "an index of further indexes"),
        (parsed_index(descriptor(SCHEMA1_SIGNED)), "an index of legacy schema 1 images"),
        (parsed_index(descriptor("application/x")), "an index of application/x"),
    ],
)
def test_an_index_without_an_image_is_set_aside_with_its_name(index, what):
    with pytest.raises(UnsupportedMediaType, match=f"This is {what}, not a container image"):
        choose_platform(index, Platform("linux", "amd64"))


def test_attestations_of_an_index_are_found_and_are_no_images():
    listed = descriptor(OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"})
    found = parsed_index(listed, ATTESTATION, descriptor(OCI_MANIFEST, artifactType="application/x"))
    assert [str(item.platform) for item in found.images] == ["linux/amd64"]
    assert found.attestations == (found.manifests[1],)


@pytest.mark.parametrize(
    ("said", "wanted", "contradicts"),
    [
        (Platform("linux", "arm64"), "linux/amd64", True),
        (Platform("windows", "amd64"), "linux/amd64", True),
        (Platform("linux", "arm", "v6"), "linux/arm/v7", True),
        (Platform("linux", "arm", "v6"), "linux/arm", False),
        (Platform("linux", "arm"), "linux/arm/v6", False),
        (Platform("linux", "amd64", "v2"), "linux/amd64", False),
        (Platform("linux", "aarch64"), "linux/arm64", False),
        (Platform("Linux", "x86_64"), "linux/amd64", False),
        (Platform("", ""), "linux/amd64", False),
        (Platform("linux", ""), "linux/amd64", False),
    ],
)
def test_what_a_config_says_may_contradict_what_is_wanted(said, wanted, contradicts):
    assert said.contradicts(Platform.parse(wanted)) is contradicts


def test_an_index_of_one_image_may_leave_its_platform_out():
    only = image(None, "only")
    assert choose_platform(Index(OCI_INDEX, (only,)), Platform("linux", "arm64")) is only


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/\n"])
def test_a_malformed_platform_is_refused(text):
    with pytest.raises(InvalidReference):
        Platform.parse(text)


def config(**fields):
    return parse_config(json.dumps({"os": "linux", "architecture": "amd64", **fields}).encode())


def test_a_config_is_read_whole():
    found = config(
        created="2026-03-01T10:20:30.123456789+02:00",
        config={
            "User": "app",
            "Env": ["PATH=/bin", "A=1=2"],
            "Entrypoint": [],
            "Cmd": None,
            "ExposedPorts": {"80/tcp": {}},
            "Volumes": {"/data": {}},
            "Labels": {"a": "b", "c": None},
            "Healthcheck": {"Test": ["CMD", "x"], "Interval": 5},
        },
        rootfs={"type": "layers", "diff_ids": [DIGEST]},
        history=[{"created_by": "RUN x", "created": "2026-03-01T10:20:30Z"}, {"empty_layer": True, "created_by": None}],
    )
    assert found.created == datetime(2026, 3, 1, 8, 20, 30, 123456, tzinfo=UTC)
    assert (found.entrypoint, found.cmd) == ((), None)
    assert found.variable("A") == "1=2"
    assert (found.exposed_ports, found.volumes) == (("80/tcp",), ("/data",))
    assert found.labels == {"a": "b", "c": ""}
    assert found.healthcheck is not None
    assert found.healthcheck.interval_ns == 5
    assert found.diff_ids == (DIGEST,)
    assert found.history[1] == HistoryEntry("", empty_layer=True)


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1980-01-01T00:00:00Z", "yesterday", "", "2026-02-30T00:00:00Z",
     "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00+99:00"],
)  # fmt: skip
def test_a_date_that_means_none_is_none(text):
    assert config(created=text).created is None


def test_nulls_count_as_absent():
    assert parse_config(b'{"os":null,"config":null,"rootfs":null,"history":null}').diff_ids == ()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"created": 7}, "created"),
        ({"config": []}, "config"),
        ({"config": {"Env": "A=1"}}, "Env"),
        ({"config": {"Env": [1]}}, r"Env\[0\]"),
        ({"config": {"Labels": {"a": {}}}}, r"Labels\[a\]"),
        ({"history": [{"empty_layer": "yes"}]}, "empty_layer"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(fields, named):
    with pytest.raises(InvalidResponse, match=named):
        config(**fields)


def test_text_that_no_database_keeps_is_made_harmless():
    assert parse_config(b'{"config":{"User":"a\\u0000b\\ud800c"}}').user == "a\ufffdb\ufffdc"
