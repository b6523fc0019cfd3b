"""What an ELF file asks of the dynamic loader, was built from, and would lose to strip(1).

Only a few parts of a file matter, so that a library of a gigabyte is read from the stream without being kept.
pyelftools reads the same at 20 times the cost; the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fleet.image.elf_sections import (
    ALLOCATED,
    LOADER_TABLES,
    NAMES_BYTES,
    SYMBOLS,
    WRITABLE_SECTION,
    Range,
    Section,
    debug_ranges,
    read_sections,
)
from fleet.image.elf_tables import (
    DYNAMIC,
    EXECUTABLE,
    INTERPRETER,
    LOAD,
    LONGEST_PATHS,
    MAGIC,
    NEEDED,
    NOTE,
    RPATH,
    RUNPATH,
    SONAME,
    VERSIONS_DEFINED,
    VERSIONS_NEEDED,
    WRITABLE,
    Content,
    Dynamic,
    Segment,
    Shape,
    read_segments,
    read_shape,
    text_of,
)
from fleet.image.entries import Component, ElfFacts
from fleet.image.go_build_info import POINTERS_BYTES, SECTION, read_go_modules
from fleet.image.limits import Budget
from fleet.image.rust_audit import read_crates

__all__ = ["HEAD_BYTES", "MAGIC", "Program", "needed_ranges", "read_elf", "read_program"]

HEAD_BYTES = 4096

_KEPT_BYTES = 48 << 20
_STRINGS_BYTES = 20 << 20
_TABLE_BYTES = 1 << 20
_SYMBOLS_BYTES = 4 << 20
_WHOLE_BYTES = 32 << 10
_NOTES_BYTES = 256

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
_GO_NOTE = b"Go\0\0"
_GO_SECTIONS = (SECTION, b".note.go.buildid")


class Program(NamedTuple):
    """What a file says of itself. ``debug`` are the sorted (start, stop) that strip(1) would take from it,
    ``components`` what it was built from."""

    facts: ElfFacts
    debug: tuple[Range, ...] = ()
    components: tuple[Component, ...] = ()


def needed_ranges(head: bytes, size: int) -> tuple[Range, ...]:
    """The parts of a file that ``read_program`` looks at, as sorted disjoint (start, stop), at most 48 MiB in all.

    ``head`` is the first HEAD_BYTES of it, ``size`` its length in bytes. Code and constants, most of a large file,
    are left out.
    """
    shape = read_shape(head)
    if shape is None:
        return ()
    table_end = shape.segments_at + shape.segment_size * shape.segment_count
    if size <= _WHOLE_BYTES or table_end > len(head):
        return ((0, min(size, _KEPT_BYTES)),)
    content = Content(((0, head),))
    segments = tuple(read_segments(shape, content))
    sections_stop = shape.sections_at + shape.section_size * shape.section_count
    wanted = [(0, len(head)), (max(0, shape.sections_at - NAMES_BYTES), sections_stop)]
    wanted += _tables(segments)
    wanted += _strings(segments, content)
    wanted += _unloaded(shape, segments)
    wanted += _of_early_sections(shape, segments, read_sections(shape, content))
    return _merged(_affordable(wanted), size)


def _tables(segments: Iterable[Segment]) -> Iterator[Range]:
    for segment in segments:
        if segment.type in (DYNAMIC, INTERPRETER, NOTE):
            yield segment.offset, segment.offset + min(segment.size, _TABLE_BYTES)


def _strings(segments: Sequence[Segment], content: Content) -> Iterator[Range]:
    """Linkers put the strings into the first segment, patchelf into a writable one of its own, which ends without
    zeros. In the writable one Go has what a program was built from: at its start, and before Go 1.18 anywhere."""
    is_go = _has_go_note(content, segments)
    loads = [segment for segment in segments if segment.type == LOAD]
    for number, segment in enumerate(loads):
        if number == 0 or (segment.flags & WRITABLE and (is_go or segment.size == segment.memory_size)):
            yield segment.offset, segment.offset + min(segment.size, _STRINGS_BYTES)
        elif segment.flags & WRITABLE:
            yield segment.offset, segment.offset + min(segment.size, _TABLE_BYTES)


def _unloaded(shape: Shape, segments: Iterable[Segment]) -> Iterator[Range]:
    """Both ends of what stands between the last segment and the table of sections: what compilers note, then
    debugging and symbols, which may be large. LLVM's linker has the notes between these two."""
    start = max((segment.offset + segment.size for segment in segments if segment.type == LOAD), default=0)
    if start < shape.sections_at:
        yield start, min(shape.sections_at, start + _TABLE_BYTES)
        yield max(start, shape.sections_at - _SYMBOLS_BYTES), shape.sections_at


