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
from fleet.oci.errors import InvalidReference, InvalidResponse, NotFound, TooLarge, UnsupportedMediaType
from fleet.oci.wording import shown

MANIFEST_LIMIT_BYTES = 4 << 20
CONFIG_LIMIT_BYTES = 8 << 20

_REFERENCE_TYPE = "vnd.docker.reference.type"
_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "i386": ("386", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
# The variants that an index may leave unsaid.
_DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7", "amd64": "v1"}


@dataclass(frozen=True, slots=True)
class Platform:
    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """OS/ARCH[/VARIANT] as Docker writes it; uname's names for an architecture are understood."""
        parts = text.strip().lower().split("/")
        if len(parts) not in (2, 3) or not all(part.isascii() and part.isprintable() and part for part in parts):
            raise InvalidReference(f"{shown(text)!r} is no platform. Write OS/ARCH[/VARIANT], as in linux/amd64.")
        os, architecture, *rest = parts
        architecture, implied = _ARCHITECTURES.get(architecture, (architecture, ""))
        return cls(os, architecture, rest[0] if rest else implied)

    def matches(self, wanted: Platform) -> bool:
        """Whether content for this platform is what ``wanted`` asks for. A variant left unsaid is the usual one."""
        if (self.os, self.architecture) != (wanted.os, wanted.architecture):
            return False
        usual = _DEFAULT_VARIANTS.get(self.architecture, "")
        return (self.variant or usual) == (wanted.variant or usual)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to content. ``size_bytes`` is the length of that content as stored, not of an image."""

    media_type: str
    digest: str
    size_bytes: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""

    @property
    def compressed_bytes(self) -> int:
        """What a pull of this image moves: the config and every layer, in bytes as stored."""
        return self.config.size_bytes + sum(layer.size_bytes for layer in self.layers)


@dataclass(frozen=True, slots=True)
class Index:
    media_type: str
    manifests: tuple[Descriptor, ...]


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
        return Index(kind, tuple(_descriptor(item) for item in document.documents("manifests")))
    config = document.document("config")
    if config is None:
        raise InvalidResponse("The manifest is malformed: it names no config. Push the image again.")
    return Manifest(
        kind,
        _descriptor(config),
        tuple(_descriptor(item) for item in document.documents("layers")),
        document.mapping("annotations"),
        document.text("artifactType"),
    )


def choose_platform(index: Index, platform: Platform) -> Descriptor:
    """The manifest of ``index`` for ``platform``; attestations are no candidates. NotFound lists what there is."""
    images = [item for item in index.manifests if _is_image(item)]
    for item in images:
        if item.platform and item.platform.matches(platform):
            return item
    # An index of one image may leave its platform to the config.
    if len(images) == 1 and images[0].platform is None:
        return images[0]
    held = ", ".join(sorted({shown(str(item.platform)) for item in images if item.platform})[:20])
    raise NotFound(f"The index holds no {platform} image. " + (f"Choose one of {held}." if held else "It holds none."))


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
        diff_ids=rootfs.texts("diff_ids") if rootfs else (),
        history=tuple(_history_entry(item) for item in document.documents("history")),
    )


def _manifest_type(document: Document, content_type: str) -> str:
    stated = media_types.without_parameters(document.text("mediaType"))
    kind = content_type or stated or _shape(document)
    if media_types.is_schema1(kind) or document.number("schemaVersion") == 1:
        raise UnsupportedMediaType(
            "This is a legacy schema 1 manifest, which states no sizes. Push the image again with a current engine."
        )
    if stated and stated != kind:
        raise InvalidResponse(
            f"The manifest calls itself {shown(stated)}, but was sent as {shown(kind)}. Push the image again."
        )
    if not media_types.is_index(kind) and not media_types.is_image_manifest(kind):
        raise UnsupportedMediaType(f"This is no image but {shown(kind) or 'something unknown'}. Leave its tag out.")
    # Readable as either, it could show one image to us and another to an engine (CVE-2021-41190).
    if document.has("manifests") and (document.has("layers") or document.has("config")):
        raise InvalidResponse("The manifest is an image and an index at once. Push the image again.")
    return kind


def _shape(document: Document) -> str:
    if document.has("manifests"):
        return media_types.OCI_INDEX
    return media_types.OCI_MANIFEST if document.has("config") else ""


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
    )


def _platform(document: Document) -> Platform:
    return Platform(document.text("os"), document.text("architecture"), document.text("variant"))


def _is_image(item: Descriptor) -> bool:
    if _REFERENCE_TYPE in item.annotations or (item.platform and item.platform.os == "unknown"):
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
