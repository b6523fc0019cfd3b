"""Layer indexes as bytes, to be kept in the database and read again by every later analysis.

Version, newline, then JSON under zstd. Entries are columns rather than rows, and neighbouring paths share most of
their letters: 30 to 40 bytes an entry, texts and programs included.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import astuple
from typing import Any

import zstandard

from fleet.image.entries import Component, ElfFacts, Entry, LayerIndex

VERSION = 2

_PREFIX = f"plimsoll-layer-index {VERSION}\n".encode()
_LEVEL = 6
_COLUMNS = len(Entry._fields)


class StaleIndex(ValueError):
    """The bytes are of another version, or no index at all. The layer has to be read again."""


def dump_index(index: LayerIndex) -> bytes:
    """The bytes of an index, for ``load_index``."""
    document = {
        "digest": index.digest,
        "diff_id": index.diff_id,
        "media_type": index.media_type,
        "compressed_bytes": index.compressed_bytes,
        "unpacked_bytes": index.unpacked_bytes,
        "compressed_estimated": index.compressed_estimated,
        "ignored_entries": index.ignored_entries,
        "entries": list(zip(*index.entries, strict=True)),
        "texts": {path: b64encode(text).decode("ascii") for path, text in index.texts.items()},
        "elf": {path: astuple(facts) for path, facts in index.elf.items()},
        "shebangs": dict(index.shebangs),
        "components": dict(index.components),
    }
    # Escaped to ASCII: paths may hold lone surrogates, which UTF-8 does not take.
    body = json.dumps(document, separators=(",", ":"))
    return _PREFIX + zstandard.ZstdCompressor(level=_LEVEL).compress(body.encode("ascii"))


def load_index(blob: bytes) -> LayerIndex:
    """The index that ``dump_index`` wrote. Raises StaleIndex for anything else."""
    if not blob.startswith(_PREFIX):
        raise StaleIndex("This layer index was written by another version of Plimsoll. Scan its service again.")
    try:
        document = json.loads(zstandard.ZstdDecompressor().decompress(blob[len(_PREFIX) :]))
        return _index(document)
    except (zstandard.ZstdError, ValueError, KeyError, TypeError) as error:
        raise StaleIndex("This layer index is damaged. Scan its service again.") from error


def _index(document: dict[str, Any]) -> LayerIndex:
    columns = document["entries"] or [()] * _COLUMNS
    return LayerIndex(
        digest=document["digest"],
        diff_id=document["diff_id"],
        media_type=document["media_type"],
        compressed_bytes=document["compressed_bytes"],
        unpacked_bytes=document["unpacked_bytes"],
        compressed_estimated=document["compressed_estimated"],
        ignored_entries=document["ignored_entries"],
        entries=tuple(map(Entry._make, zip(*columns, strict=True))),
        texts={path: b64decode(text) for path, text in document["texts"].items()},
        elf={path: _elf(values) for path, values in document["elf"].items()},
        shebangs=document["shebangs"],
        components={path: tuple(Component(*row) for row in rows) for path, rows in document["components"].items()},
    )


def _elf(values: list[Any]) -> ElfFacts:
    """JSON knows no tuples."""
    fields: list[Any] = [tuple(value) if isinstance(value, list) else value for value in values]
    return ElfFacts(*fields)
