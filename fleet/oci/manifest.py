"""Manifests, indexes and image configs as frozen values.

Specs: https://github.com/opencontainers/image-spec/blob/main/manifest.md, image-index.md, config.md; the Docker
schema 2 forms differ only in their media types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fleet.oci import media_types
from fleet.oci.digests import is_digest
from fleet.oci.document import Document
from fleet.oci.errors import InvalidResponse, NotFound, TooLarge, UnsupportedMediaType
from fleet.oci.platform import Platform as Platform
from fleet.oci.wording import shown

MANIFEST_LIMIT_BYTES = 4 << 20
CONFIG_LIMIT_BYTES = 8 << 20
# An engine mounts 127 layers, a kernel 500.
MOST_PARTS = 1000
_LARGEST_IMAGE_BYTES = 1 << 60

_LEAVE_OUT = "Leave its tag out."


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to content. ``size_bytes`` is the length of that content as stored, not of an image."""

    media_type: str
    digest: str
    size_bytes: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""

    @property
    def compressed_bytes(self) -> int:
        """What a pull of this image moves out of its registry: the config and every layer that is not foreign."""
        layers = (layer for layer in self.layers if not media_types.is_foreign_layer(layer.media_type))
        return self.config.size_bytes + sum(layer.size_bytes for layer in layers)

    @property
    def foreign_bytes(self) -> int:
        """Layers that the registry need not hold, which an engine fetches from somebody else: weighed apart."""
        return sum(layer.size_bytes for layer in self.layers if media_types.is_foreign_layer(layer.media_type))


