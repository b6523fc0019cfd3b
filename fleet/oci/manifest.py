"""Manifests, indexes and image configs as frozen values.

Specs: https://github.com/opencontainers/image-spec/blob/main/manifest.md, image-index.md, config.md; the Docker
schema 2 forms differ only in their media types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Platform:
    os: str
    architecture: str
    variant: str = ""

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
