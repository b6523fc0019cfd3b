"""The modules that a Go program was built from, as ``go version -m`` prints them.

The linker writes them behind a magic string: since Go 1.18 in place, before that by pointers to strings among the
constants. Format: https://pkg.go.dev/debug/buildinfo, https://pkg.go.dev/runtime/debug#BuildInfo
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from fleet.image.elf_sections import Section
from fleet.image.elf_tables import LOAD, WRITABLE, Content, Segment, file_offset, layout_of
from fleet.image.entries import Component

SECTION = b".go.buildinfo"
POINTERS_BYTES = 32  # the whole section, where it holds pointers

_MAGIC = b"\xff Go buildinf:"
_POINTER_SIZE, _FLAGS = 14, 15
_BIG_ENDIAN, _IN_PLACE = 1, 2
_FRAME_BYTES = 16  # of random bytes around the list, so that tools can find it
_SEARCHED_BYTES = 64 << 10
_LONGEST_BYTES = 1 << 20
_MOST_MODULES = 10_000
_LONGEST_NUMBER = 10
_MODULE = re.compile(r"^(mod|dep|=>)\t([^\t\n]*)\t([^\t\n]*)", re.MULTILINE)
_LOCAL = ("./", "../", "/")


def read_go_modules(
    content: Content, segments: Sequence[Segment], sections: Sequence[Section]
) -> tuple[Component, ...]:
    """The main module, those it depends on and Go's own library, in this order; empty for what is no Go program."""
    start = _start(content, segments, sections)
    if start is None:
        return ()
    version, modules = _strings(content, segments, start)
    text = modules[_FRAME_BYTES:-_FRAME_BYTES].decode(errors="replace")
    components = list(islice(_modules(text), _MOST_MODULES))
    if version.startswith(b"go"):
        components.append(Component("go", "stdlib", version.decode(errors="replace").split(" ", 1)[0]))
    return tuple(components)


def _start(content: Content, segments: Sequence[Segment], sections: Sequence[Section]) -> int | None:
    """Where the magic stands. Without names of sections: near the begin of the data."""
    section = next((section for section in sections if section.name == SECTION), None)
    if section is not None:
        return section.offset if content.read(section.offset, len(_MAGIC)) == _MAGIC else None
    data = next((segment for segment in segments if segment.type == LOAD and segment.flags & WRITABLE), None)
    if data is None:
        return None
    found = content.read(data.offset, min(data.size, _SEARCHED_BYTES)).find(_MAGIC)
    return None if found < 0 else data.offset + found


def _strings(content: Content, segments: Sequence[Segment], start: int) -> tuple[bytes, bytes]:
    """The version of Go and the list of modules in its frame; empty where they cannot be read."""
    header = content.read(start, POINTERS_BYTES)
    if len(header) < POINTERS_BYTES:
        return b"", b""
    if header[_FLAGS] & _IN_PLACE:
        version, stop = _counted(content, start + POINTERS_BYTES)
        return version, _counted(content, stop)[0]
    word = {4: "I", 8: "Q"}.get(header[_POINTER_SIZE])
    if word is None:
        return b"", b""
    pair = layout_of((">" if header[_FLAGS] & _BIG_ENDIAN else "<") + 2 * word)

    def pointed(address: int) -> bytes:
        """A string of Go by the address of its pointer and length."""
        at = file_offset(segments, address)
        place = b"" if at is None else content.read(at, pair.size)
        if len(place) < pair.size:
            return b""
        address, size = pair.unpack(place)
        at = file_offset(segments, address)
        return b"" if at is None or size > _LONGEST_BYTES else content.read(at, size)

    version, modules = pair.unpack_from(header, _FLAGS + 1)
    return pointed(version), pointed(modules)


def _counted(content: Content, at: int) -> tuple[bytes, int]:
    """A string behind its length as a varint, and where it ends."""
    size = 0
    for place, byte in enumerate(content.read(at, _LONGEST_NUMBER)):
        size |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            start = at + place + 1
            return content.read(start, size) if size <= _LONGEST_BYTES else b"", start + size
    return b"", at


def _modules(text: str) -> Iterator[Component]:
    """``mod`` and ``dep`` lines, each with the module that ``=>`` puts in its place."""
    module: Component | None = None
    for kind, name, version in (match.groups() for match in _MODULE.finditer(text)):
        if kind == "=>" and module is not None:
            # A directory is no name: it is the same module in another state.
            module = Component("go", module.name if name.startswith(_LOCAL) else name, version)
        elif kind != "=>":
            if module is not None:
                yield module
            module = Component("go", name, version)
    if module is not None:
        yield module
