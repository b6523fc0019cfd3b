"""A stream of pieces read as a file that only goes forward: taken, peeked at, or skipped without a copy."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.oci.errors import CorruptLayer


class ByteStream:
    """``offset`` is how many bytes are behind. Reading past the end raises CorruptLayer."""

    __slots__ = ("_at", "_passed", "_piece", "_pieces")

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._at = 0
        self._passed = 0

    @property
    def offset(self) -> int:
        return self._passed + self._at

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer only at the end, without moving."""
        if len(self._piece) - self._at < size:
            self._gather(size)
        return self._piece[self._at : self._at + size]

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        start = self._at
        end = start + size
        if end > len(self._piece):
            self._gather(size)
            start, end = 0, size
            if len(self._piece) < size:
                raise _cut_short()
        self._at = end
        return self._piece[start:end]

    def skip(self, size: int) -> None:
        end = self._at + size
        while end > len(self._piece):
            end -= len(self._piece)
            self._passed += len(self._piece)
            piece = next(self._pieces, None)
            if piece is None:
                self._piece, self._at = b"", 0
                raise _cut_short()
            self._piece = piece
        self._at = end

    def drain(self) -> None:
        """Read on to the end, whatever is there."""
        for piece in self._pieces:
            self._passed += len(self._piece)
            self._piece = piece
        self._at = len(self._piece)

    def _gather(self, size: int) -> None:
        """Join what is left with further pieces until ``size`` bytes are at hand or the stream ends."""
        self._passed += self._at
        pieces = [self._piece[self._at :]]
        self._piece, self._at = b"", 0
        have = len(pieces[0])
        while have < size and (piece := next(self._pieces, None)) is not None:
            pieces.append(piece)
            have += len(piece)
        self._piece = b"".join(pieces)


def _cut_short() -> CorruptLayer:
    return CorruptLayer("its tar archive is cut short")
