"""What a builder attested of an image: its Dockerfile, what it was built from, and which layers came with the base.

BuildKit keeps it beside the image, in an attestation manifest of the same index, as in-toto statements whose predicate
is SLSA provenance 0.2 or 1. It is a builder's word, not proof: nothing here is verified but the digests of the blobs.

Specs: https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md and slsa-definitions.md.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import unquote

from fleet.oci import media_types
from fleet.oci.digests import is_digest
from fleet.oci.document import Document, clean
from fleet.oci.errors import RegistryError
from fleet.oci.manifest import Descriptor, Index, Manifest, parse_manifest
from fleet.oci.sources.source import Source

STATEMENT_LIMIT_BYTES = 8 << 20
DOCKERFILE_LIMIT_BYTES = 256 << 10

_PREDICATES = ("https://slsa.dev/provenance/v0.2", "https://slsa.dev/provenance/v1")
_PREDICATE_TYPE = "in-toto.io/predicate-type"
# Nobody builds on these: the builder itself runs them.
_TOOLS = ("docker/dockerfile", "docker/dockerfile-upstream", "docker/buildkit-syft-scanner")
_METADATA = ("buildkit_metadata", "https://mobyproject.org/buildkit@v1#metadata")
_IMAGE_SOURCE = ("docker-image://", "oci-layout://")
_BASE_LIMIT = 100
_STEP_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Provenance:
    """``base_digests`` are (name, digest) pairs of every image that a stage began with or copied from, in the order of
    the statement. ``base_stacks`` are the layers of such images as their digests, known in BuildKit's max mode only;
    ``dockerfile`` too, as it was built."""

    dockerfile: str | None = None
    base_digests: tuple[tuple[str, str], ...] = ()
    base_stacks: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def restore(cls, kept: Mapping[str, Any]) -> Provenance:
        """What ``keep`` made."""
        return cls(
            kept.get("dockerfile"),
            tuple((name, digest) for name, digest in kept.get("base_digests", ())),
            tuple(tuple(stack) for stack in kept.get("base_stacks", ())),
        )

    def keep(self) -> dict[str, Any]:
        """As JSON, for a database."""
        return {
            "dockerfile": self.dockerfile,
            "base_digests": [list(pair) for pair in self.base_digests],
            "base_stacks": [list(stack) for stack in self.base_stacks],
        }

    def base_layer_count(self, manifest: Manifest) -> int | None:
        """How many of the first layers came with the base, always less than all of them; None where it is not said."""
        mine = tuple(layer.digest for layer in manifest.layers)
        shorter = (stack for stack in self.base_stacks if 0 < len(stack) < len(mine))
        return max((len(stack) for stack in shorter if mine[: len(stack)] == stack), default=None)


def read_provenance(source: Source, index: Index, image: Descriptor) -> Provenance | None:
    """What ``index`` attests of ``image``, one of its manifests: two requests, none where there is no attestation.

    None where nothing usable is attested: an attestation is a gift, and a bad one must not cost the image. Raises only
    what may pass (RateLimited, Unreachable, ServerFailure), since asking again later may answer.
    """
    attestation = next(
        (item for item in index.attestations if item.annotations.get(media_types.REFERENCE_DIGEST) == image.digest),
        None,
    )
    if attestation is None or not media_types.is_image_manifest(attestation.media_type):
        return None
    try:
        descriptor, body = source.manifest(attestation.digest)
        manifest = parse_manifest(body, descriptor.media_type)
        statement = _statement(manifest) if isinstance(manifest, Manifest) else None
        if statement is None:
            return None
        return parse_provenance(b"".join(source.blob(statement)))
    except RegistryError as error:
        if error.temporary:
            raise
        return None


def find_provenance(source: Source, reference: str, image_digest: str) -> Provenance | None:
    """The same from what a tag points to, where the index is not at hand: one request more, none where ``reference``
    is the image itself."""
    if reference == image_digest:
        return None
    try:
        descriptor, body = source.manifest(reference)
        index = parse_manifest(body, descriptor.media_type)
    except RegistryError as error:
        if error.temporary:
            raise
        return None
    image = Descriptor("", image_digest, 0)
    return read_provenance(source, index, image) if isinstance(index, Index) else None


def parse_provenance(body: bytes) -> Provenance | None:
    """A statement's content; None when it is no provenance, or says nothing of use. Raises InvalidResponse."""
    if len(body) > STATEMENT_LIMIT_BYTES:
        return None
    statement = Document.parse(body, "The provenance")
    predicate = statement.document("predicate")
    if predicate is None or not _is_provenance(statement.text("predicateType")):
        return None
    definition = predicate.document("buildDefinition")
    if definition:
        details = predicate.document("runDetails")
        metadata = _inner(details, "metadata")
        materials = definition.documents("resolvedDependencies")
        parameters = [definition.document("internalParameters"), definition.document("externalParameters")]
        config = next(filter(None, (_inner(item, "buildConfig") for item in parameters)), None)
    else:
        metadata = predicate.document("metadata")
        materials = predicate.documents("materials")
        config = predicate.document("buildConfig")
    builder = next(filter(None, (_inner(metadata, name) for name in _METADATA)), None)
    found = Provenance(
        _dockerfile(_inner(builder, "source")),
        tuple(dict.fromkeys(islice(_bases(materials), _BASE_LIMIT))),
        _stacks(config, _inner(builder, "layers")),
    )
    return None if found == Provenance() else found


