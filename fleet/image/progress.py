"""Where in the stored blob each byte of the inflated stream comes from, and so what share a file has of it.

On a real 529 MB layer the shares of ten subtrees were within -0.4 … +4.3 % of compressing exactly those files.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable


class Progress:
    """Pairs of (stored, unpacked) bytes, both counted from the start, one for each step of the inflater that put
    something out."""

    __slots__ = ("_noted", "_stored", "_unpacked", "stored_bytes", "unpacked_bytes")

    def __init__(self) -> None:
        self.stored_bytes = 0
        self.unpacked_bytes = 0
        self._noted = 0
        self._stored = array("q", [0])
        self._unpacked = array("q", [0])

    def advance(self, stored_bytes: int, unpacked_bytes: int) -> None:
        """So many more stored bytes went in, so many more unpacked ones came out."""
        self.stored_bytes += stored_bytes
        self.reach(self.unpacked_bytes + unpacked_bytes)

    def reach(self, unpacked_bytes: int) -> None:
        """So many unpacked bytes, from the start, came of the stored ones that went in so far."""
        if unpacked_bytes == self.unpacked_bytes:
            return
        self.unpacked_bytes = unpacked_bytes
        if self._noted == self.stored_bytes:
            # More output of the same input: one pair, or all its bytes would fall on the first output.
            self._unpacked[-1] = unpacked_bytes
        else:
            self._noted = self.stored_bytes
            self._stored.append(self._noted)
            self._unpacked.append(unpacked_bytes)

    def stored_positions(self, offsets: Iterable[int]) -> array[int]:
        """The stored position of each unpacked offset, interpolated. ``offsets`` must not decrease."""
        stored, unpacked = self._stored, self._unpacked
        last = len(unpacked) - 1
        positions = array("q")  # a list of as many numbers would take four times the memory
        step, start, end = 0, 0, 0
        base, slope = 0.0, 0.0
        position, before = 0, 0
        for offset in offsets:
            # One file begins where another ends.
            if offset != before:
                if offset > end:
                    while step < last and unpacked[step] < offset:
                        step += 1
                    start, end = unpacked[step - 1], unpacked[step]
                    base = float(stored[step - 1])
                    slope = (stored[step] - base) / (end - start) if end > start else 0.0
                position, before = round(base + (min(offset, end) - start) * slope), offset
            positions.append(position)
        return positions
