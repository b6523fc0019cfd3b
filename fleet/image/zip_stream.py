"""Zip archives read forward only, since they pass in a layer and are never kept.

The directory at the end of an archive comes too late, so entries are found by the header in front of each. Where such a
header does not know the length, as Java's own tools write it, the entry ends where a descriptor says just that length.
Spec: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3.7 to 4.3.9).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from isal import isal_zlib

from fleet.image.limits import Budget
from fleet.image.stream import ByteStream

STORED, DEFLATED = 0, 8

_HEADER = struct.Struct("<4x2xHH4x4xI4xHH")  # flags, method, stored bytes, lengths of name and extra field
_LENGTH = struct.Struct("<I")
_LOCAL, _DESCRIPTOR = b"PK\x03\x04", b"PK\x07\x08"
_END = (b"PK\x01\x02", b"PK\x05\x06")
_NEXT = re.compile(rb"PK(?:\x03\x04|\x01\x02|\x05\x06)")
_DESCRIBED = re.compile(_DESCRIPTOR)
_HEAD_BYTES = 256  # the header with most names
_DESCRIPTOR_BYTES, _LENGTH_AT = 16, 8
_FOLLOWS = 8  # the flag of an entry whose length follows it
_UNKNOWN = 0xFFFFFFFF
_PIECE_BYTES = 64 << 10
_STEP_BYTES = 16 << 10
_WITHOUT_HEADER = -15


class Source(Protocol):
    """Where bytes come from: ``read`` gives the next few, none at the end; ``skip`` leaves some of them out."""

    def read(self) -> bytes: ...

    def skip(self, size: int) -> None: ...


class FileSource:
    """The next ``size`` bytes of a stream."""

    def __init__(self, stream: ByteStream, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self) -> bytes:
        size = min(_PIECE_BYTES, self._left)
        self._left -= size
        return self._stream.take(size)

    def skip(self, size: int) -> None:
        size = min(size, self._left)
        self._left -= size
        self._stream.skip(size)


class PieceSource:
    """What an iterator gives."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self) -> bytes:
        piece, self._rest = self._rest, b""
        return piece or next(self._pieces, b"")

    def skip(self, size: int) -> None:
        while size > 0 and (piece := self.read()):
            self._rest = piece[size:]
            size -= len(piece)


class Window:
    """The bytes of an archive with a few of them at hand. ``offset`` counts those behind; nothing at or beyond ``end``
    is looked at, where an archive within an archive ends."""

    __slots__ = ("_at", "_bytes", "_passed", "_source", "end")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._bytes = b""
        self._at = 0
        self._passed = 0
        self.end = 1 << 62

    @property
    def offset(self) -> int:
        return self._passed + self._at

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer only at the end, without moving."""
        while len(self._bytes) - self._at < size and self._fill():
            pass
        return self._bytes[self._at : min(self._at + size, max(self._at, self.end - self._passed))]

    def skip(self, size: int) -> None:
        """Go on by ``size`` bytes, or to the end."""
        size = min(size, self.end - self.offset)
        ahead = len(self._bytes) - self._at
        if size <= ahead:
            self._at += max(0, size)
            return
        self._source.skip(size - ahead)
        self._passed += len(self._bytes) + size - ahead
        self._bytes, self._at = b"", 0

    def seek(self, signature: re.Pattern[bytes]) -> bool:
        """Go on to the next place of a signature of four bytes. False, near the end, when there is none."""
        while True:
            stop = self.end - self._passed
            match = signature.search(self._bytes, self._at, stop)
            if match is not None:
                self._at = match.start()
                return True
            self._at = max(self._at, min(len(self._bytes), stop) - 3)
            if stop <= len(self._bytes) or not self._fill():
                return False

    def _fill(self) -> bool:
        piece = self._source.read()
        if not piece:
            return False
        self._passed += self._at
        self._bytes = self._bytes[self._at :] + piece
        self._at = 0
        return True


class ZipEntry(NamedTuple):
    """``stored_bytes`` is the length of the content as stored, None where only what follows it tells."""

    name: bytes
    method: int
    stored_bytes: int | None


def read_entries(window: Window, budget: Budget) -> Iterator[ZipEntry]:
    """Each entry up to the archive's directory, the window standing at its content, of which the caller may take any
    part. What is no archive, or damaged, has the entries that can be found, as many as the budget allows."""
    while budget.entries > 0:
        head = window.peek(_HEAD_BYTES)
        if len(head) < _HEADER.size or head.startswith(_END):
            return
        if not head.startswith(_LOCAL):
            # A script in front of the archive, a descriptor or padding between two entries.
            window.skip(1)
            if not window.seek(_NEXT):
                return
            continue
        flags, method, stored, name_bytes, extra_bytes = _HEADER.unpack_from(head)
        name_end = _HEADER.size + name_bytes
        name = (head if name_end <= len(head) else window.peek(name_end))[_HEADER.size : name_end]
        window.skip(name_end + extra_bytes)
        unknown = stored == _UNKNOWN or (flags & _FOLLOWS and not stored)
        budget.entries -= 1
        begin = window.offset
        yield ZipEntry(name, method, None if unknown else stored)
        if not unknown:
            window.skip(begin + stored - window.offset)
        elif not _skip_to_descriptor(window, begin):
            return


def _skip_to_descriptor(window: Window, begin: int) -> bool:
    """Behind the content that began there, whose length is what its descriptor says."""
    while window.seek(_DESCRIBED):
        described = window.peek(_DESCRIPTOR_BYTES)
        if len(described) < _DESCRIPTOR_BYTES:
            return False
        if _LENGTH.unpack_from(described, _LENGTH_AT)[0] == window.offset - begin & _UNKNOWN:
            window.skip(_DESCRIPTOR_BYTES)
            return True
        window.skip(1)
    return False


def read_content(window: Window, entry: ZipEntry, budget: Budget) -> Iterator[bytes]:
    """The content of an entry that the window stands at, inflated, as far as the budget reaches. Damaged content ends
    early; stored content of unknown length is not read."""
    stop = window.end if entry.stored_bytes is None else min(window.end, window.offset + entry.stored_bytes)
    if entry.method == DEFLATED:
        yield from _inflate(window, stop, budget)
    elif entry.method == STORED and entry.stored_bytes is not None:
        while piece := window.peek(min(_STEP_BYTES, stop - window.offset)):
            window.skip(len(piece))
            yield piece


def _inflate(window: Window, stop: int, budget: Budget) -> Iterator[bytes]:
    inflater = isal_zlib.decompressobj(_WITHOUT_HEADER)
    while not inflater.eof and budget.inflated_bytes > 0:
        compressed = window.peek(min(_STEP_BYTES, max(0, stop - window.offset)))
        try:
            piece = inflater.decompress(compressed, _PIECE_BYTES)
        except isal_zlib.IsalError:  # type: ignore[misc]  # the stubs call it an instance
            return
        taken = len(compressed) - len(inflater.unconsumed_tail) - len(inflater.unused_data)
        window.skip(taken)
        budget.inflated_bytes -= len(piece)
        if piece:
            yield piece
        elif not taken:
            return
