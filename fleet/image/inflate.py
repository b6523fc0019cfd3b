"""A stored blob turned into the tar stream within, noting which stored bytes became which inflated ones.

The compression is read from the first bytes, whatever the media type claims.
Specs: https://www.rfc-editor.org/rfc/rfc1952 (gzip, several members), https://www.rfc-editor.org/rfc/rfc8878 (zstd,
several frames).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import zstandard
from isal import isal_zlib
from isal.igzip import BadGzipFile

from fleet.image.hashing import Piece
from fleet.image.limits import DEFAULT_LIMITS, Limits
from fleet.image.progress import Progress
from fleet.oci.errors import CorruptLayer, TooLarge

Compression = Literal["gzip", "zstd", "none"]

# Small enough that a file's share is its own and not its neighbours', large enough to cost nothing. After a step that
# grew more than so many times, the next one is shorter: it would take in many files, of different kinds.
_STEP_BYTES = 16 << 10
_DENSE = 4
_DENSE_STEP_BYTES = 4 << 10
_OUTPUT_BYTES = 128 << 10
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


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
    compression: Compression,
    chunks: Iterable[bytes],
    progress: Progress,
    blocks: Iterable[memoryview],
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Piece]:
    """The inflated stream in pieces. Each step is noted in ``progress``.

    What is compressed is inflated into ``blocks``, one after the other; whoever made them says how long a piece holds.
    Raises CorruptLayer for damaged or cut streams and TooLarge for what expands beyond ``limits``.
    """
    pieces: Iterator[Piece]
    if compression == "gzip":
        pieces = _gunzip(chunks, progress, blocks)
    elif compression == "zstd":
        pieces = _unzstd(chunks, progress, blocks, limits.window_bytes)
    else:
        pieces = _as_stored(chunks, progress)
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


class _Steps:
    """The stored bytes as a file that gives them in equal steps, however they came in: what is noted at each must not
    depend on the network.

    A step is asked for when the one before is used up; ``inflated_bytes`` then says how far that one led."""

    def __init__(self, chunks: Iterable[bytes], progress: Progress) -> None:
        self.inflated_bytes: Callable[[], int] | None = None
        self._chunks = iter(chunks)
        self._chunk = memoryview(b"")
        self._at = 0
        self._progress = progress
        self._size = _STEP_BYTES
        self._reached = 0

    def readinto(self, step: memoryview) -> int:
        """Fill the step, or the first part of it."""
        if self.inflated_bytes is not None:
            reached = self.inflated_bytes()
            self._progress.reach(reached)
            dense = reached - self._reached > _DENSE * self._size
            self._size = _DENSE_STEP_BYTES if dense else _STEP_BYTES
            self._reached = reached
            step = step[: self._size]
        size = len(step)
        end = self._at + size
        if end <= len(self._chunk):
            step[:] = self._chunk[self._at : end]
            self._at = end
        else:
            size = self._gather(step)
        self._progress.stored_bytes += size
        return size

    def _gather(self, step: memoryview) -> int:
        """Fill a step from what is left of a chunk and from the following ones."""
        filled = 0
        while filled < len(step):
            part = self._chunk[self._at : self._at + len(step) - filled]
            step[filled : filled + len(part)] = part
            filled += len(part)
            self._at += len(part)
            if self._at == len(self._chunk):
                following = next(self._chunks, None)
                if following is None:
                    break
                self._chunk, self._at = memoryview(following), 0
        return filled

    def read(self, size: int) -> bytes:
        step = bytearray(size)
        return bytes(step[: self.readinto(memoryview(step))])


def _gunzip(chunks: Iterable[bytes], progress: Progress, blocks: Iterable[memoryview]) -> Iterator[memoryview]:
    # The reader that igzip's own files are made of: it inflates into a buffer, and counts what came of a step before it
    # asks for the next one.
    steps = _Steps(chunks, progress)
    reader = isal_zlib._GzipReader(steps, _STEP_BYTES)  # type: ignore[arg-type]  # it asks for readinto() alone
    steps.inflated_bytes = reader.tell
    try:
        for block in blocks:
            size = reader.readinto(block)
            if not size:
                return
            progress.reach(reader.tell())
            yield block[:size]
    except EOFError as error:
        raise CorruptLayer("its gzip stream is cut short") from error
    except BadGzipFile as error:
        # The first member has been recognised already.
        garbage = str(error).startswith("Not a gzipped file")
        reason = "there is garbage after the end of its gzip stream" if garbage else "its gzip stream is damaged"
        raise CorruptLayer(reason) from error
    except (OverflowError, isal_zlib.IsalError) as error:  # type: ignore[misc]  # the stubs call it an instance
        raise CorruptLayer("its gzip stream is damaged") from error
    finally:
        # The reader holds the steps; no collector would find that they hold the reader.
        steps.inflated_bytes = None


def _unzstd(
    chunks: Iterable[bytes], progress: Progress, blocks: Iterable[memoryview], window_bytes: int
) -> Iterator[memoryview]:
    # A reader, since a decompressobj would return 500 MB at once for one step of a hostile blob. It does not tell a
    # cut stream from a whole one: the archive within and the digest do.
    reader = zstandard.ZstdDecompressor(max_window_size=window_bytes).stream_reader(
        _Steps(chunks, progress),  # type: ignore[arg-type]  # it asks for read() alone
        read_size=_STEP_BYTES,
        read_across_frames=True,
    )
    try:
        for block in blocks:
            size = 0
            while size < len(block) and (part := reader.readinto(block[size : size + _OUTPUT_BYTES])):
                size += part
                progress.advance(0, part)
            if not size:
                return
            yield block[:size]
    except zstandard.ZstdError as error:
        # The library gives no code, only zstd's own words.
        if "too much memory" in str(error):
            raise TooLarge(f"its zstd stream asks for a window of more than {window_bytes} bytes") from error
        raise CorruptLayer("its zstd stream is damaged") from error
