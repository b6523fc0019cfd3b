"""Digests computed beside the reading: hashing releases the interpreter, so a second core takes it over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from threading import Semaphore, Thread
from types import TracebackType
from typing import TypeVar

# Two threads that hand each other small pieces wait for each other more than they work. A block stays within a core's
# cache until both have read it.
BLOCK_BYTES = 512 << 10
_WAITING = 3

Piece = bytes | memoryview
_Some = TypeVar("_Some", bound=Piece)
_Batch = tuple[list[Piece], "hashlib._Hash"]


class Hashing:
    """Hashes streams that pass by, in their order, on one thread. Bounded: at most a few blocks wait for it."""

    def __init__(self) -> None:
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self._free = Semaphore(_WAITING)
        self._thread = Thread(target=self._work, name="layer-digest", daemon=True)

    def __enter__(self) -> Hashing:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def blocks(self) -> Iterator[memoryview]:
        """Buffers of BLOCK_BYTES to be filled and passed on as pieces of one stream, the same few again and again.

        A buffer comes again when it was hashed and two more were passed on after it: its reader is to be done with it
        by then."""
        ring = [memoryview(bytearray(BLOCK_BYTES)) for _ in range(_WAITING + 1)]
        while True:
            yield from ring

    def passing(self, pieces: Iterable[_Some], digest: hashlib._Hash) -> Iterator[_Some]:
        """The same pieces. ``digest`` holds all of them once the iterator ended and ``finish`` returned."""
        batch: list[Piece] = []
        size_bytes = 0
        for piece in pieces:
            batch.append(piece)
            size_bytes += len(piece)
            # A whole block is hashed at once, never gathered: its buffer is wanted again.
            if size_bytes >= BLOCK_BYTES:
                self._submit(batch, digest)
                batch, size_bytes = [], 0
            yield piece
        self._submit(batch, digest)

    def finish(self) -> None:
        """Wait for all that was passed on. Nothing can be passed on after it."""
        self._batches.put(None)
        self._thread.join()

    def _submit(self, batch: list[Piece], digest: hashlib._Hash) -> None:
        self._free.acquire()
        self._batches.put((batch, digest))

    def _work(self) -> None:
        while (work := self._batches.get()) is not None:
            batch, digest = work
            for piece in batch:
                digest.update(piece)
            del batch, work
            self._free.release()
