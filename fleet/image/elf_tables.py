"""The tables of an ELF file: headers, segments, and the dynamic section with the strings and versions it points to.

Specs: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html, symbol versions:
https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

MAGIC = b"\x7fELF"
MOST_RECORDS = 4096
LONGEST_PATHS = 4096
LOAD, DYNAMIC, INTERPRETER, NOTE = 1, 2, 3, 4
EXECUTABLE, WRITABLE = 1, 2
NEEDED, SONAME, RPATH, RUNPATH = 1, 14, 15, 29
VERSIONS_DEFINED, VERSIONS_NEEDED = 0x6FFFFFFC, 0x6FFFFFFE

_STRINGS = 5
_MOST_STRINGS = 512
_LONGEST_NAME = 256
_GLIBC = re.compile(rb"GLIBC_(\d{1,4})\.(\d{1,4})(?:\.\d{1,4})?")


class Segment(NamedTuple):
    """``size`` bytes of the file become ``memory_size`` bytes; what is more is zero."""

    type: int
    flags: int
    offset: int
    address: int
    size: int
    memory_size: int


class Shape(NamedTuple):
    """The ELF header, as far as it is needed. ``word`` is the struct code of an address."""

    order: str
    word: str
    type: int
    machine: int
    segments_at: int
    segment_size: int
    segment_count: int
    sections_at: int
    section_size: int
    section_count: int
    names_section: int


@lru_cache(64)
def layout_of(fields: str) -> struct.Struct:
    return struct.Struct(fields)


def read_shape(head: bytes) -> Shape | None:
    if len(head) < 64 or not head.startswith(MAGIC) or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    order = "<" if head[5] == 1 else ">"
    word = "Q" if head[4] == 2 else "I"
    fields = struct.unpack_from(f"{order}HHI{word}{word}{word}IHHHHHH", head, 16)
    kind, machine, _, _, segments_at, sections_at, _, _, segment_size, segments, section_size, sections, names = fields
    return Shape(
        order, word, kind, machine, segments_at, segment_size, segments, sections_at, section_size, sections, names
    )


class Content:
    """Parts of a file, read by their offset in the whole. What is not there reads as empty."""

    def __init__(self, parts: Sequence[tuple[int, bytes]]) -> None:
        self._parts = parts

    def read(self, offset: int, size: int) -> bytes:
        for start, part in self._parts:
            if start <= offset < start + len(part):
                return part[offset - start : offset - start + size]
        return b""


def read_segments(shape: Shape, content: Content) -> Iterator[Segment]:
    # 32-bit headers hold the flags after the sizes, 64-bit ones before them.
    wide = shape.word == "Q"
    layout = layout_of(shape.order + ("IIQQQQQQ" if wide else "IIIIIIII"))
    count = min(shape.segment_count, MOST_RECORDS)
    for fields in table_rows(layout, shape.segment_size, content.read(shape.segments_at, shape.segment_size * count)):
        if wide:
            kind, flags, offset, address, _, size, memory_size, _ = fields
        else:
            kind, offset, address, _, size, memory_size, flags, _ = fields
        yield Segment(kind, flags, offset, address, size, memory_size)


def file_offset(segments: Iterable[Segment], address: int) -> int | None:
    """Where in the file the byte stands that is loaded to an address."""
    inside = (s for s in segments if s.type == LOAD and s.address <= address < s.address + s.size)
    return next((address - s.address + s.offset for s in inside), None)


def table_rows(layout: struct.Struct, row_size: int, table: bytes) -> Iterator[tuple[int, ...]]:
    """The rows of a table, of which newer versions of the format may make wider ones."""
    if row_size < layout.size:
        return iter(())
    if row_size == layout.size:
        return layout.iter_unpack(table[: len(table) - len(table) % row_size])
    return (layout.unpack_from(table, at) for at in range(0, len(table) - layout.size + 1, row_size))


class Dynamic:
    """The dynamic section: tags with values, and the strings and version tables they point to."""

    def __init__(self, shape: Shape, content: Content, segments: Sequence[Segment]) -> None:
        self._order = shape.order
        self._content = content
        self._loads = [segment for segment in segments if segment.type == LOAD]
        self._values: dict[int, list[int]] = {}
        layout = layout_of(shape.order + 2 * shape.word)
        for segment in segments:
            if segment.type == DYNAMIC:
                raw = content.read(segment.offset, min(segment.size, layout.size * MOST_RECORDS))
                for tag, value in layout.iter_unpack(raw[: len(raw) - len(raw) % layout.size]):
                    if tag == 0:
                        break
                    self._values.setdefault(tag, []).append(value)
        self._strings_at = self._offset(_STRINGS)

    def _offset(self, tag: int) -> int | None:
        """Where in the file the address stands that a tag gives."""
        address = next(iter(self._values.get(tag, ())), None)
        if address is None:
            return None
        return file_offset(self._loads, address)

    def _string(self, position: int, longest: int = _LONGEST_NAME) -> bytes:
        if self._strings_at is None:
            return b""
        return self._content.read(self._strings_at + position, longest).partition(b"\0")[0]

    def strings(self, tag: int, longest: int = _LONGEST_NAME) -> tuple[str, ...]:
        values = self._values.get(tag, [])[:_MOST_STRINGS]
        return tuple(text for value in values if (text := text_of(self._string(value, longest))))

    def highest_glibc(self, tag: int) -> tuple[int, int] | None:
        """The highest GLIBC_x.y among the versions that the file needs, or defines, by the tag of the table; None
        where there is none, or where the chain of them leads out of what was read."""
        # The tables are chains of offsets, which a hostile file may tie into a loop.
        names = islice(self._versions(tag), MOST_RECORDS)
        try:
            return max((version for name in names if (version := _glibc_version(name))), default=None)
        except struct.error:
            return None

    def _versions(self, tag: int) -> Iterator[bytes]:
        at = self._offset(tag)
        for _ in range(MOST_RECORDS):
            if at is None:
                return
            # Verneed: version, count, file, aux, next. Verdef: version, flags, index, count, hash, aux, next.
            if tag == VERSIONS_NEEDED:
                _, count, _, names, following = self._unpack("HHIII", at)
            else:
                _, _, _, count, _, names, following = self._unpack("HHHHIII", at)
            yield from self._version_names(tag, at + names, count)
            at = at + following if following else None

    def _version_names(self, tag: int, at: int, count: int) -> Iterator[bytes]:
        # A definition lists its own name first, then those it inherits from.
        for _ in range(count if tag == VERSIONS_NEEDED else min(count, 1)):
            if tag == VERSIONS_NEEDED:
                _, _, _, name, following = self._unpack("IHHII", at)
            else:
                name, following = self._unpack("II", at)
            yield self._string(name)
            if not following:
                return
            at += following

    def _unpack(self, fields: str, at: int) -> tuple[int, ...]:
        layout = layout_of(self._order + fields)
        return layout.unpack(self._content.read(at, layout.size))


# Programs of an image name the same few.
@lru_cache(256)
def _glibc_version(name: bytes) -> tuple[int, int] | None:
    match = _GLIBC.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def text_of(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="surrogateescape")
