"""Tar archives read forward only: ustar, PAX, GNU long names, GNU sparse files, base-256 numbers.

Read as container engines do (Go's archive/tar): global PAX headers are recognised and not applied, links and
directories have no content whatever their header says, one zero block alone is an error, and what follows the end
of the archive is ignored.

Specs: https://www.gnu.org/software/tar/manual/html_node/Standard.html,
https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple
from zlib import adler32

from fleet.image.entries import Kind
from fleet.image.limits import DEFAULT_LIMITS, Limits
from fleet.image.stream import ByteStream
from fleet.oci.errors import CorruptLayer, TooLarge

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_HEADER = struct.Struct("100s8s8s8s12s20xc100s8s")
_PREFIX, _STAR_PREFIX = slice(345, 500), slice(345, 476)
_SPARSE_EXTENDED, _SPARSE_SIZE = 482, slice(483, 495)
_SPARSE_MORE = 504
_LARGEST_BYTES = 1 << 60
_CHECKSUM, _SPACES, _ADLER = slice(148, 156), 8 * 32, 65521
_OCTAL = re.compile(rb"[0-7]+")
_ELEVEN_DIGITS = re.compile(rb"[0-7]{11}[\0 ]").fullmatch
_WITHOUT_MEANING = frozenset((b"mtime", b"atime", b"ctime"))
_NO_RECORDS: Mapping[bytes, bytes] = {}

_KINDS: Mapping[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"S": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "device",
    b"4": "device",
    b"5": "directory",
    b"6": "fifo",
}


class Member(NamedTuple):
    """One member as it stands in the archive.

    ``begin`` and ``end`` are offsets in the stream: from the first header block that is only for this member to the
    last block of its content. Of the content, ``stored_bytes`` follow; they are the file itself unless it is
    ``sparse``. ``size_bytes`` is what lstat will report. ``kind`` is None for vendors' records that are no file.
    """

    name: str
    kind: Kind | None
    size_bytes: int
    mode: int
    uid: int
    gid: int
    link: str
    begin: int
    end: int
    stored_bytes: int
    sparse: bool


def read_tar(stream: ByteStream, limits: Limits = DEFAULT_LIMITS) -> Iterator[Member]:
    """Each member in order, the stream standing at its content, of which the caller may take any part.

    Raises CorruptLayer for what is no whole tar archive and TooLarge for headers beyond ``limits``.
    """
    begin = stream.offset
    extended_bytes = 0
    records = names = _NO_RECORDS
    while header := _next_header(stream):
        kind = header[156:157]
        if kind in b"xXgLK":
            content = _extended_header(stream, number(header[124:136]), limits)
            extended_bytes += len(content)
            if extended_bytes > limits.extended_headers_bytes:
                raise TooLarge(f"it has more than {limits.extended_headers_bytes} bytes of extended tar headers")
            # Of several PAX headers before a member the last one holds, whole; a GNU long name holds before any.
            if kind in b"LK":
                names = {**names, **_long_name(kind, content)}
            elif kind != b"g":
                records = pax_records(content)
            continue
        member = _member(stream, header, {**records, **names} if names else records, begin, limits)
        yield member
        stream.skip_to(member.end)
        begin, records, names = member.end, _NO_RECORDS, _NO_RECORDS


def _next_header(stream: ByteStream) -> bytes | None:
    header = stream.peek(_BLOCK)
    if not header:
        return None
    stream.skip(_BLOCK)
    if header[0] == 0 and header == _ZEROS:
        following = stream.peek(_BLOCK)
        if following and following != _ZEROS[: len(following)]:
            raise CorruptLayer("its tar archive goes on after an end-of-archive block")
        return None
    if not _is_sound(header):
        at = stream.offset - _BLOCK
        raise CorruptLayer(f"there is no tar header where one must be, at byte {at} of the inflated data")
    return header


def _extended_header(stream: ByteStream, size: int, limits: Limits) -> bytes:
    if size > limits.extended_header_bytes:
        raise TooLarge(f"it has an extended tar header of {size} bytes")
    content = stream.take(size)
    stream.skip(-size % _BLOCK)
    return content


def _long_name(kind: bytes, content: bytes) -> Mapping[bytes, bytes]:
    """A GNU long name in the words of PAX."""
    name = content.partition(b"\0")[0]
    return {b"path" if kind == b"L" else b"linkpath": name} if name else _NO_RECORDS


def _member(stream: ByteStream, header: bytes, records: Mapping[bytes, bytes], begin: int, limits: Limits) -> Member:
    name, mode, uid, gid, size, flag, link, magic = _HEADER.unpack_from(header)
    name = name.partition(b"\0")[0]
    link = link.partition(b"\0")[0] if link[0] else b""
    if header[345] and magic[:6] == b"ustar\0":
        prefix = header[_STAR_PREFIX if header[508:] == b"tar\0" else _PREFIX]
        name = prefix.partition(b"\0")[0] + b"/" + name
    kind = _KINDS.get(flag)
    if flag == b"\0" and name.endswith(b"/"):
        kind = "directory"
    stored = number(size)
    uid, gid = id_number(uid), id_number(gid)
    real = None
    if flag == b"S":
        real = _skip_sparse_map(stream, header, limits)
    # Most extended headers hold nothing but a time.
    if not _WITHOUT_MEANING.issuperset(records):
        name = _text(records, b"GNU.sparse.name") or _text(records, b"path") or name
        link = _text(records, b"linkpath") or link
        stored = _decimal(records, b"size", stored)
        uid, gid = _decimal(records, b"uid", uid), _decimal(records, b"gid", gid)
        real = _sparse_size(records, real)
    if kind is not None and kind != "file":
        stored = 0
    reported = stored if real is None else real
    if kind != "file":
        reported = len(link) if kind == "symlink" else 0
    start = stream.offset
    return Member(
        name.decode(errors="surrogateescape"),
        kind,
        reported,
        id_number(mode) & 0o7777,
        uid,
        gid,
        link.decode(errors="surrogateescape"),
        begin,
        start + stored + -stored % _BLOCK,
        stored,
        real is not None,
    )


def _is_sound(header: bytes) -> bool:
    """Whether the checksum holds: the sum of the header's bytes with spaces for the field itself. Adler-32 sums the
    same bytes (modulo 65521) at a hundredth of the cost of adding them up here."""
    field = header[_CHECKSUM]
    found = ((adler32(header) & 0xFFFF) - (adler32(field) & 0xFFFF) + _SPACES) % _ADLER
    # As nearly everybody writes it.
    if field == b"%06o\0 " % found:
        return True
    digits = field.partition(b"\0")[0].strip()
    expected = int(digits, 8) if _OCTAL.fullmatch(digits) else -1
    if (found - expected) % _ADLER == 0:
        return True
    # Old archivers added up signed characters.
    return expected == sum(byte - 256 if byte > 127 else byte for byte in header[:148] + header[156:]) + _SPACES


def _skip_sparse_map(stream: ByteStream, header: bytes, limits: Limits) -> int:
    """Pass the blocks that continue an old GNU sparse map; the size of the file with its holes."""
    more = header[_SPARSE_EXTENDED]
    begin = stream.offset
    while more:
        more = stream.take(_BLOCK)[_SPARSE_MORE]
        if stream.offset - begin > limits.sparse_map_bytes:
            raise TooLarge(f"it has a sparse file with a map of more than {limits.sparse_map_bytes} bytes")
    return number(header[_SPARSE_SIZE])


def _sparse_size(records: Mapping[bytes, bytes], otherwise: int | None) -> int | None:
    """Formats 0.0 and 0.1 write GNU.sparse.size, format 1.0 GNU.sparse.realsize."""
    for key in (b"GNU.sparse.realsize", b"GNU.sparse.size"):
        if key in records:
            return _decimal(records, key, 0)
    return otherwise


def _text(records: Mapping[bytes, bytes], key: bytes) -> bytes:
    value = records.get(key, b"")
    if b"\0" in value:
        raise CorruptLayer("an extended tar header holds a path that no system takes")
    return value


def _decimal(records: Mapping[bytes, bytes], key: bytes, otherwise: int) -> int:
    value = records.get(key)
    if not value:
        return otherwise
    if not value.isdigit() or len(value) > 19 or int(value) > _LARGEST_BYTES:
        raise CorruptLayer("an extended tar header holds a number that is none")
    return int(value)


def pax_records(content: bytes) -> dict[bytes, bytes]:
    """The records of an extended header, each ``<length> <key>=<value>\\n`` with the length counting itself."""
    records = {}
    at = 0
    while at < len(content):
        space = content.find(b" ", at, at + 20)
        digits = content[at:space]
        end = at + int(digits) if space > 0 and digits.isdigit() else 0
        key, equals, value = content[space + 1 : end - 1].partition(b"=")
        if not equals or not space + 1 < end <= len(content) or content[end - 1] != 0x0A:
            raise CorruptLayer("an extended tar header is malformed")
        records[key] = value
        at = end
    return records


def number(field: bytes) -> int:
    """A numeric header field: octal digits, or base 256 where the first bit is set."""
    # As nearly everybody writes a size: eleven digits and an end.
    if _ELEVEN_DIGITS(field):
        return int(field[:11], 8)
    if field[0] & 0x80:
        value = int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:], "big")
        if field[0] & 0x40 or value > _LARGEST_BYTES:
            raise CorruptLayer("a tar header holds a number that is negative or absurd")
        return value
    digits = field.partition(b"\0")[0].strip()
    if not digits:
        return 0
    if not _OCTAL.fullmatch(digits):
        raise CorruptLayer("a tar header holds a number that is none")
    return int(digits, 8)


# Owners and modes repeat for whole layers.
@lru_cache(1024)
def id_number(field: bytes) -> int:
    """As ``number``, but negative owners, which some archivers write for "nobody", count as root."""
    return 0 if field[0] == 0xFF else number(field)
