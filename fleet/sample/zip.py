"""Zip archives whose members are stored, so that their bulk can come from the pools.

Spec: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from isal import isal_zlib

from fleet.sample.filler import Filler, Joined, pieces_of

LOCAL = struct.Struct("<IHHHHHIIIHH")
CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
END = struct.Struct("<IHHHHIIH")
# 1 January 1980, the first day that the format knows.
DAY = 0x21


def stored_zip(members: Sequence[tuple[str, bytes | Filler]]) -> Joined:
    """An archive of (name, content) members in their order."""
    parts: list[bytes | Filler] = []
    central, offset = b"", 0
    for name, content in members:
        crc = size = 0
        for piece in pieces_of(content):
            crc = isal_zlib.crc32(piece, crc)
            size += len(piece)
        path = name.encode()
        parts += [LOCAL.pack(0x04034B50, 10, 0, 0, 0, DAY, crc, size, size, len(path), 0) + path, content]
        central += CENTRAL.pack(
            0x02014B50, 10, 10, 0, 0, 0, DAY, crc, size, size, len(path), 0, 0, 0, 0, 0, offset
        ) + path  # fmt: skip
        offset += LOCAL.size + len(path) + size
    end = END.pack(0x06054B50, 0, 0, len(members), len(members), len(central), offset, 0)
    return Joined((*parts, central + end))
