"""What an ELF file asks of the dynamic loader.

Only a few parts of a file matter, so that a library of a gigabyte is read from the stream without being kept.
pyelftools reads the same at 20 times the cost; the tests compare the two.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fleet.image.elf_tables import (
    DYNAMIC,
    INTERPRETER,
    LOAD,
    LONGEST_PATHS,
    MAGIC,
    MOST_RECORDS,
    NEEDED,
    NOTE,
    RPATH,
    RUNPATH,
    SONAME,
    VERSIONS_DEFINED,
    VERSIONS_NEEDED,
    Content,
    Dynamic,
    Segment,
    Shape,
    layout_of,
    read_segments,
    read_shape,
    table_rows,
    text_of,
)
from fleet.image.entries import ElfFacts

__all__ = ["HEAD_BYTES", "MAGIC", "needed_ranges", "read_elf", "read_elf_parts"]

HEAD_BYTES = 4096

_KEPT_BYTES = 48 << 20
_STRINGS_BYTES = 20 << 20
_TABLE_BYTES = 1 << 20
_WHOLE_BYTES = 32 << 10
_NAMES_BYTES = 4096

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
_WRITABLE = 2
_SYMBOLS = 2
_GO_NOTE = b"Go\0\0"
_GO_SECTIONS = (b".go.buildinfo", b".note.go.buildid")

Range = tuple[int, int]


def needed_ranges(head: bytes, size: int) -> tuple[Range, ...]:
    """The parts of a file that ``read_elf`` looks at, as sorted disjoint (start, stop), at most 48 MiB in all.

    ``head`` is the first HEAD_BYTES of it, ``size`` its length in bytes. Code and constants, most of a large file,
    are left out.
    """
    shape = read_shape(head)
    if shape is None:
        return ()
    table_end = shape.segments_at + shape.segment_size * shape.segment_count
    if size <= _WHOLE_BYTES or table_end > len(head):
        return ((0, min(size, _KEPT_BYTES)),)
    wanted: list[Range] = [(0, len(head))]
    loads: list[Range] = []
    for segment in read_segments(shape, Content(((0, head),))):
        start, stop = segment.offset, segment.offset + segment.size
        if segment.type in (DYNAMIC, INTERPRETER, NOTE):
            wanted.append((start, min(stop, start + _TABLE_BYTES)))
        # Linkers put the strings into the first segment, patchelf into a writable one of its own.
        elif segment.type == LOAD and (not loads or segment.flags & _WRITABLE):
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


def read_elf(content: bytes) -> ElfFacts | None:
    """The facts of a whole file, or None when it is no ELF file that we understand."""
    return read_elf_parts(((0, content),))


def read_elf_parts(parts: Sequence[tuple[int, bytes]]) -> ElfFacts | None:
    """As ``read_elf``, from the (offset, bytes) of ``needed_ranges``. Facts that stand elsewhere are missing."""
    content = Content(parts)
    shape = read_shape(content.read(0, 64))
    if shape is None:
        return None
    try:
        return _facts(shape, content)
    except struct.error:
        return ElfFacts(machine=_machine(shape))


def _machine(shape: Shape) -> str:
    return _MACHINES.get(shape.machine, f"machine-{shape.machine}")


def _facts(shape: Shape, content: Content) -> ElfFacts:
    segments = tuple(read_segments(shape, content))
    interpreter = next((s for s in segments if s.type == INTERPRETER), None)
    dynamic = Dynamic(shape, content, segments)
    needed = dynamic.strings(NEEDED)
    stripped, go_section = _sections(shape, content)
    # DT_RUNPATH switches DT_RPATH off.
    runpath = dynamic.strings(RUNPATH, LONGEST_PATHS)[:1]
    search = runpath or dynamic.strings(RPATH, LONGEST_PATHS)[:1]
    return ElfFacts(
        machine=_machine(shape),
        interpreter=text_of(content.read(interpreter.offset, min(interpreter.size, LONGEST_PATHS)))
        if interpreter
        else "",
        needed=needed,
        soname=next(iter(dynamic.strings(SONAME)), ""),
        search_paths=tuple(path for paths in search for path in paths.split(":") if path),
        glibc=dynamic.highest_glibc(VERSIONS_NEEDED),
        static=interpreter is None and not needed,
        stripped=stripped,
        go_build_info=go_section or any(_is_go_note(content, s) for s in segments if s.type == NOTE),
        inherited_search=bool(search) and not runpath,
        provided_glibc=dynamic.highest_glibc(VERSIONS_DEFINED),
    )


def _interpreter(content: Content, segment: Segment) -> str:
    # Files with debug symbols alone keep the segment without its content.
    path = text_of(content.read(segment.offset, min(segment.size, LONGEST_PATHS)))
    return path if path.startswith("/") else ""


def _sections(shape: Shape, content: Content) -> tuple[bool, bool]:
    """Whether there is no symbol table, and whether a section is one that the Go linker writes."""
    if not shape.sections_at:
        return True, False
    table = content.read(shape.sections_at, shape.section_size * min(shape.section_count, MOST_RECORDS))
    rows = list(table_rows(layout_of(shape.order + "II" + 4 * shape.word), shape.section_size, table))
    names = b""
    if shape.names_section < len(rows):
        _, _, _, _, names_at, names_size = rows[shape.names_section]
        names = content.read(names_at, min(names_size, _NAMES_BYTES))
    return all(row[1] != _SYMBOLS for row in rows), any(section in names for section in _GO_SECTIONS)


def _is_go_note(content: Content, segment: Segment) -> bool:
    return content.read(segment.offset + 12, len(_GO_NOTE)) == _GO_NOTE
