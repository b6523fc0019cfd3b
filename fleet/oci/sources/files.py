"""Named files that an image is kept in: a directory, or the members of a tar, which are never unpacked."""

from __future__ import annotations

import os
import posixpath
import stat
import tarfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from fleet.oci.answer import CHUNK_BYTES
from fleet.oci.errors import InvalidResponse, NotFound, TooLarge, Unreachable
from fleet.oci.wording import shown

_MEMBER_LIMIT = 100_000
_LINK_LIMIT = 8


class Files(Protocol):
    """Regular files by name. ``where`` is for sentences."""

    @property
    def where(self) -> str: ...

    def size_bytes(self, name: str) -> int | None:
        """None when there is no such regular file."""
        ...

    def chunks(self, name: str) -> Iterator[bytes]:
        """Raises NotFound."""
        ...


def read_file(files: Files, name: str, limit_bytes: int) -> bytes:
    """A whole file. Raises NotFound, TooLarge."""
    size_bytes = files.size_bytes(name)
    if size_bytes is not None and size_bytes > limit_bytes:
        raise TooLarge(f"{shown(name)} in {files.where} has {size_bytes} bytes, more than belongs there.")
    return b"".join(files.chunks(name))


class DirectoryFiles:
    """Files below a directory. Names are ours or made of verified digests, never a foreign path."""

    def __init__(self, path: Path) -> None:
        self.where = shown(str(path))
        self._path = path

    def size_bytes(self, name: str) -> int | None:
        try:
            status = (self._path / name).stat()
        except (OSError, ValueError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def chunks(self, name: str) -> Iterator[bytes]:
        if self.size_bytes(name) is None:
            raise _missing(name, self.where)
        try:
            with (self._path / name).open("rb", buffering=0) as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise Unreachable(f"{shown(name)} in {self.where} cannot be read: {error.strerror}.") from error


class TarFiles:
    """Members of an uncompressed tar, read in place; threads may read at once. Owns ``descriptor``, a file's number.

    Links between members are followed, as older engines write equal layers so.
    """

    def __init__(self, descriptor: int, where: str) -> None:
        self.where = where
        self._descriptor = descriptor
        # Streams may outlive close(): the file is closed when the last of them has gone.
        weakref.finalize(self, os.close, descriptor)
        self._members = self._list()

    def size_bytes(self, name: str) -> int | None:
        member = self._find(name)
        return member.size if member else None

    def chunks(self, name: str) -> Iterator[bytes]:
        member = self._find(name)
        if member is None:
            raise _missing(name, self.where)
        position, end = member.offset_data, member.offset_data + member.size
        while position < end:
            chunk = os.pread(self._descriptor, min(CHUNK_BYTES, end - position), position)
            if not chunk:
                raise InvalidResponse(f"{self.where} is cut off within {shown(name)}. Save the image again.")
            position += len(chunk)
            yield chunk

    def _find(self, name: str) -> tarfile.TarInfo | None:
        for _ in range(_LINK_LIMIT):
            member = self._members.get(posixpath.normpath(name))
            if member is None or not (member.issym() or member.islnk()):
                break
            # A symlink counts from its own directory, a hard link from the top.
            name = posixpath.join(posixpath.dirname(name), member.linkname) if member.issym() else member.linkname
        # Sparse members are not stored as they read.
        return member if member is not None and member.isreg() and not member.issparse() else None

    def _list(self) -> dict[str, tarfile.TarInfo]:
        members: dict[str, tarfile.TarInfo] = {}
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        try:
            with (
                open(self._descriptor, "rb", closefd=False) as file,
                tarfile.open(fileobj=file, mode="r:") as archive,
            ):
                for member in archive:
                    members[posixpath.normpath(member.name)] = member
                    if len(members) > _MEMBER_LIMIT:
                        raise TooLarge(f"{self.where} holds more than {_MEMBER_LIMIT} files. It is no saved image.")
        except (tarfile.TarError, OSError, ValueError):
            raise InvalidResponse(
                f"{self.where} is no tar, or a damaged one. Save the image again, uncompressed."
            ) from None
        return members


def _missing(name: str, where: str) -> NotFound:
    return NotFound(f"{where} holds no {shown(name)}. It is incomplete: save or copy the image again.")
