"""Saved images on disk as an endpoint: one archive, or a directory of them, listed by the names that they hold.

Every repository name is made one that a registry would take: ``localhost:5000/Team/App`` is ``localhost-5000/team/app``
here, and Docker Hub's own prefix is left out as people do. An image without a name goes by its file's, with the tag
``latest``. Of two archives that hold the same tag the file that was written last has it, and of two written at the
same moment the one whose path sorts last; the other's images are still found by their digests.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from fleet.oci.digests import is_digest
from fleet.oci.errors import InvalidResponse, NotFound, RegistryError
from fleet.oci.manifest import Descriptor
from fleet.oci.reference import is_repository, is_tag
from fleet.oci.sources.archive import Images, is_saved, open_archive, saved_images
from fleet.oci.transport import Stats
from fleet.oci.wording import shown

_SUFFIX = ".tar"
_DEPTH = 4
_LIMIT = 10_000
_OPEN_LIMIT = 8
_LONGEST_NAME = 255
_NAMELESS_TAG = "latest"
_HUB = re.compile(r"^(?:index\.)?docker\.io/(?:library/)?")
_FOREIGN_CHARACTERS = re.compile(r"[^a-z0-9._-]+")
# Two in a row are a separator only as "__" or as dashes.
_SEPARATORS = re.compile(r"(?!__(?![._-])|-+(?![._-]))[._-]{2,}")


@dataclass(frozen=True, slots=True)
class _Held:
    """One name in one archive; ``reference`` is what to ask that archive for."""

    repository: str
    tag: str
    path: Path
    reference: str


class ArchiveEndpoint:
    """A file, or a directory whose ``.tar`` files are saved images. Tars that are something else are left out; one
    that cannot be read ends the listing with an error, after all others: absence must not be concluded from it."""

    def __init__(self, path: Path) -> None:
        self.stats = Stats()
        self._path = path

    def check(self) -> None:
        held, unread = self._list()
        if unread:
            raise unread[0]
        if not held:
            raise NotFound(f"{shown(str(self._path))} holds no saved image. Write one there with docker save.")

    def repositories(self) -> Iterator[str]:
        held, unread = self._list()
        yield from sorted({item.repository for item in held})
        if unread:
            raise InvalidResponse(f"Not every archive could be listed: {unread[0]}") from unread[0]

    def tags(self, repository: str) -> Iterator[str]:
        yield from sorted({item.tag for item in self._of(repository)})

    def source(self, repository: str) -> ArchivesSource:
        return ArchivesSource(repository, self._of(repository))

    def close(self) -> None:
        """Nothing is kept open."""

    def _of(self, repository: str) -> list[_Held]:
        held, unread = self._list()
        found = [item for item in held if item.repository == repository]
        if not found and unread:
            raise unread[0]
        if not found:
            raise NotFound(f"No archive in {shown(str(self._path))} holds {shown(repository)}. Save it there again.")
        return found

    def _list(self) -> tuple[list[_Held], list[RegistryError]]:
        """Every name, the archive that was written last coming first, and why some archive could not be read."""
        held: list[_Held] = []
        unread: list[RegistryError] = []
        for path, status in sorted(self._files(), key=lambda file: (file[1].st_mtime_ns, file[0]), reverse=True):
            try:
                held.extend(_names(path, status.st_mtime_ns, status.st_size))
            except RegistryError as error:
                unread.append(error)
        return held, unread

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        if not self._path.exists():
            raise NotFound(f"There is no file or directory {shown(str(self._path))} here. Check the path.")
        for path in self._below() if self._path.is_dir() else [self._path]:
            try:
                status = path.stat()
            except OSError:
                continue
            if path.is_file():
                yield path, status

    def _below(self) -> list[Path]:
        found: list[Path] = []
        for directory, names, files in os.walk(self._path):
            here = Path(directory)
            found.extend(here / name for name in files if name.lower().endswith(_SUFFIX))
            if len(here.relative_to(self._path).parts) >= _DEPTH or len(found) >= _LIMIT:
                names.clear()
        return found[:_LIMIT]


class ArchivesSource:
    """One repository, whichever archives its tags are in. A few of them are kept open."""

    def __init__(self, name: str, held: Sequence[_Held]) -> None:
        self.name = name
        # The first to hold a tag has it.
        self._by_tag = {item.tag: item for item in reversed(held)}
        self._paths = tuple(dict.fromkeys(item.path for item in held))
        self._lock = threading.Lock()
        self._open: dict[Path, Images] = {}

    @cached_property
    def stores_compressed(self) -> bool:
        """Where one archive keeps plain layers, none is taken to tell what a pull would move; bytes that turn out to
        be compressed are measured all the same."""
        return all(self._images(path).stores_compressed for path in self._paths)

    def head(self, reference: str) -> Descriptor:
        return self.manifest(reference)[0]

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]:
        if not is_digest(reference):
            item = self._by_tag.get(reference or _NAMELESS_TAG)
            if item is None:
                raise NotFound(f"No archive of {self.name} holds the tag {shown(reference)}. Save it again.")
            return self._images(item.path).manifest(item.reference)
        for path in self._paths:
            images = self._images(path)
            if images.holds(reference):
                return images.manifest(reference)
        raise self._missing(reference)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        for path in self._paths:
            images = self._images(path)
            if images.holds(descriptor.digest):
                return images.blob(descriptor)
        raise self._missing(descriptor.digest)

    def close(self) -> None:
        with self._lock:
            self._open.clear()

    def _images(self, path: Path) -> Images:
        with self._lock:
            images = self._open.pop(path, None) or saved_images(open_archive(path))
            self._open[path] = images
            if len(self._open) > _OPEN_LIMIT:
                del self._open[next(iter(self._open))]
            return images

    def _missing(self, digest: str) -> NotFound:
        return NotFound(f"No archive of {self.name} holds {shown(digest)}. Save the image again.")


@lru_cache(maxsize=_LIMIT)
def _names(path: Path, changed_ns: int, size_bytes: int) -> tuple[_Held, ...]:
    """What an archive holds; none for a tar that is no saved image. Kept until the file changes."""
    files = open_archive(path)
    if not is_saved(files):
        return ()
    named = saved_images(files).names()
    return tuple(_Held(*name_and_tag(name, path.stem), path, reference) for name, reference in named)


def name_and_tag(text: str, stem: str) -> tuple[str, str]:
    """The repository and the tag of an image that an archive calls ``text``: a whole name, a tag alone, or nothing."""
    if not text or is_tag(text):
        return repository_name(stem), text or _NAMELESS_TAG
    name, colon, tag = text.partition("@")[0].rpartition(":")
    if not colon or "/" in tag:
        name, tag = text.partition("@")[0], _NAMELESS_TAG
    return repository_name(_HUB.sub("", name)), tag if is_tag(tag) else _NAMELESS_TAG


def repository_name(text: str) -> str:
    """``text`` as a registry would take it for a repository."""
    components = (_component(part) for part in text[:_LONGEST_NAME].lower().split("/"))
    name = "/".join(part for part in components if part)[:_LONGEST_NAME].rstrip("._-/")
    return name if is_repository(name) else "image"


def _component(text: str) -> str:
    plain = _FOREIGN_CHARACTERS.sub("-", text)
    return _SEPARATORS.sub("-", plain).strip("._-")
