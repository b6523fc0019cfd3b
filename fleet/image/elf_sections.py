"""The sections of an ELF file: their names, and which of them strip(1) takes away.

Specs: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.sheader.html; what counts as debugging is BFD's list,
https://sourceware.org/git/?p=binutils-gdb.git;a=blob;f=bfd/elf.c (_bfd_elf_make_section_from_shdr).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from fleet.image.elf_tables import MOST_RECORDS, Content, Shape, layout_of, table_rows

Range = tuple[int, int]

NAMES_BYTES = 4096
SYMBOLS = 2
LOADER_TABLES = (3, 0x6FFFFFFD, 0x6FFFFFFE)  # strings, versions defined and needed
WRITABLE_SECTION, ALLOCATED = 1, 2

_NO_CONTENT, _SYMBOL_INDEXES = 8, 18
_LINKED = (2, 3)  # executables and shared objects; an object file or a kernel module is nothing without its symbols
_DEBUG_NAMES = (b".debug", b".zdebug", b".gdb_index", b".stab", b".line", b".gnu.debuglto_.debug_")
_PADDING = 16
_MOST_RANGES = 8


class Section(NamedTuple):
    """A row of the table. ``link`` is the number of another section: of symbols, the one with their names."""

    name: bytes
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


_new_section = partial(tuple.__new__, Section)


def read_sections(shape: Shape, content: Content) -> tuple[Section, ...]:
    """The table of sections, without names where those were not read; empty where there is none."""
    if not shape.sections_at:
        return ()
    table = content.read(shape.sections_at, shape.section_size * min(shape.section_count, MOST_RECORDS))
    rows = list(table_rows(layout_of(f"{shape.order}II4{shape.word}I"), shape.section_size, table))
    names = b""
    if shape.names_section < len(rows):
        _, _, _, _, names_at, names_size, _ = rows[shape.names_section]
        names = content.read(names_at, min(names_size, NAMES_BYTES))
    # Whole names alone: what is found at a place beyond the last one is empty.
    names = names[: names.rfind(b"\0") + 1]
    end_of = names.find
    return tuple(
        [
            _new_section((names[at : end_of(b"\0", at)], kind, flags, address, offset, size, link))
            for at, kind, flags, address, offset, size, link in rows
        ]
    )


def debug_ranges(shape: Shape, sections: Sequence[Section], size: int) -> tuple[Range, ...]:
    """What strip(1) would take from a linked file of ``size`` bytes, as few sorted disjoint (start, stop)."""
    if shape.type not in _LINKED:
        return ()
    ranges = sorted(
        (section.offset, min(section.offset + section.size, size))
        for section in _strippable(shape, sections)
        if section.type != _NO_CONTENT and section.offset < size
    )
    merged: list[Range] = []
    for start, stop in ranges:
        # The gaps between such sections are their padding, which goes with them.
        if merged and start <= merged[-1][1] + _PADDING:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        elif start < stop:
            merged.append((start, stop))
    return tuple(merged[:_MOST_RANGES])


def _strippable(shape: Shape, sections: Sequence[Section]) -> Iterator[Section]:
    names_of_symbols = {section.link for section in sections if section.type == SYMBOLS} - {shape.names_section}
    for number, section in enumerate(sections):
        symbols = section.type in (SYMBOLS, _SYMBOL_INDEXES) or number in names_of_symbols
        if not section.flags & ALLOCATED and (symbols or section.name.startswith(_DEBUG_NAMES)):
            yield section
