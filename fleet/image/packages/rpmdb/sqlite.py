"""The table ``Packages`` of rpmdb.sqlite, whose rows are a number and a header.

The file is read as it lies there: SQLite itself would copy it whole, run what a stranger's schema defines, and refuse
one in WAL mode without the files beside it. A B-tree of pages holds the rows; what does not fit into a cell continues
on a chain of overflow pages.
Spec: https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_SCHEMA_ROOT = 1
_LEAF, _INTERIOR = 13, 5
_LONGEST_VARINT = 9
_SMALLEST_PAGE_BYTES = 480
# By serial type; from 12 on even ones are blobs and odd ones texts, whose length the type tells.
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
_FIXED_BYTES = (*_INTEGER_BYTES, 8, 0, 0, 0, 0)
_FIRST_BLOB_TYPE = 12

# A row of the schema has five; no table of packages has as many rows.
_MOST_COLUMNS = 5
_MOST_ROWS = 1_000_000

_Content = bytes | bytearray
_Value = bytes | int | None
_Row = tuple[_Value, ...]


def matches(content: _Content) -> bool:
    return content.startswith(_MAGIC)


def read_blobs(content: _Content) -> Iterator[bytes]:
    try:
        database = _Database(content)
    except struct.error:
        return
    for row in database.rows(_SCHEMA_ROOT):
        if row[:2] == (b"table", b"Packages") and len(row) > 3 and isinstance(root := row[3], int):
            yield from (values[1] for values in database.rows(root) if len(values) > 1 and isinstance(values[1], bytes))
            return


class _Database:
    def __init__(self, content: _Content) -> None:
        self._content = content
        size, reserved = struct.unpack_from(">H2xB", content, 16)
        self._page_bytes = size if size != 1 else 65_536
        self._usable_bytes = self._page_bytes - reserved
        if self._usable_bytes < _SMALLEST_PAGE_BYTES:
            raise struct.error("no page is that small")
        self._reads_left = len(content) // self._page_bytes + 1
        self._rows_left = _MOST_ROWS

    def rows(self, root: int) -> Iterator[_Row]:
        """The rows of the table whose tree starts at page ``root``, in their order."""
        waiting = [root]
        while waiting and self._reads_left > 0:
            self._reads_left -= 1
            with suppress(struct.error):
                page = self._page(waiting.pop())
                kind, cells, start = _page_header(page, root)
                pointers = struct.unpack_from(f">{cells}H", page, start)
                if kind == _INTERIOR:
                    last = struct.unpack_from(">I", page, start - 4)
                    children = [struct.unpack_from(">I", page, pointer)[0] for pointer in pointers]
                    waiting.extend((*children, *last)[::-1])
                elif kind == _LEAF:
                    yield from self._cells(page, pointers)

    def _page(self, number: int) -> bytes:
        """Numbers start at 1; an empty page stands for what is not there."""
        start = max(0, number - 1) * self._page_bytes
        return bytes(self._content[start : start + self._page_bytes])

    def _cells(self, page: bytes, pointers: tuple[int, ...]) -> Iterator[_Row]:
        for pointer in pointers[: self._rows_left]:
            self._rows_left -= 1
            with suppress(struct.error):
                size, at = _varint(page, pointer)
                _, at = _varint(page, at)
                yield _record(self._payload(page, at, size))

    def _payload(self, page: bytes, at: int, size: int) -> bytes:
        usable = self._usable_bytes
        if size <= usable - 35:
            return page[at : at + size]
        least = (usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (usable - 4)
        if local > usable - 35:
            local = least
        (following,) = struct.unpack_from(">I", page, at + local)
        return self._with_overflow(page[at : at + local], following, size)

    def _with_overflow(self, local: bytes, number: int, size: int) -> bytes:
        parts, missing = [local], size - len(local)
        while missing > 0 and number and self._reads_left > 0:
            self._reads_left -= 1
            page = self._page(number)
            (number,) = struct.unpack_from(">I", page)
            part = page[4 : 4 + min(missing, self._usable_bytes - 4)]
            missing -= len(part)
            parts.append(part)
        if missing > 0:
            raise struct.error("the chain ends early")
        return b"".join(parts)


def _page_header(page: bytes, root: int) -> tuple[int, int, int]:
    """The kind of a page of a tree, its number of cells, and where their pointers start. The first page of the file
    has the file's header before its own."""
    at = _HEADER_BYTES if root == _SCHEMA_ROOT and page.startswith(_MAGIC) else 0
    kind, cells = struct.unpack_from(">B2xH", page, at)
    return kind, cells, at + (12 if kind == _INTERIOR else 8)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes at ``at``, and where it ends."""
    value = 0
    for position in range(at, at + _LONGEST_VARINT):
        if position >= len(data):
            raise struct.error("a number is cut short")
        byte = data[position]
        if position == at + _LONGEST_VARINT - 1:
            return value << 8 | byte, position + 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, position + 1


def _record(payload: bytes) -> _Row:
    """The values of a row: the types of all stand before the first."""
    header_bytes, at = _varint(payload, 0)
    body = header_bytes
    values: list[_Value] = []
    while at < min(header_bytes, len(payload)) and len(values) < _MOST_COLUMNS:
        kind, at = _varint(payload, at)
        size = (kind - _FIRST_BLOB_TYPE) // 2 if kind >= _FIRST_BLOB_TYPE else _FIXED_BYTES[kind]
        values.append(_value(kind, payload[body : body + size]))
        body += size
    return tuple(values)


def _value(kind: int, stored: bytes) -> _Value:
    if kind >= _FIRST_BLOB_TYPE:
        return stored
    if kind in (8, 9):
        return kind - 8
    return int.from_bytes(stored, "big", signed=True) if 0 < kind < len(_INTEGER_BYTES) else None
