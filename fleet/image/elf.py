"""What an ELF file asks of the dynamic loader, read from its program headers.

Only a few parts of a file matter, so that a library of a gigabyte is read from the stream without being kept.
Specs: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html, symbol versions:
https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from fleet.image.entries import ElfFacts

MAGIC = b"\x7fELF"
HEAD_BYTES = 4096

_KEPT_BYTES = 48 << 20
_STRINGS_BYTES = 20 << 20
_TABLE_BYTES = 1 << 20
_WHOLE_BYTES = 256 << 10
_NAMES_BYTES = 4096
_MOST_RECORDS = 4096
_MOST_STRINGS = 512
_LONGEST_NAME = 256
_LONGEST_PATHS = 4096

_MACHINES: Mapping[int, str] = {
    3: "i386",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    243: "riscv",
    258: "loongarch",
}
_LOAD, _DYNAMIC, _INTERPRETER, _NOTE = 1, 2, 3, 4
_WRITABLE = 2
_SYMBOLS = 2
_NEEDED, _STRINGS, _SONAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29
_VERSIONS_DEFINED, _VERSIONS_NEEDED = 0x6FFFFFFC, 0x6FFFFFFE
_GLIBC = re.compile(rb"GLIBC_(\d{1,4})\.(\d{1,4})(?:\.\d{1,4})?")
_GO_NOTE = b"Go\0\0"
_GO_SECTIONS = (b".go.buildinfo", b".note.go.buildid")

Range = tuple[int, int]


class _Segment(NamedTuple):
    type: int
    flags: int
    offset: int
    address: int
    size: int


class _Shape(NamedTuple):
    """The ELF header, as far as it is needed. ``word`` is the struct code of an address."""

    order: str
    word: str
    machine: int
    segments_at: int
    segment_size: int
    segment_count: int
    sections_at: int
    section_size: int
    section_count: int
    names_section: int


@lru_cache(64)
def _layout(fields: str) -> struct.Struct:
    return struct.Struct(fields)


def _shape(head: bytes) -> _Shape | None:
    if len(head) < 64 or not head.startswith(MAGIC) or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    order = "<" if head[5] == 1 else ">"
    word = "Q" if head[4] == 2 else "I"
    fields = struct.unpack_from(f"{order}HHI{word}{word}{word}IHHHHHH", head, 16)
    _, machine, _, _, segments_at, sections_at, _, _, segment_size, segments, section_size, sections, names = fields
    return _Shape(order, word, machine, segments_at, segment_size, segments, sections_at, section_size, sections, names)


def needed_ranges(head: bytes, size: int) -> tuple[Range, ...]:
    """The parts of a file that ``read_elf`` looks at, as sorted disjoint (start, stop), at most 48 MiB in all.

    ``head`` is the first HEAD_BYTES of it, ``size`` its length in bytes. Code and constants, most of a large file,
    are left out.
    """
    shape = _shape(head)
    if shape is None:
        return ()
    table_end = shape.segments_at + shape.segment_size * shape.segment_count
    if size <= _WHOLE_BYTES or table_end > len(head):
        return ((0, min(size, _KEPT_BYTES)),)
    wanted: list[Range] = [(0, len(head))]
    loads: list[Range] = []
    for segment in _segments(shape, _Content(((0, head),))):
        start, stop = segment.offset, segment.offset + segment.size
        if segment.type in (_DYNAMIC, _INTERPRETER, _NOTE):
            wanted.append((start, min(stop, start + _TABLE_BYTES)))
        # Linkers put the strings into the first segment, patchelf into a writable one of its own.
        elif segment.type == _LOAD and (not loads or segment.flags & _WRITABLE):
            loads.append((start, min(stop, start + _STRINGS_BYTES)))
    sections_stop = shape.sections_at + shape.section_size * shape.section_count
    wanted.append((max(0, shape.sections_at - _NAMES_BYTES), sections_stop))
    return _merged(_affordable(wanted + loads), size)


def _affordable(ranges: Sequence[Range]) -> Iterator[Range]:
    """The first ranges that fit into what we keep of a file."""
    room = _KEPT_BYTES
    for start, stop in ranges:
        room -= max(0, stop - start)
        if room < 0:
            return
        yield start, stop


def _merged(ranges: Iterable[Range], size: int) -> tuple[Range, ...]:
    """Sorted, without overlaps, and within the file."""
    merged: list[Range] = []
    for start, stop in sorted(ranges):
        stop = min(stop, size)
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        elif start < stop:
            merged.append((start, stop))
    return tuple(merged)


class _Content:
    """Parts of a file, read by their offset in the whole. What is not there reads as empty."""

    def __init__(self, parts: Sequence[tuple[int, bytes]]) -> None:
        self._parts = parts

    def read(self, offset: int, size: int) -> bytes:
        for start, part in self._parts:
            if start <= offset < start + len(part):
                return part[offset - start : offset - start + size]
        return b""


def read_elf(content: bytes) -> ElfFacts | None:
    """The facts of a whole file, or None when it is no ELF file that we understand."""
    return read_elf_parts(((0, content),))


def read_elf_parts(parts: Sequence[tuple[int, bytes]]) -> ElfFacts | None:
    """As ``read_elf``, from the (offset, bytes) of ``needed_ranges``. Facts that stand elsewhere are missing."""
    content = _Content(parts)
    shape = _shape(content.read(0, 64))
    if shape is None:
        return None
    try:
        return _facts(shape, content)
    except struct.error:
        return ElfFacts(machine=_machine(shape))


def _machine(shape: _Shape) -> str:
    return _MACHINES.get(shape.machine, f"machine-{shape.machine}")


def _facts(shape: _Shape, content: _Content) -> ElfFacts:
    segments = tuple(_segments(shape, content))
    interpreter = next((s for s in segments if s.type == _INTERPRETER), None)
    dynamic = _Dynamic(shape, content, segments)
    needed = dynamic.strings(_NEEDED)
    stripped, go_section = _sections(shape, content)
    # DT_RUNPATH switches DT_RPATH off.
    runpath = dynamic.strings(_RUNPATH, _LONGEST_PATHS)[:1]
    search = runpath or dynamic.strings(_RPATH, _LONGEST_PATHS)[:1]
    return ElfFacts(
        machine=_machine(shape),
        interpreter=_text(content.read(interpreter.offset, min(interpreter.size, _LONGEST_PATHS)))
        if interpreter
        else "",
        needed=needed,
        soname=next(iter(dynamic.strings(_SONAME)), ""),
        search_paths=tuple(path for paths in search for path in paths.split(":") if path),
        glibc=dynamic.highest_glibc(_VERSIONS_NEEDED),
        static=interpreter is None and not needed,
        stripped=stripped,
        go_build_info=go_section or any(_is_go_note(content, s) for s in segments if s.type == _NOTE),
        inherited_search=bool(search) and not runpath,
        provided_glibc=dynamic.highest_glibc(_VERSIONS_DEFINED),
    )


def _interpreter(content: _Content, segment: _Segment) -> str:
    # Files with debug symbols alone keep the segment without its content.
    path = _text(content.read(segment.offset, min(segment.size, _LONGEST_PATHS)))
    return path if path.startswith("/") else ""


def _segments(shape: _Shape, content: _Content) -> Iterator[_Segment]:
    # 32-bit headers hold the flags after the sizes, 64-bit ones before them.
    wide = shape.word == "Q"
    layout = _layout(shape.order + ("IIQQQQ" if wide else "IIIIIII"))
    count = min(shape.segment_count, _MOST_RECORDS)
    for fields in _rows(layout, shape.segment_size, content.read(shape.segments_at, shape.segment_size * count)):
        if wide:
            kind, flags, offset, address, _, size = fields
        else:
            kind, offset, address, _, size, _, flags = fields
        yield _Segment(kind, flags, offset, address, size)


def _rows(layout: struct.Struct, row_size: int, table: bytes) -> Iterator[tuple[int, ...]]:
    """The rows of a table, of which newer versions of the format may make wider ones."""
    if row_size < layout.size:
        return iter(())
    return (layout.unpack_from(table, at) for at in range(0, len(table) - layout.size + 1, row_size))


def _sections(shape: _Shape, content: _Content) -> tuple[bool, bool]:
    """Whether there is no symbol table, and whether a section is one that the Go linker writes."""
    if not shape.sections_at:
        return True, False
    table = content.read(shape.sections_at, shape.section_size * min(shape.section_count, _MOST_RECORDS))
    rows = list(_rows(_layout(shape.order + "II" + 4 * shape.word), shape.section_size, table))
    names = b""
    if shape.names_section < len(rows):
        _, _, _, _, names_at, names_size = rows[shape.names_section]
        names = content.read(names_at, min(names_size, _NAMES_BYTES))
    return all(row[1] != _SYMBOLS for row in rows), any(section in names for section in _GO_SECTIONS)


def _is_go_note(content: _Content, segment: _Segment) -> bool:
    return content.read(segment.offset + 12, len(_GO_NOTE)) == _GO_NOTE


class _Dynamic:
    """The dynamic section: tags with values, and the strings and version tables they point to."""

    def __init__(self, shape: _Shape, content: _Content, segments: Sequence[_Segment]) -> None:
        self._order = shape.order
        self._content = content
        self._loads = [segment for segment in segments if segment.type == _LOAD]
        self._values: dict[int, list[int]] = {}
        layout = _layout(shape.order + 2 * shape.word)
        for segment in segments:
            if segment.type == _DYNAMIC:
                raw = content.read(segment.offset, min(segment.size, layout.size * _MOST_RECORDS))
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
        inside = (s for s in self._loads if s.address <= address < s.address + s.size)
        return next((address - s.address + s.offset for s in inside), None)

    def _string(self, position: int, longest: int = _LONGEST_NAME) -> bytes:
        if self._strings_at is None:
            return b""
        return self._content.read(self._strings_at + position, longest).partition(b"\0")[0]

    def strings(self, tag: int, longest: int = _LONGEST_NAME) -> tuple[str, ...]:
        values = self._values.get(tag, [])[:_MOST_STRINGS]
        return tuple(text for value in values if (text := _text(self._string(value, longest))))

    def highest_glibc(self, tag: int) -> tuple[int, int] | None:
        """The highest GLIBC_x.y among the versions that the file needs, or defines, by the tag of the table."""
        # The tables are chains of offsets, which a hostile file may tie into a loop.
        names = islice(self._versions(tag), _MOST_RECORDS)
        found = (_GLIBC.fullmatch(name) for name in names)
        return max(((int(match[1]), int(match[2])) for match in found if match), default=None)

    def _versions(self, tag: int) -> Iterator[bytes]:
        at = self._offset(tag)
        for _ in range(_MOST_RECORDS):
            if at is None:
                return
            # Verneed: version, count, file, aux, next. Verdef: version, flags, index, count, hash, aux, next.
            if tag == _VERSIONS_NEEDED:
                _, count, _, names, following = self._unpack("HHIII", at)
            else:
                _, _, _, count, _, names, following = self._unpack("HHHHIII", at)
            yield from self._version_names(tag, at + names, count)
            at = at + following if following else None

    def _version_names(self, tag: int, at: int, count: int) -> Iterator[bytes]:
        # A definition lists its own name first, then those it inherits from.
        for _ in range(count if tag == _VERSIONS_NEEDED else min(count, 1)):
            if tag == _VERSIONS_NEEDED:
                _, _, _, name, following = self._unpack("IHHII", at)
            else:
                name, following = self._unpack("II", at)
            yield self._string(name)
            if not following:
                return
            at += following

    def _unpack(self, fields: str, at: int) -> tuple[int, ...]:
        layout = _layout(self._order + fields)
        return layout.unpack(self._content.read(at, layout.size))


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="surrogateescape")
