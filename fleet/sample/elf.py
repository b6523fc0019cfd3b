"""ELF files that tell the dynamic loader what real ones do; only their machine code means nothing.

Specs: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html, and symbol versions in
https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html. Every table lies at
the beginning of the file, mapped one to one, so that an address is an offset.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from fleet.sample.filler import Filler

LOADER = "/lib64/ld-linux-x86-64.so.2"
GO_BUILD_INFO = b"\xff Go buildinf:\x08\x02"
GO_MODULE_START = bytes.fromhex("3077af0c9274080241e1c107e6d618e6")
GO_MODULE_END = bytes.fromhex("f932433186182072008242104116d8f2")

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_DYNAMIC, SHT_DYNSYM = 1, 2, 3, 6, 11
SHT_VERDEF, SHT_VERNEED = 0x6FFFFFFD, 0x6FFFFFFE
HEADER_BYTES, SEGMENT_BYTES, SECTION_BYTES, SYMBOL_BYTES = 64, 56, 64, 24


@dataclass(frozen=True, slots=True)
class Program:
    """What an ELF file says of itself. ``glibc`` names the symbol versions needed of libc.so.6, ``defines`` those
    that the file itself brings. With neither interpreter nor libraries it is static."""

    interpreter: str = ""
    needed: Sequence[str] = ()
    soname: str = ""
    runpath: str = ""
    glibc: Sequence[str] = ()
    defines: Sequence[str] = ()
    go_version: str = ""
    go_module: str = ""
    stripped: bool = True


class _Strings:
    def __init__(self) -> None:
        self.table = bytearray(b"\0")

    def add(self, text: str) -> int:
        offset = len(self.table)
        self.table += text.encode() + b"\0"
        return offset


@dataclass(slots=True)
class _Section:
    name: str
    kind: int
    content: bytes
    link: str = ""
    info: int = 0
    offset: int = 0


def elf_file(program: Program, size_bytes: int, seed: int = 0) -> Filler:
    """An ELF file of ``size_bytes`` (at least the length of its tables)."""
    head = _tables(program, size_bytes)
    return Filler("machine", max(0, size_bytes - len(head)), seed, head)


def _tables(program: Program, size_bytes: int) -> bytes:
    """Headers and tables. Lengths do not depend on offsets, so one round places them and the next fills them in."""
    sections = _sections(program, {})
    _place(sections)
    sections = _sections(program, {section.name: section.offset for section in sections})
    end = _place(sections)
    names = _Strings()
    section_rows = bytearray(SECTION_BYTES)
    order = {section.name: position + 1 for position, section in enumerate(sections)}
    for section in sections:
        content_bytes = len(section.content)
        entry = {SHT_DYNAMIC: 16, SHT_SYMTAB: SYMBOL_BYTES, SHT_DYNSYM: SYMBOL_BYTES}.get(section.kind, 0)
        section_rows += struct.pack(
            "<IIQQQQIIQQ", names.add(section.name), section.kind, 2, section.offset, section.offset, content_bytes,
            order.get(section.link, 0), section.info, 8, entry,
        )  # fmt: skip
    name_row = names.add(".shstrtab")
    rows_at = _aligned(end + len(names.table))
    section_rows += struct.pack("<IIQQQQIIQQ", name_row, SHT_STRTAB, 0, 0, end, len(names.table), 0, 0, 1, 0)
    body = bytearray(rows_at)
    for section in sections:
        body[section.offset : section.offset + len(section.content)] = section.content
    body[end : end + len(names.table)] = names.table
    segments = _segments(sections, max(size_bytes, rows_at + len(section_rows)))
    kind = 2 if program.interpreter == "" and not program.needed and not program.soname else 3
    body[:HEADER_BYTES] = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", kind, 62, 1, 0, HEADER_BYTES, rows_at, 0, HEADER_BYTES,
        SEGMENT_BYTES, len(segments) // SEGMENT_BYTES, SECTION_BYTES, len(sections) + 2, len(sections) + 1,
    )  # fmt: skip
    body[HEADER_BYTES : HEADER_BYTES + len(segments)] = segments
    return bytes(body + section_rows)


def _aligned(offset: int) -> int:
    return (offset + 7) & ~7


def _place(sections: list[_Section]) -> int:
    offset = HEADER_BYTES + 4 * SEGMENT_BYTES
    for section in sections:
        section.offset = _aligned(offset)
        offset = section.offset + len(section.content)
    return _aligned(offset)


def _segments(sections: list[_Section], size_bytes: int) -> bytes:
    rows = struct.pack("<IIQQQQQQ", PT_LOAD, 5, 0, 0, 0, size_bytes, size_bytes, 4096)
    for section in sections:
        kind = {".interp": PT_INTERP, ".dynamic": PT_DYNAMIC}.get(section.name)
        if kind:
            at, length = section.offset, len(section.content)
            rows += struct.pack("<IIQQQQQQ", kind, 4, at, at, at, length, length, 8)
    return rows


def _sections(program: Program, at: dict[str, int]) -> list[_Section]:
    strings = _Strings()
    sections = []
    if program.interpreter:
        sections.append(_Section(".interp", SHT_PROGBITS, program.interpreter.encode() + b"\0"))
    if program.needed or program.soname or program.interpreter:
        sections += _dynamic_sections(program, strings, at)
    if program.go_version:
        sections.append(_Section(".go.buildinfo", SHT_PROGBITS, _go_build_info(program)))
    if not program.stripped:
        sections.append(_Section(".symtab", SHT_SYMTAB, bytes(2 * SYMBOL_BYTES), ".strtab"))
        sections.append(_Section(".strtab", SHT_STRTAB, b"\0main\0"))
    return sections


def _dynamic_sections(program: Program, strings: _Strings, at: dict[str, int]) -> list[_Section]:
    tags = [(1, strings.add(name)) for name in program.needed]
    tags += [(14, strings.add(program.soname))] if program.soname else []
    tags += [(29, strings.add(program.runpath))] if program.runpath else []
    sections = []
    if program.glibc:
        sections.append(_Section(".gnu.version_r", SHT_VERNEED, _versions_needed(program, strings), ".dynstr", 1))
        tags += [(0x6FFFFFFE, at.get(".gnu.version_r", 0)), (0x6FFFFFFF, 1)]
    if program.defines:
        defined = _versions_defined(program, strings)
        sections.append(_Section(".gnu.version_d", SHT_VERDEF, defined, ".dynstr", len(program.defines)))
        tags += [(0x6FFFFFFC, at.get(".gnu.version_d", 0)), (0x6FFFFFFD, len(program.defines))]
    tags += [(5, at.get(".dynstr", 0)), (10, len(strings.table)), (6, at.get(".dynsym", 0)), (11, SYMBOL_BYTES), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", tag, value) for tag, value in tags)
    return [
        _Section(".dynsym", SHT_DYNSYM, bytes(SYMBOL_BYTES), ".dynstr", 1),
        _Section(".dynstr", SHT_STRTAB, bytes(strings.table)),
        *sections,
        _Section(".dynamic", SHT_DYNAMIC, dynamic, ".dynstr"),
    ]


def _versions_needed(program: Program, strings: _Strings) -> bytes:
    names = program.glibc
    rows = struct.pack("<HHIII", 1, len(names), strings.add("libc.so.6"), 16, 0)
    for position, name in enumerate(names):
        following = 0 if position == len(names) - 1 else 16
        rows += struct.pack("<IHHII", _hash(name), 0, position + 2, strings.add(name), following)
    return rows


def _versions_defined(program: Program, strings: _Strings) -> bytes:
    rows = b""
    for position, name in enumerate(program.defines):
        following = 0 if position == len(program.defines) - 1 else 28
        rows += struct.pack("<HHHHIII", 1, position == 0, position + 1, 1, _hash(name), 20, following)
        rows += struct.pack("<II", strings.add(name), 0)
    return rows


def _hash(name: str) -> int:
    """The System V ABI's hash of a symbol name."""
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return value


def _go_build_info(program: Program) -> bytes:
    module = GO_MODULE_START + f"path\t{program.go_module}\nmod\t{program.go_module}\t(devel)\t\n".encode()
    texts = (program.go_version.encode(), module + GO_MODULE_END)
    return GO_BUILD_INFO.ljust(32, b"\0") + b"".join(_varint(len(text)) + text for text in texts)


def _varint(number: int) -> bytes:
    low = number & 0x7F
    return bytes([low]) if number == low else bytes([low | 0x80]) + _varint(number >> 7)
