"""Files as a tar stream, in pieces that know their deflated form.

Spec: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06 (ustar). Headers are
written here rather than by ``tarfile``, which takes ten times as long for each of the fleet's many small files.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from fleet.sample.filler import STEP_BYTES, STEPS, Content, Joined, Piece, deflate, pool, size_of, tail_piece

Kind = Literal["file", "hardlink", "symlink", "directory"]

TYPE_FLAGS: dict[Kind, bytes] = {"file": b"0", "hardlink": b"1", "symlink": b"2", "directory": b"5"}
BLOCK_BYTES = 512
GATHER_BYTES = 256 * 1024
# From this size on, content is taken from what is deflated already, in steps and in tails of whole kibibytes.
READY_BYTES = 8 * 1024
TAIL_BYTES = 1024


class File(NamedTuple):
    """One entry. ``path`` has no leading slash; ``mtime`` is in seconds since the epoch."""

    path: str
    content: Content = b""
    mode: int = 0o644
    kind: Kind = "file"
    link: str = ""
    mtime: int = 0
    uid: int = 0
    gid: int = 0

    @property
    def size_bytes(self) -> int:
        return size_of(self.content)


def directory(path: str, mode: int = 0o755, uid: int = 0) -> File:
    return File(path, mode=mode, kind="directory", uid=uid, gid=uid)


def symlink(path: str, target: str) -> File:
    return File(path, mode=0o777, kind="symlink", link=target)


def whiteout(path: str) -> File:
    """The marker that deletes ``path`` of the layers below."""
    parent, name = posixpath.split(path)
    return File(posixpath.join(parent, f".wh.{name}"), mode=0)


def with_parents(files: Iterable[File], mtime: int = 0) -> Iterator[File]:
    """The files in path order with the directories they lie in; of two with one path the last wins."""
    by_path = {file.path: file for file in files}
    for path in list(by_path):
        parent = path.rpartition("/")[0]
        while parent and parent not in by_path:
            by_path[parent] = directory(parent)
            parent = parent.rpartition("/")[0]
    for path in sorted(by_path):
        file = by_path[path]
        yield file if file.mtime else file._replace(mtime=mtime)


def tar_pieces(files: Iterable[File]) -> Iterator[Piece]:
    """The tar of exactly these files in this order. Large content is passed on ready deflated."""
    gathered = bytearray()
    for file in files:
        size = file.size_bytes
        gathered += header(file, size)
        for part in file.content.parts if isinstance(file.content, Joined) else (file.content,):
            if isinstance(part, bytes):
                gathered += part
                continue
            gathered += part.head
            steps, rest = divmod(part.size_bytes, STEP_BYTES)
            if part.size_bytes >= READY_BYTES:
                yield _deflate(gathered)
                gathered = bytearray()
                yield from pool(part.matter).pieces(part.seed, steps)
                rounded = rest & -TAIL_BYTES
                if rounded:
                    yield tail_piece(part.matter, (part.seed + steps) % STEPS, rounded)
                gathered += pool(part.matter).tail(part.seed + steps, rest)[rounded:]
            else:
                gathered += pool(part.matter).tail(part.seed, rest)
        gathered += bytes(-size % BLOCK_BYTES)
        if len(gathered) >= GATHER_BYTES:
            yield _deflate(gathered)
            gathered = bytearray()
    yield _deflate(gathered + bytes(2 * BLOCK_BYTES))


def _deflate(raw: bytearray) -> Piece:
    return Piece(memoryview(raw), memoryview(deflate(raw)))


def header(file: File, size_bytes: int) -> bytes:
    """One ustar header, preceded by GNU long-name records where the path or the link does not fit."""
    path = file.path.encode() + (b"/" if file.kind == "directory" else b"")
    link = file.link.encode()
    long = b""
    if len(link) > 100:
        long += _long_record(b"K", link)
    prefix = b""
    if len(path) > 100:
        cut = path.rfind(b"/", 0, min(156, len(path) - 1))
        if cut > 0 and len(path) - cut - 1 <= 100:
            prefix, path = path[:cut], path[cut + 1 :]
        else:
            long += _long_record(b"L", path)
    return long + _block(path[:100], file, size_bytes, TYPE_FLAGS[file.kind], link[:100], prefix)


def _long_record(flag: bytes, name: bytes) -> bytes:
    padded = name + bytes(1 + -(len(name) + 1) % BLOCK_BYTES)
    return _block(b"././@LongLink", File(""), len(name) + 1, flag, b"", b"") + padded


def _block(path: bytes, file: File, size: int, flag: bytes, link: bytes, prefix: bytes) -> bytes:
    numbers = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (file.mode, file.uid, file.gid, size, file.mtime)
    before = path.ljust(100, b"\0") + numbers
    after = flag + link.ljust(100, b"\0") + b"ustar\00000" + b"".ljust(80, b"\0") + prefix.ljust(167, b"\0")
    checksum = sum(before) + 8 * 32 + sum(after)
    return before + b"%06o\0 " % checksum + after
