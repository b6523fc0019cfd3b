"""A stream of pieces read as a file that only goes forward: taken, peeked at, or skipped without a copy."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from io import BytesIO

import xxhash

from fleet.image.hashing import Piece
from fleet.oci.errors import CorruptLayer


class ByteStream:
    """``offset`` is how many bytes are behind. Reading past the end raises CorruptLayer.

    Pieces may be buffers that are filled anew: only the present one, and the one after it while something is peeked at
    across their border, are looked at."""

    __slots__ = (
        "_ahead",
        "_at",
        "_fingerprint",
        "_hash",
        "_hashed",
        "_passed",
        "_piece",
        "_pieces",
        "_size",
        "_watched",
    )

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._ahead: deque[Piece] = deque()
        self._piece: Piece = b""
        self._size = 0
        self._at = 0
        self._passed = 0
        self._watched = 0
        self._fingerprint = 0
        self._hash: xxhash.xxh3_64 | None = None
        self._hashed = 0

    @property
    def offset(self) -> int:
        return self._passed + self._at

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer only at the end, without moving. For sizes far below a block's."""
        start = self._at
        if start + size <= self._size:
            return bytes(self._piece[start : start + size])
        found = bytes(self._piece[start:])
        for piece in self._ahead:
            found += piece[: size - len(found)]
        while len(found) < size and (following := next(self._pieces, None)) is not None:
            self._ahead.append(following)
            found += following[: size - len(found)]
        return found

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        start = self._at
        end = start + size
        if end <= self._size:
            self._at = end
            return bytes(self._piece[start:end])
        taken = BytesIO()
        taken.write(self._piece[start:])
        while missing := size - taken.tell():
            self._advance()
            self._at = min(missing, self._size)
            taken.write(self._piece[: self._at])
        return taken.getvalue()

    def skip(self, size: int) -> None:
        self.skip_to(self._passed + self._at + size)

    def skip_to(self, offset: int) -> None:
        """Go on to where ``offset`` bytes are behind."""
        while offset > self._passed + self._size:
            self._advance()
        self._at = offset - self._passed

    def drain(self) -> None:
        """Read on to the end, whatever is there."""
        while self._turn():
            pass

    def watch(self, size: int) -> None:
        """Fingerprint the next ``size`` bytes while they pass, however they are read."""
        start = self._at
        end = start + size
        self._watched = self._passed + end
        if end <= self._size:
            self._fingerprint = xxhash.xxh3_64_intdigest(self._piece[start:end])
        else:
            self._hash = xxhash.xxh3_64()
            self._hashed = start

    def fingerprint(self) -> int:
        """The XXH3-64 of what was watched, which is behind then."""
        self.skip_to(self._watched)
        if self._hash is not None:
            self._hash.update(self._piece[self._hashed : self._at])
            self._fingerprint = self._hash.intdigest()
            self._hash = None
        return self._fingerprint

    def _advance(self) -> None:
        if not self._turn():
            raise CorruptLayer("its tar archive is cut short")

    def _turn(self) -> bool:
        """Leave the present piece behind, whole, for the next one."""
        if self._hash is not None:
            self._hash.update(self._piece[self._hashed :])
            self._hashed = 0
        self._passed += self._size
        self._at = 0
        following = self._ahead.popleft() if self._ahead else next(self._pieces, None)
        self._piece = b"" if following is None else following
        self._size = len(self._piece)
        return following is not None
