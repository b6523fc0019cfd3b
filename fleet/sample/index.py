"""Indexes: an image per platform, and the attestation that BuildKit adds.

Specs: https://github.com/opencontainers/image-spec/blob/main/image-index.md and
https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet.oci.manifest import Platform
from fleet.sample.build import MEDIA_TYPES, Blob, BuiltImage, Bytes, Dialect, Document

IN_TOTO = "application/vnd.in-toto+json"
UNKNOWN = Platform("unknown", "unknown")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A manifest that is no image: an attestation, a chart, a signature."""

    document: Document
    contents: tuple[Bytes, ...]

    @property
    def documents(self) -> tuple[Document, ...]:
        return (self.document,)

    @property
    def blobs(self) -> tuple[Blob, ...]:
        return self.contents


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    document: Document
    members: tuple[BuiltImage | Artifact, ...]

    @property
    def digest(self) -> str:
        return self.document.digest

    @property
    def documents(self) -> tuple[Document, ...]:
        return (self.document, *(member.document for member in self.members))

    @property
    def blobs(self) -> tuple[Blob, ...]:
        return tuple(blob for member in self.members for blob in member.blobs)


def build_index(images: Mapping[Platform, BuiltImage], *, dialect: Dialect = "oci") -> BuiltIndex:
    """One image for each platform."""
    rows = [_row(image.document, platform) for platform, image in images.items()]
    return BuiltIndex(_document(rows, dialect), tuple(images.values()))


def build_artifact(config_type: str, layer_type: str, content: bytes) -> Artifact:
    """A manifest of one blob whose types say that it is no image."""
    config, layer = Bytes(b"{}"), Bytes(content)
    media_type = MEDIA_TYPES["oci"][0]
    body = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": config_type, "digest": config.digest, "size": config.size_bytes},
        "layers": [{"mediaType": layer_type, "digest": layer.digest, "size": layer.size_bytes}],
    }
    return Artifact(Document(media_type, json.dumps(body).encode()), (config, layer))


def attested(image: BuiltImage, platform: Platform, predicate: Mapping[str, object] | None = None) -> BuiltIndex:
    """The image beside its provenance, as ``docker buildx build --push`` publishes it. ``predicate`` is what it says
    of the build (SLSA 0.2), by default next to nothing."""
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": "image", "digest": {"sha256": image.digest.removeprefix("sha256:")}}],
        "predicate": predicate or {"buildType": "https://mobyproject.org/buildkit@v1"},
    }
    provenance = build_artifact(MEDIA_TYPES["oci"][1], IN_TOTO, json.dumps(statement).encode())
    about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.digest}
    rows = [_row(image.document, platform), {**_row(provenance.document, UNKNOWN), "annotations": about}]
    return BuiltIndex(_document(rows, "oci"), (image, provenance))


def _row(document: Document, platform: Platform) -> dict[str, object]:
    where = {"architecture": platform.architecture, "os": platform.os}
    if platform.variant:
        where["variant"] = platform.variant
    return {
        "mediaType": document.media_type,
        "digest": document.digest,
        "size": len(document.body),
        "platform": where,
    }


def _document(rows: Sequence[Mapping[str, object]], dialect: Dialect) -> Document:
    media_type = MEDIA_TYPES[dialect][3]
    return Document(media_type, json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": rows}).encode())