@dataclass(frozen=True, slots=True)
class Index:
    media_type: str
    manifests: tuple[Descriptor, ...]
    artifact_type: str = ""

    @property
    def images(self) -> tuple[Descriptor, ...]:
        """The manifests of images: no attestations, no other artifacts, no further indexes."""
        return tuple(item for item in self.manifests if _is_image(item))

    @property
    def attestations(self) -> tuple[Descriptor, ...]:
        """What BuildKit adds beside the images."""
        wanted = media_types.ATTESTATION_MANIFEST
        return tuple(item for item in self.manifests if item.annotations.get(media_types.REFERENCE_TYPE) == wanted)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    created_by: str
    empty_layer: bool = False
    created: datetime | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Healthcheck:
    test: tuple[str, ...]
    interval_ns: int = 0
    timeout_ns: int = 0
    start_period_ns: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The part of an image config that says how to run it and how it came to be.

    ``entrypoint`` and ``cmd`` are None when unset, which differs from empty. ``shell_form`` forms arrive as the
    builder wrote them: ``("/bin/sh", "-c", "...")``.
    """

    platform: Platform
    created: datetime | None = None
    user: str = ""
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    working_dir: str = ""
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    healthcheck: Healthcheck | None = None
    shell: tuple[str, ...] | None = None
    on_build: tuple[str, ...] = ()
    stop_signal: str = ""
    diff_ids: tuple[str, ...] = ()
    history: tuple[HistoryEntry, ...] = ()

    def variable(self, name: str) -> str | None:
        """The value of an environment variable, or None when the config does not set it."""
        prefix = f"{name}="
        return next((item[len(prefix) :] for item in reversed(self.env) if item.startswith(prefix)), None)


def parse_manifest(body: bytes, media_type: str) -> Manifest | Index:
    """``media_type`` is the Content-Type the body came with, or "" where the source keeps none.

    Raises InvalidResponse, TooLarge, or UnsupportedMediaType for schema 1 and for what is neither manifest nor index.
    """
    if len(body) > MANIFEST_LIMIT_BYTES:
        raise TooLarge(f"The manifest is larger than {MANIFEST_LIMIT_BYTES >> 20} MiB. No builder writes such a one.")
    document = Document.parse(body, "The manifest")
    kind = _manifest_type(document, media_types.without_parameters(media_type))
    if media_types.is_index(kind):
        return Index(
            kind,
            _descriptors(document, "manifests"),
            document.text("artifactType"),
        )
    config = document.document("config")
    if config is None:
        raise InvalidResponse("The manifest is malformed: it names no config. Push the image again.")
    manifest = Manifest(
        kind,
        _descriptor(config),
        _descriptors(document, "layers"),
        document.mapping("annotations"),
        document.text("artifactType"),
    )
    if manifest.compressed_bytes + manifest.foreign_bytes > _LARGEST_IMAGE_BYTES:
        raise InvalidResponse("The manifest claims layers of more than an exbibyte. Push the image again.")
    return manifest


def choose_platform(index: Index, platform: Platform) -> Descriptor:
    """The manifest of ``index`` for ``platform``; attestations are no candidates.

    NotFound lists the platforms that there are; UnsupportedMediaType says what an index without any image is.
    """
    images = index.images
    if not images:
        raise UnsupportedMediaType(f"This is {media_types.describe_index(index)}, not a container image. {_LEAVE_OUT}")
    for item in images:
        if item.platform and item.platform.matches(platform):
            return item
    # An index of one image may leave its platform to the config.
    if len(images) == 1 and images[0].platform is None:
        return images[0]
    held = ", ".join(sorted({shown(str(item.platform)) for item in images if item.platform})[:20])
    hint = f"Choose one of {held}." if held else "It says of none which platform it is for: name one by its digest."
    raise NotFound(f"The index holds no {platform} image. {hint}")


def parse_config(body: bytes) -> ImageConfig:
    """Raises InvalidResponse for malformed JSON or a field of the wrong type. Nulls count as absent."""
    if len(body) > CONFIG_LIMIT_BYTES:
        raise TooLarge(f"The image config is larger than {CONFIG_LIMIT_BYTES >> 20} MiB. No builder writes such a one.")
    document = Document.parse(body, "The image config")
    config = document.document("config") or Document({}, "The image config")
    rootfs = document.document("rootfs")
    return ImageConfig(
        platform=_platform(document),
        created=document.moment("created"),
        user=config.text("User"),
        env=config.texts("Env"),
        entrypoint=config.texts("Entrypoint") if config.has("Entrypoint") else None,
        cmd=config.texts("Cmd") if config.has("Cmd") else None,
        working_dir=config.text("WorkingDir"),
        exposed_ports=config.keys("ExposedPorts"),
        volumes=config.keys("Volumes"),
        labels=config.mapping("Labels"),
        healthcheck=_healthcheck(config.document("Healthcheck")),
        shell=config.texts("Shell") if config.has("Shell") else None,
        stop_signal=config.text("StopSignal"),
        on_build=config.texts("OnBuild"),
        diff_ids=rootfs.texts("diff_ids") if rootfs else (),
        history=tuple(_history_entry(item) for item in document.documents("history")),
    )


def _manifest_type(document: Document, content_type: str) -> str:
    stated = media_types.without_parameters(document.text("mediaType"))
    kind = content_type or stated or _shape(document)
    if media_types.is_schema1(kind) or _is_schema1(document):
        raise UnsupportedMediaType(
            "This is a legacy schema 1 manifest, which states no sizes. Push the image again with a current engine."
        )
    if stated and stated != kind:
        raise InvalidResponse(
            f"The manifest calls itself {shown(stated)}, but was sent as {shown(kind)}. Push the image again."
        )
    if not media_types.is_index(kind) and not media_types.is_image_manifest(kind):
        what = media_types.artifact_name(kind) or shown(kind) or "something unknown"
        raise UnsupportedMediaType(f"This is no image but {what}. {_LEAVE_OUT}")
    # Readable as either, it could show one image to us and another to an engine (CVE-2021-41190).
    if document.has("manifests") and (document.has("layers") or document.has("config")):
        raise InvalidResponse("The manifest is an image and an index at once. Push the image again.")
    return kind


def _is_schema1(document: Document) -> bool:
    """By the body alone: some registries send it as plain JSON, or under the type that was asked for."""
    if document.number("schemaVersion") == 1:
        return True
    return document.has("fsLayers") and not document.has("config") and not document.has("manifests")


def _shape(document: Document) -> str:
    if document.has("manifests"):
        return media_types.OCI_INDEX
    return media_types.OCI_MANIFEST if document.has("config") else ""


def _descriptors(document: Document, name: str) -> tuple[Descriptor, ...]:
    parts = document.documents(name)
    if len(parts) > MOST_PARTS:
        raise TooLarge(
            f"The manifest lists {len(parts)} {name}; {MOST_PARTS} are the most that is read. "
            "No builder writes such a one."
        )
    return tuple(map(_descriptor, parts))


def _descriptor(document: Document) -> Descriptor:
    digest = document.text("digest")
    if not is_digest(digest):
        raise InvalidResponse(f"The manifest is malformed: {shown(digest)!r} is no sha256 or sha512 digest.")
    platform = document.document("platform")
    return Descriptor(
        document.text("mediaType"),
        digest,
        document.number("size"),
        _platform(platform) if platform else None,
        document.mapping("annotations"),
        document.text("artifactType"),
    )


def _platform(document: Document) -> Platform:
    return Platform(document.text("os"), document.text("architecture"), document.text("variant"))


def _is_image(item: Descriptor) -> bool:
    if media_types.REFERENCE_TYPE in item.annotations or (item.platform and item.platform.os == "unknown"):
        return False
    if item.artifact_type and not media_types.is_image_config(item.artifact_type):
        return False
    return media_types.is_image_manifest(item.media_type)


def _healthcheck(document: Document | None) -> Healthcheck | None:
    if document is None:
        return None
    return Healthcheck(
        document.texts("Test"),
        document.number("Interval"),
        document.number("Timeout"),
        document.number("StartPeriod"),
        document.number("Retries"),
    )


def _history_entry(document: Document) -> HistoryEntry:
    return HistoryEntry(
        document.text("created_by"), document.flag("empty_layer"), document.moment("created"), document.text("comment")
    )
