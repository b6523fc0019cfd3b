"""A stored blob turned into the tar stream within, noting which stored bytes became which inflated ones.

The compression is read from the first bytes, whatever the media type claims.
Specs: https://www.rfc-editor.org/rfc/rfc1952 (gzip, several members), https://www.rfc-editor.org/rfc/rfc8878 (zstd,
several frames).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Literal

import zstandard
from isal import isal_zlib

from fleet.image.limits import DEFAULT_LIMITS, Limits
from fleet.image.progress import Progress
from fleet.oci.errors import CorruptLayer, TooLarge

Compression = Literal["gzip", "zstd", "none"]

# Small enough that a file's share is its own and not its neighbours', large enough to cost nothing.
_STEP_BYTES = 16 << 10
_OUTPUT_BYTES = 128 << 10
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
# A gzip wrapper: window of 2^15 and 16 to ask for header and checksum.
_WITH_GZIP_HEADER = 31


def sniff(chunks: Iterable[bytes]) -> tuple[Compression, Iterator[bytes]]:
    """The compression of a blob by its first bytes, and the same chunks again."""
    rest = iter(chunks)
    head = b""
    while len(head) < len(_ZSTD) and (chunk := next(rest, None)) is not None:
        head += chunk
    whole = itertools.chain((head,), rest)
    if head.startswith(_GZIP):
        return "gzip", whole
    # Skippable frames (as pzstd and estargz write them) may stand first; their magic ends in 2A 4D 18.
    if head.startswith(_ZSTD) or head[1:4] == b"\x2a\x4d\x18":
        return "zstd", whole
    return "none", whole


def inflate(
    compression: Compression, chunks: Iterable[bytes], progress: Progress, limits: Limits = DEFAULT_LIMITS
) -> Iterator[bytes]:
    """The inflated stream in pieces of at most 16 MiB. Each step is noted in ``progress``.

    Raises CorruptLayer for damaged or cut streams and TooLarge for what expands beyond ``limits``.
    """
    if compression == "zstd":
        pieces = _unzstd(chunks, progress, limits.window_bytes)
    else:
        pieces = {"gzip": _gunzip, "none": _as_stored}[compression](chunks, progress)
    for piece in pieces:
        _refuse_bomb(progress, limits)
        yield piece


def _refuse_bomb(progress: Progress, limits: Limits) -> None:
    allowed = limits.free_unpacked_bytes + limits.expansion * progress.stored_bytes
    if progress.unpacked_bytes > min(allowed, limits.unpacked_bytes):
        raise TooLarge(
            f"it inflates to more than {progress.unpacked_bytes} bytes after {progress.stored_bytes} stored ones"
        )


def _as_stored(chunks: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    for chunk in chunks:
        progress.advance(len(chunk), len(chunk))
        yield chunk


def _steps(chunks: Iterable[bytes]) -> Iterator[memoryview]:
    """The stored bytes in equal steps, however they came in: what is noted at each must not depend on the network."""
    begun = bytearray()
    for chunk in chunks:
        view = memoryview(chunk)
        if begun:
            missing = _STEP_BYTES - len(begun)
            begun += view[:missing]
            if len(begun) < _STEP_BYTES:
                continue
            yield memoryview(bytes(begun))
            view = view[missing:]
        whole = len(view) - len(view) % _STEP_BYTES
        for start in range(0, whole, _STEP_BYTES):
            yield view[start : start + _STEP_BYTES]
        begun = bytearray(view[whole:])
    if begun:
        yield memoryview(bytes(begun))


def _gunzip(chunks: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    member = isal_zlib.decompressobj(_WITH_GZIP_HEADER)
    try:
        for step in _steps(chunks):
            ended = member.eof
            piece = b"" if ended else member.decompress(step)
            rest = bytes(step) if ended else member.unused_data
            progress.advance(len(step), len(piece))
            if piece:
                yield piece
            # Tape-like padding after the last member is harmless; anything else must be a member.
            while rest and (rest := rest.lstrip(b"\0")):
                if rest[:1] != _GZIP[:1]:
                    raise CorruptLayer("there is garbage after the end of its gzip stream")
                member = isal_zlib.decompressobj(_WITH_GZIP_HEADER)
                piece = member.decompress(rest)
                rest = member.unused_data
                progress.advance(0, len(piece))
                if piece:
                    yield piece
    except isal_zlib.IsalError as error:  # type: ignore[misc]  # the stubs call it an instance
        raise CorruptLayer("its gzip stream is damaged") from error
    if not member.eof:
        raise CorruptLayer("its gzip stream is cut short")


class _Steps:
    """Chunks as the file that zstandard reads from, in the same small steps."""

    def __init__(self, chunks: Iterable[bytes], progress: Progress) -> None:
        self._steps = _steps(chunks)
        self._progress = progress

    def read(self, _size: int) -> bytes:
        step = next(self._steps, memoryview(b""))
        self._progress.advance(len(step), 0)
        return bytes(step)


def _unzstd(chunks: Iterable[bytes], progress: Progress, window_bytes: int) -> Iterator[bytes]:
    # A reader, since a decompressobj would return 500 MB at once for one step of a hostile blob. It does not tell a
    # cut stream from a whole one: the archive within and the digest do.
    reader = zstandard.ZstdDecompressor(max_window_size=window_bytes).stream_reader(
        _Steps(chunks, progress),  # type: ignore[arg-type]  # it asks for read() alone
        read_size=_STEP_BYTES,
        read_across_frames=True,
    )
    try:
        while piece := reader.read(_OUTPUT_BYTES):
            progress.advance(0, len(piece))
            yield piece
    except zstandard.ZstdError as error:
        # The library gives no code, only zstd's own words.
        if "too much memory" in str(error):
            raise TooLarge(f"its zstd stream asks for a window of more than {window_bytes} bytes") from error
        raise CorruptLayer("its zstd stream is damaged") from error
