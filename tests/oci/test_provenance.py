"""What BuildKit attests beside an image, in both versions of its statement, in both modes, and in bad faith."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from fleet.oci.digests import digest_of
from fleet.oci.errors import InvalidResponse, NotFound, RateLimited
from fleet.oci.manifest import Descriptor, Index, Manifest, parse_manifest
from fleet.oci.media_types import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from fleet.oci.provenance import (
    DOCKERFILE_LIMIT_BYTES,
    STATEMENT_LIMIT_BYTES,
    Provenance,
    find_provenance,
    parse_provenance,
    read_provenance,
)

DOCKERFILE = '# syntax=docker/dockerfile:1\nFROM python:3.11\nCOPY . /app\nCMD ["python", "/app/main.py"]\n'
PYTHON, GO, FRONTEND = (character * 64 for character in "abc")
V02, V1 = "https://slsa.dev/provenance/v0.2", "https://slsa.dev/provenance/v1"
EXTENSION = "https://mobyproject.org/buildkit@v1#metadata"
BASE = tuple(f"sha256:{number:064x}" for number in (1, 2))
MINE = f"sha256:{3:064x}"
PAIRS = (("python:3.11", f"sha256:{PYTHON}"), ("ghcr.io/team/go:1.22", f"sha256:{GO}"))


def layer(digest: str) -> dict[str, object]:
    return {"mediaType": OCI_LAYER_GZIP, "digest": digest, "size": 7}


def materials() -> list[dict[str, object]]:
    return [
        {"uri": "pkg:docker/docker/dockerfile@1", "digest": {"sha256": FRONTEND}},
        {"uri": "pkg:docker/python@3.11?platform=linux%2Famd64", "digest": {"sha256": PYTHON}},
        {"uri": "pkg:docker/ghcr.io/team/go@1.22?platform=linux%2Famd64", "digest": {"sha256": GO}},
        {"uri": "https://github.com/team/app.git#refs/heads/main", "digest": {"sha1": "4" * 40}},
        {"uri": "https://example.com/tool.tar.gz", "digest": {"sha256": "d" * 64}},
    ]


def kept(dockerfile: str = DOCKERFILE) -> dict[str, object]:
    """What max mode says of sources and layers: step0 is the base, step2 what RUN or COPY made of it."""
    return {
        "vcs": {"source": "https://github.com/team/app.git"},
        "source": {
            "locations": {"step0": {"locations": [{"ranges": [{"start": {"line": 2}, "end": {"line": 2}}]}]}},
            "infos": [
                {
                    "filename": "Dockerfile",
                    "language": "Dockerfile",
                    "data": base64.b64encode(dockerfile.encode()).decode(),
                    "llbDefinition": [{"id": "step0", "op": {"Op": {"source": {"identifier": "local://dockerfile"}}}}],
                }
            ],
        },
        "layers": {
            "step0:0": [[layer(digest) for digest in BASE]],
            "step1:0": [[layer(f"sha256:{9:064x}")]],
            "step2:0": [[layer(digest) for digest in (*BASE, MINE)]],
        },
    }


def steps() -> dict[str, object]:
    return {
        "llbDefinition": [
            {"id": "step0", "op": {"Op": {"source": {"identifier": "docker-image://docker.io/library/python:3.11"}}}},
            {"id": "step1", "op": {"Op": {"source": {"identifier": "local://context"}}}},
            {"id": "step2", "op": {"Op": {"file": {}}}, "inputs": ["step0:0", "step1:0"]},
            {"id": "step3", "inputs": ["step2:0"]},
        ]
    }


def slsa02(mode: str = "max", **metadata: object) -> dict[str, object]:
    predicate: dict[str, object] = {
        "builder": {"id": ""},
        "buildType": "https://mobyproject.org/buildkit@v1",
        "materials": materials(),
        "invocation": {"parameters": {"frontend": "gateway.v0", "args": {"source": "docker/dockerfile:1"}}},
        "metadata": {EXTENSION: kept() if mode == "max" else {}, "completeness": {"materials": False}, **metadata},
    }
    if mode == "max":
        predicate["buildConfig"] = steps()
    return {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": V02, "predicate": predicate}


def slsa1(mode: str = "max", key: str = "buildkit_metadata", place: str = "internalParameters") -> dict[str, object]:
    definition: dict[str, object] = {
        "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
        "externalParameters": {"configSource": {"path": "Dockerfile"}},
        "internalParameters": {"builderPlatform": "linux/amd64"},
        "resolvedDependencies": materials(),
    }
    if mode == "max":
        definition[place] = {"buildConfig": steps()}
    details = {"builder": {"id": ""}, "metadata": {"invocationId": "x", key: kept() if mode == "max" else {}}}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": V1,
        "predicate": {"buildDefinition": definition, "runDetails": details},
    }


def parsed(statement: object) -> Provenance | None:
    return parse_provenance(json.dumps(statement).encode())


class Shelf:
    """A source in memory that counts what it is asked for."""

    name = "registry.test/app"
    stores_compressed = True

    def __init__(self) -> None:
        self.content: dict[str, tuple[str, bytes]] = {}
        self.asked: list[str] = []

    def put(self, body: bytes, media_type: str) -> dict[str, object]:
        self.content[digest_of(body)] = media_type, body
        return {"mediaType": media_type, "digest": digest_of(body), "size": len(body)}

    def publish(self, document: dict[str, object], media_type: str) -> dict[str, object]:
        return self.put(json.dumps({"schemaVersion": 2, "mediaType": media_type, **document}).encode(), media_type)

    def head(self, reference: str) -> Descriptor:
        return self.manifest(reference)[0]

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]:
        self.asked.append(reference)
        if reference not in self.content:
            raise NotFound(f"There is no {reference}.")
        media_type, body = self.content[reference]
        return Descriptor(media_type, reference, len(body)), body

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        return iter([self.manifest(descriptor.digest)[1]])

    def close(self) -> None:
        """Nothing is open."""


def attested(shelf: Shelf, *statements: tuple[bytes, dict[str, str]], about: str | None = None) -> tuple[str, str]:
    """An index of an image and its attestations; the digests of both."""
    image = shelf.publish({"config": shelf.put(b"{}", OCI_CONFIG), "layers": []}, OCI_MANIFEST)
    layers = [shelf.put(body, "application/vnd.in-toto+json") | {"annotations": said} for body, said in statements]
    attestation = shelf.publish({"config": shelf.put(b"{ }", OCI_CONFIG), "layers": layers}, OCI_MANIFEST)
    annotations = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": about or str(image["digest"]),
    }
    unknown = {"platform": {"os": "unknown", "architecture": "unknown"}, "annotations": annotations}
    rows = [image | {"platform": {"os": "linux", "architecture": "amd64"}}, attestation | unknown]
    index = shelf.publish({"manifests": rows}, OCI_INDEX)
    shelf.asked.clear()
    return str(index["digest"]), str(image["digest"])


def statement(document: object, predicate_type: str | None = V1) -> tuple[bytes, dict[str, str]]:
    return json.dumps(document).encode(), {"in-toto.io/predicate-type": predicate_type} if predicate_type else {}


SBOM = statement({"predicateType": "https://spdx.dev/Document", "predicate": {}}, "https://spdx.dev/Document")


@pytest.mark.parametrize(
    "document",
    [slsa02(), slsa1(), slsa1(key=EXTENSION), slsa1(place="externalParameters")],
    ids=["02", "1", "ext", "out"],
)
def test_max_mode_holds_the_dockerfile_the_bases_and_their_layers(document: object) -> None:
    found = parsed(document)
    assert found == Provenance(DOCKERFILE, PAIRS, (BASE,))


@pytest.mark.parametrize("found", [Provenance(), Provenance(DOCKERFILE, PAIRS, (BASE, (MINE,)))])
def test_it_is_kept_as_json_and_comes_back_the_same(found: Provenance) -> None:
    assert Provenance.restore(json.loads(json.dumps(found.keep()))) == found


@pytest.mark.parametrize("document", [slsa02("min"), slsa1("min")], ids=["02", "1"])
def test_min_mode_names_the_bases(document: object) -> None:
    assert parsed(document) == Provenance(None, PAIRS, ())


def image_of(*digests: str) -> Manifest:
    found = parse_manifest(
        json.dumps({"config": {"digest": MINE, "size": 1}, "layers": [layer(digest) for digest in digests]}).encode(),
        OCI_MANIFEST,
    )
    assert isinstance(found, Manifest)
    return found


@pytest.mark.parametrize(
    ("digests", "count"),
    [((*BASE, MINE), 2), (BASE, None), ((MINE, *BASE), None), ((BASE[0], MINE), None), ((), None)],
)
def test_the_layers_of_the_base_are_told_from_ours(digests: tuple[str, ...], count: int | None) -> None:
    found = parsed(slsa1())
    assert found is not None
    assert found.base_layer_count(image_of(*digests)) == count


def test_the_longest_base_holds_where_one_is_built_on_another() -> None:
    stacked = Provenance(base_stacks=(BASE[:1], BASE))
    assert stacked.base_layer_count(image_of(*BASE, MINE)) == 2


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("pkg:docker/alpine@3.17", "alpine:3.17"),
        ("pkg:docker/alpine", "alpine"),
        (f"pkg:docker/alpine@sha256%3A{PYTHON}", "alpine"),
        ("pkg:docker/localhost%3A5000/team/app@1.0", "localhost:5000/team/app:1.0"),
        ("pkg:docker/localhost:5000/team/app@1.0?platform=linux%2Farm64", "localhost:5000/team/app:1.0"),
    ],
)
def test_an_image_is_named_as_people_write_it(uri: str, name: str) -> None:
    document: dict[str, Any] = slsa1("min")
    document["predicate"]["buildDefinition"]["resolvedDependencies"] = [{"uri": uri, "digest": {"sha256": PYTHON}}]
    assert parsed(document) == Provenance(None, ((name, f"sha256:{PYTHON}"),))


def test_it_costs_two_requests_with_the_index_and_three_without() -> None:
    shelf = Shelf()
    reference, image = attested(shelf, SBOM, statement(slsa1()))
    index = parse_manifest(shelf.content[reference][1], OCI_INDEX)
    assert isinstance(index, Index)
    found = read_provenance(shelf, index, Descriptor(OCI_MANIFEST, image, 1))
    assert found is not None
    assert (found.dockerfile, len(shelf.asked)) == (DOCKERFILE, 2)
    shelf.asked.clear()
    assert find_provenance(shelf, reference, image) == found
    assert len(shelf.asked) == 3


def test_a_statement_that_does_not_say_what_it_is_is_looked_into() -> None:
    shelf = Shelf()
    reference, image = attested(shelf, statement(slsa02(), None))
    found = find_provenance(shelf, reference, image)
    assert found is not None
    assert found.dockerfile == DOCKERFILE


def test_the_attestation_of_another_platform_is_not_taken() -> None:
    shelf = Shelf()
    reference, image = attested(shelf, statement(slsa1()), about=MINE)
    assert find_provenance(shelf, reference, image) is None
    assert shelf.asked == [reference]


def test_an_image_without_attestation_costs_nothing_more() -> None:
    shelf = Shelf()
    assert find_provenance(shelf, MINE, MINE) is None
    assert shelf.asked == []
    assert read_provenance(Shelf(), Index(OCI_INDEX, ()), Descriptor(OCI_MANIFEST, MINE, 1)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[" * 100_000,
        b"\xff" * 100,
        b"{}",
        b'{"predicateType": 7}',
        json.dumps({"predicateType": V1, "predicate": []}).encode(),
        json.dumps({"predicateType": V1, "predicate": {"buildDefinition": {"resolvedDependencies": {}}}}).encode(),
        json.dumps({"predicateType": V02, "predicate": {"materials": [{"uri": "pkg:docker/a", "digest": 1}]}}).encode(),
        json.dumps({"predicateType": V02, "predicate": {"metadata": {EXTENSION: {"layers": {"step0:0": [{}]}}},
                    "buildConfig": steps()}}).encode(),
    ],
)  # fmt: skip
def test_a_hostile_statement_costs_the_image_nothing(body: bytes) -> None:
    shelf = Shelf()
    reference, image = attested(shelf, (body, {"in-toto.io/predicate-type": V1}))
    assert find_provenance(shelf, reference, image) is None


def test_what_is_no_statement_is_named() -> None:
    with pytest.raises(InvalidResponse, match="The provenance is no valid JSON"):
        parse_provenance(b"<html>")


def test_an_enormous_statement_is_not_asked_for() -> None:
    shelf = Shelf()
    reference, image = attested(shelf, (b" " * (STATEMENT_LIMIT_BYTES + 1), {"in-toto.io/predicate-type": V1}))
    assert find_provenance(shelf, reference, image) is None
    assert len(shelf.asked) == 2
    assert parse_provenance(b" " * (STATEMENT_LIMIT_BYTES + 1)) is None


@pytest.mark.parametrize("text", ["", "FROM a\n" + "#" * DOCKERFILE_LIMIT_BYTES, "FROM a\0b"])
def test_a_dockerfile_that_nobody_wrote_is_left_out(text: str) -> None:
    document: dict[str, Any] = slsa1()
    document["predicate"]["runDetails"]["metadata"]["buildkit_metadata"] = kept(text)
    found = parsed(document)
    assert found is not None
    assert found.dockerfile is None


def test_data_that_is_not_base64_is_left_out() -> None:
    document: dict[str, Any] = slsa1()
    infos = document["predicate"]["runDetails"]["metadata"]["buildkit_metadata"]["source"]["infos"]
    infos[0]["data"] = "not base64!"
    found = parsed(document)
    assert found is not None
    assert found.dockerfile is None


def test_a_blob_that_is_gone_costs_nothing_and_a_rate_limit_is_passed_on() -> None:
    shelf = Shelf()
    reference, image = attested(shelf, statement(slsa1()))
    whole = dict(shelf.content)
    (blob,) = (digest for digest, (kind, _) in whole.items() if kind == "application/vnd.in-toto+json")
    del shelf.content[blob]
    assert find_provenance(shelf, reference, image) is None

    class Limited(Shelf):
        def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
            raise RateLimited("Too many requests.", 60)

    limited = Limited()
    limited.content = whole
    with pytest.raises(RateLimited):
        find_provenance(limited, reference, image)
