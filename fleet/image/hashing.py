"""Digests computed beside the reading: hashing releases the interpreter, so a second core takes it over."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

_BATCH_BYTES = 4 << 20
_BATCHES_AHEAD = 3


class Hashing:
    """Hashes streams that pass by, in their order, on one thread. Bounded: at most a few MiB wait for it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="layer-digest")
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Hashing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=kind is not None)

    def passing(self, pieces: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
        """The same pieces. ``digest`` holds all of them once the iterator ended and ``finish`` returned."""
        batch: list[bytes] = []
        size_bytes = 0
        for piece in pieces:
            batch.append(piece)
            size_bytes += len(piece)
            if size_bytes >= _BATCH_BYTES:
                self._submit(batch, digest)
                batch, size_bytes = [], 0
            yield piece
        self._submit(batch, digest)

    def finish(self) -> None:
        while self._waiting:
            self._waiting.popleft().result()

    def _submit(self, batch: list[bytes], digest: hashlib._Hash) -> None:
        if len(self._waiting) >= _BATCHES_AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(_update, batch, digest))


def _update(batch: list[bytes], digest: hashlib._Hash) -> None:
    for piece in batch:
        digest.update(piece)
