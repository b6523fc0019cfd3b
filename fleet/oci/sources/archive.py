"""Images saved by ``docker save``: an OCI layout within a tar, or the older form with a manifest.json alone.

Spec: https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fleet.oci import media_types
from fleet.oci.digests import digest_of, is_digest, verified
from fleet.oci.document import Document
from fleet.oci.errors import InvalidResponse, NotFound, RegistryError
from fleet.oci.manifest import CONFIG_LIMIT_BYTES, MANIFEST_LIMIT_BYTES, Descriptor, parse_config
from fleet.oci.sources.files import DirectoryFiles, Files, TarFiles, read_file
from fleet.oci.sources.layout import INDEX, LayoutImages, is_named
from fleet.oci.wording import shown

_MANIFEST = "manifest.json"
_COMPRESSIONS = {b"\x1f\x8b": media_types.DOCKER_LAYER_GZIP, b"\x28\xb5": media_types.DOCKER_LAYER_ZSTD}


class Images(Protocol):
    """The images within one archive."""

    @property
    def stores_compressed(self) -> bool: ...

    def tags(self) -> tuple[str, ...]: ...

    def names(self) -> tuple[tuple[str, str], ...]:
        """What each image is called, whole where that is known, "" for none; and what to ask for it by."""
        ...

    def holds(self, digest: str) -> bool:
        """Whether a manifest or blob of this digest is here."""
        ...

    def head(self, reference: str) -> Descriptor: ...

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]: ...

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class _Saved:
    """One entry of manifest.json: its names, and the members that hold its config and its layers."""

    tags: tuple[str, ...]
    config: str
    layers: tuple[str, ...]


class SavedImages:
    """The older form. It holds no manifests: each is composed, the same for the same image every time."""

    def __init__(self, files: Files) -> None:
        self._files = files
        body = read_file(files, _MANIFEST, MANIFEST_LIMIT_BYTES)
        # The file is a list, and a Document is an object.
        document = Document.parse(b'{"images":' + body + b"}", f"{_MANIFEST} in {files.where}")
        self._saved = tuple(
            _Saved(item.texts("RepoTags"), item.text("Config"), item.texts("Layers"))
            for item in document.documents("images")
        )
        self._composed: dict[_Saved, tuple[Descriptor, bytes]] = {}
        self._members: dict[str, str] = {}

    @property
    def stores_compressed(self) -> bool:
        layers = self._saved[0].layers if self._saved else ()
        return any(self._layer_type(name) != media_types.DOCKER_LAYER_TAR for name in layers)

    def tags(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(tag for saved in self._saved for tag in saved.tags))

    def names(self) -> tuple[tuple[str, str], ...]:
        named = dict.fromkeys(tag for tag in self.tags() if "<none>" not in tag)
        if not named and len(self._saved) == 1:
            return (("", ""),)
        return tuple((tag, tag) for tag in named)

    def holds(self, digest: str) -> bool:
        composed = {self._compose(saved)[0].digest for saved in self._saved}
        return digest in composed or digest in self._members

    def head(self, reference: str) -> Descriptor:
        return self.manifest(reference)[0]

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]:
        found = {self._compose(saved)[0].digest: saved for saved in self._saved if self._is_meant(saved, reference)}
        if len(found) == 1:
            return self._compose(next(iter(found.values())))
        held = ", ".join(shown(tag) for tag in self.tags()[:20]) or "images without a name"
        if found:
            raise NotFound(f"{self._files.where} holds several images. Name one of {held}.")
        raise NotFound(f"{self._files.where} holds no {shown(reference) or 'image'}. It holds {held}.")

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        if descriptor.digest not in self._members:
            for saved in self._saved:
                self._compose(saved)
        name = self._members.get(descriptor.digest)
        if name is None:
            raise NotFound(f"{self._files.where} holds no {shown(descriptor.digest)}. Save the image again.")
        return verified(self._files.chunks(name), descriptor, self._files.where)

    def _is_meant(self, saved: _Saved, reference: str) -> bool:
        if is_digest(reference):
            return self._compose(saved)[0].digest == reference
        return not reference or any(is_named(tag, reference) for tag in saved.tags)

    def _compose(self, saved: _Saved) -> tuple[Descriptor, bytes]:
        """A schema 2 manifest with the descriptors of what is stored."""
        if saved not in self._composed:
            config = read_file(self._files, saved.config, CONFIG_LIMIT_BYTES)
            diff_ids = parse_config(config).diff_ids
            if len(diff_ids) != len(saved.layers):
                raise InvalidResponse(
                    f"{self._files.where} has {len(saved.layers)} layers where its config names {len(diff_ids)}. "
                    "Save the image again."
                )
            layers = [self._layer(name, diff_id) for name, diff_id in zip(saved.layers, diff_ids, strict=True)]
            config_digest = digest_of(config)
            self._members[config_digest] = saved.config
            body = _manifest(Descriptor(media_types.DOCKER_CONFIG, config_digest, len(config)), layers)
            self._composed[saved] = Descriptor(media_types.DOCKER_MANIFEST, digest_of(body), len(body)), body
        return self._composed[saved]

    def _layer(self, name: str, diff_id: str) -> Descriptor:
        size_bytes = self._files.size_bytes(name)
        if size_bytes is None:
            raise NotFound(f"{self._files.where} holds no {shown(name)}. It is incomplete: save the image again.")
        media_type = self._layer_type(name)
        # A plain tar's digest is its diff ID by definition: it is verified when it is read, not read twice.
        plain = media_type == media_types.DOCKER_LAYER_TAR and is_digest(diff_id)
        digest = diff_id if plain else self._hash(name)
        self._members[digest] = name
        return Descriptor(media_type, digest, size_bytes)

    def _layer_type(self, name: str) -> str:
        head = next(self._files.chunks(name), b"")
        return _COMPRESSIONS.get(head[:2], media_types.DOCKER_LAYER_TAR)

    def _hash(self, name: str) -> str:
        content = hashlib.sha256()
        for chunk in self._files.chunks(name):
            content.update(chunk)
        return f"sha256:{content.hexdigest()}"


class ArchiveSource:
    """One archive as a source. ``reference`` is a tag, a whole name, a digest, or "" for the only image."""

    def __init__(self, path: Path | str) -> None:
        self._images: Images | None = saved_images(open_archive(Path(path)))
        named = next(iter(self._open_images.tags()), "")
        self.name = named.rpartition(":")[0] or Path(path).stem

    @property
    def stores_compressed(self) -> bool:
        return self._open_images.stores_compressed

    def head(self, reference: str) -> Descriptor:
        return self._open_images.head(reference)

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]:
        return self._open_images.manifest(reference)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        return self._open_images.blob(descriptor)

    def close(self) -> None:
        self._images = None

    @property
    def _open_images(self) -> Images:
        if self._images is None:
            raise RegistryError(f"The archive of {self.name} is closed already. Open it again.")
        return self._images


def saved_images(files: Files) -> Images:
    """The images in an archive, by the layout when there is one: its digests and sizes are the stored ones."""
    if files.size_bytes(INDEX) is not None:
        return LayoutImages(files)
    if is_saved(files):
        return SavedImages(files)
    raise InvalidResponse(f"{files.where} is no saved image: it has no {_MANIFEST}. Write it with docker save.")


def is_saved(files: Files) -> bool:
    """Whether these files are saved images, in either form."""
    return any(files.size_bytes(name) is not None for name in (INDEX, _MANIFEST))


def open_archive(path: Path) -> TarFiles:
    """Raises NotFound, and InvalidResponse for what is no tar."""
    if DirectoryFiles(path.parent).size_bytes(path.name) is None:
        raise NotFound(f"There is no file {shown(str(path))}. Check the path.")
    try:
        return TarFiles(os.open(path, os.O_RDONLY | os.O_CLOEXEC), shown(str(path)))
    except OSError as error:
        raise NotFound(f"{shown(str(path))} cannot be opened: {error.strerror}. Check its permissions.") from error


def _manifest(config: Descriptor, layers: list[Descriptor]) -> bytes:
    def as_json(item: Descriptor) -> dict[str, str | int]:
        return {"mediaType": item.media_type, "size": item.size_bytes, "digest": item.digest}

    content = {
        "schemaVersion": 2,
        "mediaType": media_types.DOCKER_MANIFEST,
        "config": as_json(config),
        "layers": [as_json(layer) for layer in layers],
    }
    return json.dumps(content, separators=(",", ":")).encode()
