"""Layers and images composed from lists of files, byte for byte the same whenever they are composed.

Specs: https://github.com/opencontainers/image-spec/blob/main/layer.md, manifest.md and config.md. A layer is never
held or stored: its blob is composed again each time it is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from isal import isal_zlib

from fleet.oci.manifest import Healthcheck, HistoryEntry, ImageConfig
from fleet.sample.tar import File, tar_pieces

Dialect = Literal["docker", "oci"]

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# An empty last deflate block: the pieces before it never say that they are the last.
DEFLATE_END = b"\x03\x00"
MEDIA_TYPES: Mapping[Dialect, tuple[str, str, str, str]] = {
    "docker": (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ),
    "oci": (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.index.v1+json",
    ),
}


class Blob(Protocol):
    @property
    def digest(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    def chunks(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Bytes:
    """A small blob that is held: a config, an attestation."""

    content: bytes

    @property
    def digest(self) -> str:
        return sha256(self.content)

    @property
    def size_bytes(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        yield self.content


@dataclass(frozen=True, slots=True)
class Layer:
    """A gzipped tar. ``size_bytes`` is the blob's length, ``tar_bytes`` that of the tar inside."""

    digest: str
    diff_id: str
    size_bytes: int
    tar_bytes: int
    files: Callable[[], Iterable[File]] = field(compare=False)

    def chunks(self) -> Iterator[bytes]:
        return (stored for _, stored in _compose(self.files()))


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index as it is served."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        return sha256(self.body)


class Published(Protocol):
    """What a tag can point to: ``document`` itself, every document it leads to (itself too), and their blobs."""

    @property
    def document(self) -> Document: ...
    @property
    def documents(self) -> Sequence[Document]: ...
    @property
    def blobs(self) -> Sequence[Blob]: ...


@dataclass(frozen=True, slots=True)
class BuiltImage:
    document: Document
    config: Bytes
    layers: tuple[Layer, ...]

    @property
    def digest(self) -> str:
        return self.document.digest

    @property
    def documents(self) -> tuple[Document, ...]:
        return (self.document,)

    @property
    def blobs(self) -> tuple[Blob, ...]:
        return (self.config, *self.layers)

    @property
    def compressed_bytes(self) -> int:
        return sum(blob.size_bytes for blob in self.blobs)


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def build_layer(files: Sequence[File] | Callable[[], Iterable[File]]) -> Layer:
    """Compose a layer once to learn its digests and lengths. A callable has to give the same files every time."""
    make = files if callable(files) else lambda: files
    stored_hash, tar_hash = hashlib.sha256(), hashlib.sha256()
    stored_bytes = tar_bytes = 0
    for raw, stored in _compose(make()):
        tar_hash.update(raw)
        stored_hash.update(stored)
        tar_bytes += len(raw)
        stored_bytes += len(stored)
    return Layer(f"sha256:{stored_hash.hexdigest()}", f"sha256:{tar_hash.hexdigest()}", stored_bytes, tar_bytes, make)


def _compose(files: Iterable[File]) -> Iterator[tuple[bytes | memoryview, bytes]]:
    """(part of the tar, part of the blob) pairs; the blob is one gzip member."""
    crc = length = 0
    yield b"", GZIP_HEADER
    for piece in tar_pieces(files):
        crc = isal_zlib.crc32(piece.raw, crc)
        length += len(piece.raw)
        yield piece.raw, bytes(piece.deflated)
    yield b"", DEFLATE_END + crc.to_bytes(4, "little") + (length & 0xFFFFFFFF).to_bytes(4, "little")


def build_image(config: ImageConfig, layers: Sequence[Layer], *, dialect: Dialect = "oci") -> BuiltImage:
    """An image of ``layers`` that runs as ``config`` says; the config's own ``diff_ids`` are replaced by theirs."""
    manifest_type, config_type, layer_type, _ = MEDIA_TYPES[dialect]
    stored_config = Bytes(_dump(_config_json(config, [layer.diff_id for layer in layers])))
    body = {
        "schemaVersion": 2,
        "mediaType": manifest_type,
        "config": _descriptor(config_type, stored_config),
        "layers": [_descriptor(layer_type, layer) for layer in layers],
    }
    return BuiltImage(Document(manifest_type, _dump(body)), stored_config, tuple(layers))


def _descriptor(media_type: str, blob: Blob) -> dict[str, object]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size_bytes}


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _config_json(config: ImageConfig, diff_ids: list[str]) -> dict[str, object]:
    run: dict[str, object] = {
        "User": config.user,
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Env": list(config.env),
        "Entrypoint": config.entrypoint and list(config.entrypoint),
        "Cmd": None if config.cmd is None else list(config.cmd),
        "Healthcheck": config.healthcheck and _healthcheck_json(config.healthcheck),
        "Volumes": {volume: {} for volume in config.volumes},
        "WorkingDir": config.working_dir,
        "Shell": config.shell and list(config.shell),
        "StopSignal": config.stop_signal,
        "Labels": dict(config.labels),
    }
    return {
        "architecture": config.platform.architecture,
        "os": config.platform.os,
        **({"variant": config.platform.variant} if config.platform.variant else {}),
        **({"created": _timestamp(config.created)} if config.created else {}),
        "config": {key: value for key, value in run.items() if value not in (None, "", {})},
        "history": [_history_json(entry) for entry in config.history],
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }


def _healthcheck_json(check: Healthcheck) -> dict[str, object]:
    rest = {
        "Interval": check.interval_ns,
        "Timeout": check.timeout_ns,
        "StartPeriod": check.start_period_ns,
        "Retries": check.retries,
    }
    return {"Test": list(check.test), **{key: value for key, value in rest.items() if value}}


def _history_json(entry: HistoryEntry) -> dict[str, object]:
    return {
        **({"created": _timestamp(entry.created)} if entry.created else {}),
        "created_by": entry.created_by,
        **({"comment": entry.comment} if entry.comment else {}),
        **({"empty_layer": True} if entry.empty_layer else {}),
    }


def _timestamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
