"""OCI image layouts, on disk or within an archive.

Spec: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from fleet.oci.digests import is_digest, verified, verify
from fleet.oci.errors import InvalidReference, InvalidResponse, NotFound
from fleet.oci.manifest import MANIFEST_LIMIT_BYTES, Descriptor, Index, Manifest, parse_manifest
from fleet.oci.media_types import PLAIN_LAYERS, describe_artifact
from fleet.oci.reference import Reference, is_tag
from fleet.oci.sources.files import DirectoryFiles, Files, read_file
from fleet.oci.wording import shown

INDEX = "index.json"

_NAME = "org.opencontainers.image.ref.name"
_INDEX_DEPTH = 2
# What containerd, and so docker save, puts beside it: the whole reference.
_FULL_NAME = "io.containerd.image.name"


class LayoutImages:
    """The images of one layout. Every byte is verified against the digest that it is asked by."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def tags(self) -> tuple[str, ...]:
        """The names that images go by in this layout, each once."""
        names = (item.annotations.get(_NAME) for item in self._index().manifests)
        return tuple(dict.fromkeys(name for name in names if name))

    def names(self) -> tuple[tuple[str, str], ...]:
        """What each image is called, whole where that is known, "" for none; and its digest."""
        return tuple(
            dict.fromkeys(
                (item.annotations.get(_FULL_NAME) or item.annotations.get(_NAME, ""), item.digest)
                for item in self._index().manifests
            )
        )

    def holds(self, digest: str) -> bool:
        """Whether a manifest or blob of this digest is here."""
        return is_digest(digest) and self._files.size_bytes(_path(digest)) is not None

    def head(self, reference: str) -> Descriptor:
        """``reference`` is a name, a digest, or "" for the only image."""
        manifests = self._index().manifests
        if is_digest(reference):
            found = next((item for item in manifests if item.digest == reference), None)
            return found or self._by_digest(reference)
        candidates = [item for item in manifests if not reference or _is_called(item, reference)]
        if len({item.digest for item in candidates}) == 1:
            return candidates[0]
        if not manifests:
            raise NotFound(f"{self._files.where} holds no image yet: its {INDEX} is empty. Save one there first.")
        held = ", ".join(shown(name) for name in self.tags()[:20]) or "images without a name"
        where = self._files.where
        if candidates and not reference:
            raise NotFound(f"{where} holds several images. Name one of {held}, or a digest.")
        raise NotFound(f"{where} holds no {shown(reference) or 'image'}. It holds {held}.")

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]:
        descriptor = self.head(reference)
        body = read_file(self._files, _path(descriptor.digest), MANIFEST_LIMIT_BYTES)
        verify(body, descriptor.digest, self._files.where)
        return descriptor, body

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        return verified(self._files.chunks(_path(descriptor.digest)), descriptor, self._files.where)

    def check(self) -> None:
        """Raises when this is no layout."""
        self._index()

    @cached_property
    def stores_compressed(self) -> bool:
        """By its first image: what writes a layout compresses every layer or none."""
        layers = next(self._layers(self._index()), ())
        return not layers or any(layer.media_type not in PLAIN_LAYERS for layer in layers)

    def _layers(self, index: Index, depth: int = 0) -> Iterator[tuple[Descriptor, ...]]:
        """The layers of each image that is here. An index may name platforms that were never saved."""
        for item in index.manifests:
            if self._files.size_bytes(_path(item.digest)) is None:
                continue
            found = parse_manifest(self.manifest(item.digest)[1], item.media_type)
            if isinstance(found, Manifest) and found.layers and not describe_artifact(found):
                yield found.layers
            elif isinstance(found, Index) and depth < _INDEX_DEPTH:
                yield from self._layers(found, depth + 1)

    def _index(self) -> Index:
        if self._files.size_bytes(INDEX) is None:
            raise NotFound(f"{self._files.where} is no OCI layout: it has no {INDEX}. Check the path.")
        body = read_file(self._files, INDEX, MANIFEST_LIMIT_BYTES)
        index = parse_manifest(body, "")
        if not isinstance(index, Index):
            raise InvalidResponse(f"{INDEX} in {self._files.where} is no index. Write the layout again.")
        return index

    def _by_digest(self, digest: str) -> Descriptor:
        """A manifest that only another index names: its type is read from itself."""
        body = read_file(self._files, _path(digest), MANIFEST_LIMIT_BYTES)
        return Descriptor(parse_manifest(body, "").media_type, digest, len(body))


class LayoutSource:
    """One layout directory as a source."""

    def __init__(self, path: Path | str, *, name: str | None = None) -> None:
        self._images = LayoutImages(DirectoryFiles(Path(path)))
        self.name = name or Path(path).resolve().name

    @property
    def stores_compressed(self) -> bool:
        return self._images.stores_compressed

    def tags(self) -> tuple[str, ...]:
        return self._images.tags()

    def check(self) -> None:
        self._images.check()

    def head(self, reference: str) -> Descriptor:
        return self._images.head(reference)

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]:
        return self._images.manifest(reference)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        return self._images.blob(descriptor)

    def close(self) -> None:
        """Nothing is kept open."""


def is_named(stored: str, asked: str) -> bool:
    """Whether ``asked`` means the image stored as ``stored``: its tag, its name, or another way to write that."""
    if asked == stored or (is_tag(asked) and stored.endswith(f":{asked}")):
        return True
    try:
        return not is_tag(asked) and Reference.parse(asked) == Reference.parse(stored)
    except InvalidReference:
        return False


def _is_called(item: Descriptor, asked: str) -> bool:
    return any(is_named(item.annotations[key], asked) for key in (_NAME, _FULL_NAME) if key in item.annotations)


def _path(digest: str) -> str:
    if not is_digest(digest):
        raise InvalidReference(f"{shown(digest)!r} is no digest that can be verified.")
    algorithm, _, content = digest.partition(":")
    return f"blobs/{algorithm}/{content}"
