"""Tar archives and layers made for tests, with the standard library or byte by byte."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from typing import Any

from fleet.image.entries import Entry, LayerIndex
from fleet.image.layer import index_layer

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
END = bytes(1024)


def member(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def directory(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.DIRTYPE, mode=fields.pop("mode", 0o755), **fields)


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.SYMTYPE, linkname=target, mode=0o777)


def hardlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def archive(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def block(name: bytes, *, size: int = 0, flag: bytes = b"0", **fields: tuple[int, bytes]) -> bytes:
    """A header block by hand; ``fields`` put bytes at an offset after everything else."""
    header = bytearray(512)
    header[: len(name)] = name
    header[100:108] = b"0000644\0"
    header[124:136] = b"%011o\0" % size
    header[156:157] = flag
    header[257:265] = b"ustar\x0000"
    for offset, value in fields.values():
        header[offset : offset + len(value)] = value
    return checksummed(header)


def checksummed(header: bytearray) -> bytes:
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def pax(records: dict[bytes, bytes], flag: bytes = b"x") -> bytes:
    body = b"".join(_record(key, value) for key, value in records.items())
    return block(b"PaxHeaders/0", size=len(body), flag=flag) + padded(body)


def _record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    while len(b"%d" % length) + len(key) + len(value) + 3 != length:
        length = len(b"%d" % length) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (length, key, value)


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def in_chunks(blob: bytes, size: int = 65_536) -> Iterator[bytes]:
    return (blob[start : start + size] for start in range(0, len(blob), size))


def index(tar: bytes, **options: Any) -> LayerIndex:
    blob = gzip.compress(tar)
    return index_layer(in_chunks(blob), digest=sha256(blob), media_type=GZIP, **options)


def layer(*members: tuple[tarfile.TarInfo, bytes]) -> LayerIndex:
    return index(archive(*members))


def entry(layer: LayerIndex, path: str) -> Entry:
    """The last entry of that path."""
    return [entry for entry in layer.entries if entry.path == path][-1]
