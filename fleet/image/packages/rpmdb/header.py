"""The header of one package: an index of tags, and the data that they point to.

Source: https://rpm-software-management.github.io/rpm/manual/format_header.html
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_LENGTHS_BYTES = 8
_ENTRY_BYTES = 16
_MOST_ENTRIES = 0xFFFF  # RPM's own limit
_INT32, _STRING, _STRING_ARRAY, _I18N = 4, 6, 8, 9
_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_WHOLE_PATHS, _BASENAMES, _DIRECTORIES, _DIRECTORY_INDEXES = 1027, 1117, 1118, 1116
_PROVIDES, _REQUIRES = 1047, 1049
_LONGEST_DIRECTORY = 4096  # as in the kernel


@dataclass(frozen=True, slots=True)
class Header:
    """``version`` with release, and with the epoch where one is set. ``files`` are names by directory; directories end
    in a slash. ``requires`` and ``provides`` are names without versions, as RPM writes them."""

    name: str
    version: str
    files: Mapping[str, list[str]]
    requires: tuple[str, ...]
    provides: tuple[str, ...]


def read_header(blob: bytes) -> Header | None:
    """What a header says of its package; None when it is none, or names no package."""
    tags = _Tags(blob)
    name, version, release = (tags.text(tag) for tag in (_NAME, _VERSION, _RELEASE))
    if not name:
        return None
    epoch = tags.numbers(_EPOCH)
    return Header(
        name=name,
        version=f"{epoch[0]}:{version}-{release}" if epoch else f"{version}-{release}",
        files=_files(tags),
        requires=tuple(dict.fromkeys(tags.texts(_REQUIRES))),
        provides=tuple(dict.fromkeys(tags.texts(_PROVIDES))),
    )


def _files(tags: _Tags) -> Mapping[str, list[str]]:
    files: dict[str, list[str]] = defaultdict(list)
    for directory, name in _paths(tags):
        files[directory].append(name)
    return files


def _paths(tags: _Tags) -> Iterator[tuple[str, str]]:
    directories = [path if len(path) <= _LONGEST_DIRECTORY else "" for path in tags.texts(_DIRECTORIES)]
    for name, index in zip(tags.texts(_BASENAMES), tags.numbers(_DIRECTORY_INDEXES), strict=False):
        if index < len(directories) and directories[index]:
            yield directories[index], name
    for path in tags.texts(_WHOLE_PATHS):
        directory, slash, name = path.rpartition("/")
        yield directory + slash, name


class _Tags:
    """The values of a header by tag. What points outside of the data has none."""

    def __init__(self, blob: bytes) -> None:
        self._entries: dict[int, tuple[int, int, int]] = {}
        self._data = b""
        self._next: dict[int, int] = {}
        if len(blob) < _LENGTHS_BYTES:
            return
        entries, size = struct.unpack_from(">II", blob)
        start = _LENGTHS_BYTES + entries * _ENTRY_BYTES
        if entries > _MOST_ENTRIES or start > len(blob):
            return
        self._data = blob[start : start + size]
        for tag, kind, offset, count in struct.iter_unpack(">4I", blob[_LENGTHS_BYTES:start]):
            self._entries[tag] = (kind, offset, count)
        offsets = sorted({offset for _, offset, _ in self._entries.values()})
        # Values lie one after the other, in whatever order: one ends at the latest where the next starts.
        self._next = dict(zip(offsets, (*offsets[1:], len(self._data)), strict=False))

    def text(self, tag: int) -> str:
        return next(iter(self.texts(tag)), "")

    def texts(self, tag: int) -> list[str]:
        kind, offset, count = self._entries.get(tag, (0, 0, 0))
        if kind not in (_STRING, _STRING_ARRAY, _I18N) or not count:
            return []
        parts = self._data[offset : self._next[offset]].split(b"\0")
        return [part.decode(errors="surrogateescape") for part in parts[:-1][:count]]

    def numbers(self, tag: int) -> tuple[int, ...]:
        kind, offset, count = self._entries.get(tag, (0, 0, 0))
        if kind != _INT32 or offset + 4 * count > len(self._data):
            return ()
        return struct.unpack_from(f">{count}I", self._data, offset)
