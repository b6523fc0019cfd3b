"""Packages.db, the format of RPM's own that SUSE uses: pages of slots, each of which points to a header.

Source: https://github.com/rpm-software-management/rpm/blob/rpm-4.18.0-release/lib/backend/ndb/rpmpkg.c
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEADER, _SLOT, _BLOB = b"RpmP", b"Slot", b"BlbS"
_HEADER_BYTES = 32
_PAGE_BYTES = 4096
_BLOCK_BYTES = 16

_Content = bytes | bytearray


def matches(content: _Content) -> bool:
    return content.startswith(_HEADER) and len(content) >= _HEADER_BYTES


def read_blobs(content: _Content) -> Iterator[bytes]:
    (pages,) = struct.unpack_from("<12xI", content)
    room = len(content)
    stop = min(pages * _PAGE_BYTES, room) // _BLOCK_BYTES * _BLOCK_BYTES
    slots = struct.iter_unpack("<4sII4x", memoryview(content)[_HEADER_BYTES:stop]) if stop > _HEADER_BYTES else ()
    for magic, package, block in slots:
        if magic == _SLOT and package:
            blob = _blob(content, block * _BLOCK_BYTES, package)
            room -= len(blob)
            if room < 0:
                return
            if blob:
                yield blob


def _blob(content: _Content, start: int, package: int) -> bytes:
    """The header at ``start``, empty when that of ``package`` does not stand there."""
    if start + _BLOCK_BYTES > len(content):
        return b""
    magic, owner, size = struct.unpack_from("<4sI4xI", content, start)
    found = magic == _BLOB and owner == package
    return bytes(content[start + _BLOCK_BYTES : start + _BLOCK_BYTES + size]) if found else b""
