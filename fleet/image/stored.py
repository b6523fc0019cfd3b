"""Layer indexes as bytes, to be kept in the database and read again by every later analysis.

Version, newline, then under zstd: the length of a head; the head, as JSON, with facts and the lengths of what follows;
the entries in their columns; the texts. An entry takes about 20 bytes, of which fingerprint and share are the half that
nothing makes smaller.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable
from dataclasses import fields
from operator import attrgetter
from typing import Any

import zstandard

from fleet.image.columns import KINDS, SEPARATOR, Entries, in_chunks, in_columns
from fleet.image.entries import Component, ElfFacts, LayerIndex
from fleet.image.limits import DEFAULT_LIMITS, MEBIBYTE

VERSION = 3

_PREFIX = f"plimsoll-layer-index {VERSION}\n".encode()
_LEVEL = 3
_WINDOW_BYTES = 8 * MEBIBYTE
_LENGTH_BYTES = 8
# The layer pass lets nothing through that is larger.
_MOST_BYTES = 1024 * MEBIBYTE

# In this order, with their types as the array module names them.
_COLUMNS = (
    ("kinds", "B"),
    ("sizes_bytes", "q"),
    ("compressed_bytes", "q"),
    ("modes", "H"),
    ("uids", "q"),
    ("gids", "q"),
    ("fingerprints", "Q"),
    ("parents", "I"),
)
_elf_row = attrgetter(*(field.name for field in fields(ElfFacts)))


class StaleIndex(ValueError):
    """The bytes are of another version, or no index at all. The layer has to be read again."""


def dump_index(index: LayerIndex) -> bytes:
    """The bytes of an index, for ``load_index``."""
    entries = in_columns(index.entries)
    paths = [_encoded(part) for part in (entries.directories, entries.names, entries.whole_links())]
    head = {
        "digest": index.digest,
        "diff_id": index.diff_id,
        "media_type": index.media_type,
        "compressed_bytes": index.compressed_bytes,
        "unpacked_bytes": index.unpacked_bytes,
        "compressed_estimated": index.compressed_estimated,
        "ignored_entries": index.ignored_entries,
        "entries": len(entries),
        "paths": [len(part) for part in paths],
        "texts": {path: len(text) for path, text in index.texts.items()},
        "elf": {path: _elf_row(facts) for path, facts in index.elf.items()},
        "shebangs": dict(index.shebangs),
        "components": dict(index.components),
    }
    # Escaped to ASCII: paths may hold lone surrogates, which UTF-8 does not take.
    body = json.dumps(head, separators=(",", ":")).encode("ascii")
    columns = (_planes(getattr(entries, name)) for name, _ in _COLUMNS)
    length = len(body).to_bytes(_LENGTH_BYTES, "little")
    return _PREFIX + _compressed((length, body, *paths, *columns, *index.texts.values()))


def load_index(blob: bytes) -> LayerIndex:
    """The index that ``dump_index`` wrote. Raises StaleIndex for anything else."""
    if not blob.startswith(_PREFIX):
        raise StaleIndex("This layer index was written by another version of Plimsoll. Scan its service again.")
    try:
        return _index(_Parts(memoryview(blob)[len(_PREFIX) :]))
    except (zstandard.ZstdError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise StaleIndex("This layer index is damaged. Scan its service again.") from error


def _compressed(parts: Iterable[bytes]) -> bytes:
    zstd = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    return b"".join([*map(zstd.compress, parts), zstd.flush()])


class _Parts:
    """What was compressed, part by part. Raises ValueError for a part that is not there whole, or that none is as
    large as."""

    def __init__(self, compressed: memoryview) -> None:
        self._stream = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).stream_reader(compressed)
        self._room_bytes = _MOST_BYTES

    def take(self, size: int) -> bytes:
        self._room_bytes -= size
        if size < 0 or self._room_bytes < 0:
            raise ValueError("no index has such a part")
        taken = self._stream.read(size)
        if len(taken) < size:
            raise ValueError("the index ends too early")
        return taken

    def finish(self) -> None:
        """Look at the checksum, which is read when more is asked for, and that nothing follows."""
        if self._stream.read(1):
            raise ValueError("the index goes on after its end")


def _index(parts: _Parts) -> LayerIndex:
    head = json.loads(parts.take(int.from_bytes(parts.take(_LENGTH_BYTES), "little")))
    entries = _entries(parts, head["entries"], head["paths"])
    texts = {path: parts.take(size) for path, size in head["texts"].items()}
    parts.finish()
    return LayerIndex(
        digest=head["digest"],
        diff_id=head["diff_id"],
        media_type=head["media_type"],
        compressed_bytes=head["compressed_bytes"],
        unpacked_bytes=head["unpacked_bytes"],
        compressed_estimated=head["compressed_estimated"],
        ignored_entries=head["ignored_entries"],
        entries=entries,
        texts=texts,
        elf={path: _elf(values) for path, values in head["elf"].items()},
        shebangs=head["shebangs"],
        components={path: tuple(Component(*row) for row in rows) for path, rows in head["components"].items()},
    )


def _entries(parts: _Parts, count: int, sizes: list[int]) -> Entries:
    if count > DEFAULT_LIMITS.entries:
        raise ValueError("no layer has as many entries")
    directories, names, links = (_decoded(parts.take(size)) if count else [] for size in sizes)
    columns = {name: _numbers(parts, kind, count) for name, kind in _COLUMNS}
    if len(names) != count or len(links) != count:
        raise ValueError("an entry has no name")
    if count and (max(columns["kinds"]) >= len(KINDS) or max(columns["parents"]) >= len(directories)):
        raise ValueError("a number stands for nothing")
    return Entries(**columns, directories=directories, names=in_chunks(names), links=in_chunks(links))


def _encoded(texts: Iterable[str]) -> bytes:
    return SEPARATOR.join(texts).encode(errors="surrogatepass")


def _decoded(part: bytes) -> list[str]:
    return part.decode(errors="surrogatepass").split(SEPARATOR)


def _planes(column: array[int]) -> bytes:
    """The lowest bytes of all numbers, then the next ones: what is the same in all of them stands together."""
    raw = _little_endian(column).tobytes()
    return b"".join(raw[byte :: column.itemsize] for byte in range(column.itemsize))


def _numbers(parts: _Parts, kind: str, count: int) -> array[int]:
    column: array[int] = array(kind)
    size = column.itemsize
    raw = bytearray(size * count)
    for byte in range(size):
        raw[byte::size] = parts.take(count)
    column.frombytes(raw)
    return _little_endian(column)


def _little_endian(column: array[int]) -> array[int]:
    """To and from what is stored. The same column where the machine counts so, as nearly all do."""
    if sys.byteorder == "little":
        return column
    swapped = column[:]
    swapped.byteswap()
    return swapped


def _elf(values: list[Any]) -> ElfFacts:
    """JSON knows no tuples."""
    facts: list[Any] = [tuple(value) if isinstance(value, list) else value for value in values]
    return ElfFacts(*facts)
