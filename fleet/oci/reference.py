"""References: the text that names an image, in Docker's short form or as skopeo writes places.

Spec: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests,
https://github.com/distribution/reference/blob/main/reference.go
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fleet.oci.digests import is_digest
from fleet.oci.errors import InvalidReference
from fleet.oci.wording import shown

DOCKER_HUB = "docker.io"

_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*", re.ASCII)
_REGISTRY = re.compile(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_REPOSITORY_LIMIT = 255
_TEXT_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Reference:
    """An image in a registry. ``registry`` is a host with its port, ``docker.io`` for Docker Hub."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Reads ``[registry/]repository[:tag][@digest]`` and fills in what Docker leaves unsaid."""
        if "://" in text:
            raise InvalidReference(
                f"{shown(text)!r} is a URL, not a reference. Leave the scheme out: registry.example.com/app:1.0."
            )
        if len(text) > _TEXT_LIMIT:
            raise InvalidReference(f"{shown(text)!r} is too long for a reference. Write registry/repository:tag.")
        rest, at, digest = text.partition("@")
        if at and not is_digest(digest):
            raise InvalidReference(f"{shown(text)!r} has no valid digest. Write @sha256: and 64 hexadecimal digits.")
        rest, tag = _split_tag(rest)
        if tag is not None and not is_tag(tag):
            raise InvalidReference(
                f"{shown(text)!r} has no valid tag. A tag is up to 128 letters, digits, dots, dashes and underscores."
            )
        registry, repository = _split_registry(rest)
        if not is_repository(repository):
            raise InvalidReference(
                f"{shown(text)!r} is no reference. Write registry/repository:tag, the repository in lower case."
            )
        return cls(registry, repository, tag, digest if at else None)

    @property
    def name(self) -> str:
        return f"{self.registry}/{self.repository}"

    @property
    def target(self) -> str:
        """What to ask the registry for: the digest, else the tag, else ``latest``."""
        return self.digest or self.tag or "latest"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True, slots=True)
class EngineLocation:
    """An image in a Docker Engine, named as ``docker run`` names it."""

    name: str


@dataclass(frozen=True, slots=True)
class LayoutLocation:
    """An image in an OCI layout. ``tag`` is None for the only one, or a tag, or a digest."""

    path: Path
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class ArchiveLocation:
    """An image in what ``docker save`` wrote. ``tag`` is None for the only one, or a full name."""

    path: Path
    tag: str | None = None


Location = Reference | EngineLocation | LayoutLocation | ArchiveLocation


def parse_location(text: str) -> Location:
    """A reference, or skopeo's ``docker://REFERENCE``, ``docker-daemon:NAME``, ``oci:PATH[:TAG]``,
    ``oci-archive:PATH[:TAG]`` or ``docker-archive:PATH[:NAME]``; its other places get a sentence that says how."""
    kind, colon, rest = text.partition(":")
    if colon and kind in _UNREAD:
        raise InvalidReference(f"{kind}: places are not read. {_UNREAD[kind]}")
    if kind not in ("docker", *_EXAMPLES) or not colon:
        return Reference.parse(text)
    if kind == "docker" and rest.startswith("//"):
        return Reference.parse(rest[2:])
    if kind == "docker":
        return Reference.parse(text)
    if not rest or "\0" in rest:
        raise InvalidReference(f"{shown(text)!r} names nothing. Write {kind}:{_EXAMPLES[kind]}.")
    if kind == "docker-daemon":
        return EngineLocation(rest)
    path, tag = _split_path(rest)
    return LayoutLocation(path, tag) if kind == "oci" else ArchiveLocation(path, tag)


_EXAMPLES = {
    "docker-daemon": "app:1.0",
    "oci": "path/to/layout:1.0",
    "oci-archive": "path/to/image.tar:1.0",
    "docker-archive": "path/to/image.tar",
}
# No official image has such a name, so none of these can be meant as name:tag.
_UNREAD = {
    "containers-storage": "Write the image to a file with podman save -o app.tar, then name docker-archive:app.tar.",
    "podman": "Write the image to a file with podman save -o app.tar, then name docker-archive:app.tar.",
    "dir": "Copy it with skopeo copy dir:PATH oci:LAYOUT:TAG, then name oci:LAYOUT:TAG.",
    "ostree": "Copy it with skopeo copy to oci:LAYOUT:TAG, then name that.",
    "sif": "A Singularity image has no layers. Name the container image that it was made from.",
    "tarball": "A root file system has no layers. Import it with docker import, then name docker-daemon:NAME.",
}


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None


def is_repository(text: str) -> bool:
    return len(text) <= _REPOSITORY_LIMIT and _REPOSITORY.fullmatch(text) is not None


def is_registry(text: str) -> bool:
    """A host name or address, with or without a port."""
    return len(text) <= _REPOSITORY_LIMIT and _REGISTRY.fullmatch(text) is not None


def _split_tag(text: str) -> tuple[str, str | None]:
    """A colon before the last slash belongs to a port."""
    head, colon, tag = text.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (text, None)


def _split_registry(text: str) -> tuple[str, str]:
    """Docker's rule: the first component is a registry when it could not be a part of a repository's name."""
    first, slash, rest = text.partition("/")
    looks_like_host = "." in first or ":" in first or first == "localhost" or first.lower() != first
    if not slash or not looks_like_host:
        first, rest = DOCKER_HUB, text
    if not is_registry(first):
        raise InvalidReference(f"{shown(text)!r} names no valid registry. Write host[:port]/repository:tag.")
    first = DOCKER_HUB if first == f"index.{DOCKER_HUB}" else first
    return first, f"library/{rest}" if first == DOCKER_HUB and "/" not in rest else rest


def _split_path(text: str) -> tuple[Path, str | None]:
    path, at, digest = text.partition("@")
    if at and is_digest(digest):
        return Path(path), digest
    path, _, tag = text.partition(":")
    return Path(path), tag or None