def _of_early_sections(shape: Shape, segments: Iterable[Segment], sections: Sequence[Section]) -> Iterator[Range]:
    """Go's linker puts the table of sections first, their names and what the loader reads among the constants. Before
    Go 1.18 a section of 32 bytes pointed to what the program was built from, which is a constant too."""
    for number, section in enumerate(sections):
        if number == shape.names_section or (section.type in LOADER_TABLES and section.flags & ALLOCATED):
            yield section.offset, section.offset + min(section.size, _TABLE_BYTES)
    if any(section.size == POINTERS_BYTES and section.flags & WRITABLE_SECTION for section in sections):
        for segment in segments:
            if segment.type == LOAD and not segment.flags & (WRITABLE | EXECUTABLE):
                yield segment.offset, segment.offset + min(segment.size, _STRINGS_BYTES)


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
    program = read_program(((0, content),), len(content), Budget(0, 0))
    return program.facts if program else None


def read_program(parts: Sequence[tuple[int, bytes]], size: int, budget: Budget) -> Program | None:
    """A file of ``size`` bytes from the (offset, bytes) of its ``needed_ranges``, or None when it is no ELF file that
    we understand. What stands elsewhere is missing, and crates are beyond the ``budget``."""
    content = Content(parts)
    shape = read_shape(content.read(0, 64))
    if shape is None:
        return None
    segments = tuple(read_segments(shape, content))
    sections = read_sections(shape, content)
    debug = debug_ranges(shape, sections, size)
    components = read_go_modules(content, segments, sections) + read_crates(content, sections, budget)
    return Program(_facts(shape, content, segments, sections, debug), debug, components)


def _facts(
    shape: Shape,
    content: Content,
    segments: Sequence[Segment],
    sections: Sequence[Section],
    debug: Sequence[Range],
) -> ElfFacts:
    interpreter = next((s for s in segments if s.type == INTERPRETER), None)
    dynamic = Dynamic(shape, content, segments)
    needed = dynamic.strings(NEEDED)
    # DT_RUNPATH switches DT_RPATH off.
    runpath = dynamic.strings(RUNPATH, LONGEST_PATHS)[:1]
    search = runpath or dynamic.strings(RPATH, LONGEST_PATHS)[:1]
    return ElfFacts(
        machine=_MACHINES.get(shape.machine, f"machine-{shape.machine}"),
        interpreter=_interpreter(content, interpreter) if interpreter else "",
        needed=needed,
        soname=next(iter(dynamic.strings(SONAME)), ""),
        search_paths=tuple(path for paths in search for path in paths.split(":") if path),
        glibc=dynamic.highest_glibc(VERSIONS_NEEDED),
        static=interpreter is None and not needed,
        stripped=all(section.type != SYMBOLS for section in sections),
        go_build_info=_is_go(content, segments, sections),
        inherited_search=bool(search) and not runpath,
        provided_glibc=dynamic.highest_glibc(VERSIONS_DEFINED),
        debug_bytes=sum(stop - start for start, stop in debug),
    )


def _interpreter(content: Content, segment: Segment) -> str:
    # Files with debug symbols alone keep the segment without its content.
    path = text_of(content.read(segment.offset, min(segment.size, LONGEST_PATHS)))
    return path if path.startswith("/") else ""


def _is_go(content: Content, segments: Iterable[Segment], sections: Iterable[Section]) -> bool:
    """Whether there is what only Go's linker writes."""
    return any(section.name in _GO_SECTIONS for section in sections) or _has_go_note(content, segments)


def _has_go_note(content: Content, segments: Iterable[Segment]) -> bool:
    # Linkers join notes of several sections in one segment.
    return any(_GO_NOTE in content.read(segment.offset, _NOTES_BYTES) for segment in segments if segment.type == NOTE)