def _is_provenance(predicate_type: str) -> bool:
    return predicate_type.startswith(_PREDICATES)


def _statement(manifest: Manifest) -> Descriptor | None:
    """The layer that says to be provenance; where none says what it is, the first statement there is."""
    statements = [
        layer
        for layer in manifest.layers
        if media_types.without_parameters(layer.media_type) == media_types.IN_TOTO
        and layer.size_bytes <= STATEMENT_LIMIT_BYTES
    ]
    for layer in statements:
        if _is_provenance(layer.annotations.get(_PREDICATE_TYPE, "")):
            return layer
    return next((layer for layer in statements if _PREDICATE_TYPE not in layer.annotations), None)


def _inner(document: Document | None, name: str) -> Document | None:
    return document.document(name) if document else None


def _dockerfile(source: Document | None) -> str | None:
    """The build's main source, where that is a Dockerfile and was kept whole."""
    for item in source.documents("infos") if source else ():
        named = f"{item.text('language')} {item.text('filename')}".lower()
        encoded = item.text("data")
        if "dockerfile" not in named or not encoded or len(encoded) > DOCKERFILE_LIMIT_BYTES * 4 // 3 + 4:
            continue
        try:
            text = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError):
            continue
        if text.strip() and "\0" not in text:
            return clean(text)
    return None


def _bases(materials: Sequence[Document]) -> Iterator[tuple[str, str]]:
    """The images among all that went into the build, as name:tag and digest."""
    for item in materials:
        name = _image_name(item.text("uri"))
        digest = item.mapping("digest").get("sha256", "")
        if name and name.partition(":")[0] not in _TOOLS and is_digest(f"sha256:{digest}"):
            yield name, f"sha256:{digest}"


def _image_name(uri: str) -> str:
    """``pkg:docker/library/alpine@3.17?platform=linux%2Famd64`` → ``library/alpine:3.17``; "" for what is no image.

    Spec: https://github.com/package-url/purl-spec/blob/main/PURL-SPECIFICATION.rst
    """
    path = uri.partition("#")[0].partition("?")[0]
    for kind in ("pkg:docker/", "pkg:oci/"):
        if path.startswith(kind):
            # An "@" within the name would be written %40.
            name, _, version = (unquote(part) for part in path.removeprefix(kind).partition("@"))
            return f"{name}:{version}" if version and not is_digest(version) else name
    return ""


def _stacks(config: Document | None, layers: Document | None) -> tuple[tuple[str, ...], ...]:
    """The layers of each image that the build pulled: those of the steps that are nothing but an image."""
    if config is None or layers is None:
        return ()
    stacks: dict[tuple[str, ...], None] = {}
    for step in config.documents("llbDefinition")[:_STEP_LIMIT]:
        operation = _inner(step.document("op"), "Op")
        identifier = source.text("identifier") if (source := _inner(operation, "source")) else ""
        if not identifier.startswith(_IMAGE_SOURCE) or len(stacks) >= _BASE_LIMIT:
            continue
        for stack in layers.document_lists(f"{step.text('id')}:0")[:_BASE_LIMIT]:
            digests = tuple(item.text("digest") for item in stack)
            if digests and all(map(is_digest, digests)):
                stacks[digests] = None
    return tuple(stacks)
