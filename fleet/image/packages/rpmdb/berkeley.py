"""Packages, a hash of Berkeley DB as RPM kept it for decades: pages of keys and values in turn, where values that do
not fit lie on chains of overflow pages.

Source: https://github.com/berkeleydb/libdb/blob/v5.3.28/src/dbinc/db_page.h
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

_MAGIC = 0x061561
_MAGIC_AT, _PAGE_BYTES_AT = 12, 20
_PAGE_HEADER_BYTES = 26
_HASH_PAGES = (2, 13)  # unsorted, as versions before 4.6 wrote them, and sorted
_OVERFLOW_PAGE = 7
_INLINE, _OFF_PAGE = 1, 3
_MOST_ITEMS = 1_000_000
_PAGE_SIZES = frozenset(1 << bits for bits in range(9, 17))

_Content = bytes | bytearray


def matches(content: _Content) -> bool:
    return _byte_order(content) is not None


def read_blobs(content: _Content) -> Iterator[bytes]:
    order = _byte_order(content)
    if order is not None:
        (page_bytes,) = struct.unpack_from(f"{order}I", content, _PAGE_BYTES_AT)
        if page_bytes in _PAGE_SIZES:
            yield from _Hash(content, order, page_bytes).values()


def _byte_order(content: _Content) -> str | None:
    """That of the machine that made it."""
    magic = bytes(content[_MAGIC_AT : _MAGIC_AT + 4])
    return next((order for order in "<>" if magic == struct.pack(f"{order}I", _MAGIC)), None)


class _Hash:
    def __init__(self, content: _Content, order: str, page_bytes: int) -> None:
        self._content = content
        self._order = order
        self._page_bytes = page_bytes
        self._pages = len(content) // page_bytes
        self._chain_pages_left = self._pages
        self._items_left = _MOST_ITEMS

    def values(self) -> Iterator[bytes]:
        for number in range(1, self._pages):
            with suppress(struct.error):
                page = self._page(number)
                entries, _, kind = struct.unpack_from(f"{self._order}HHxB", page, 20)
                if kind in _HASH_PAGES:
                    offsets = struct.unpack_from(f"{self._order}{entries}H", page, _PAGE_HEADER_BYTES)
                    yield from self._values_of(page, offsets)

    def _page(self, number: int) -> bytes:
        start = number * self._page_bytes
        return bytes(self._content[start : start + self._page_bytes])

    def _values_of(self, page: bytes, offsets: tuple[int, ...]) -> Iterator[bytes]:
        """Items lie from the page's end downwards, so that one ends where the one before it starts."""
        for key, start in list(zip(offsets[::2], offsets[1::2], strict=False))[: self._items_left]:
            self._items_left -= 1
            kind = page[start] if start < len(page) else 0
            if kind == _INLINE:
                yield page[start + 1 : key]
            elif kind == _OFF_PAGE:
                with suppress(struct.error):
                    yield self._chain(*struct.unpack_from(f"{self._order}4xII", page, start))

    def _chain(self, number: int, size: int) -> bytes:
        parts, missing = [], size
        while missing > 0 and number and self._chain_pages_left > 0:
            self._chain_pages_left -= 1
            page = self._page(number)
            number, length, kind = struct.unpack_from(f"{self._order}16xI2xHxB", page)
            if kind != _OVERFLOW_PAGE:
                break
            part = page[_PAGE_HEADER_BYTES : _PAGE_HEADER_BYTES + min(length, missing)]
            missing -= len(part)
            parts.append(part)
        return b"".join(parts) if missing <= 0 else b""
