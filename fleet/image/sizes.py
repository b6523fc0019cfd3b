"""The pair of figures that everything is weighed in. Bytes, always both kinds, never mixed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """``unpacked_bytes``: sum of file sizes over layers, as ``docker images`` shows. ``compressed_bytes``: what a
    pull moves."""

    unpacked_bytes: int
    compressed_bytes: int

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(self.unpacked_bytes + other.unpacked_bytes, self.compressed_bytes + other.compressed_bytes)

    def __sub__(self, other: Sizes) -> Sizes:
        return Sizes(self.unpacked_bytes - other.unpacked_bytes, self.compressed_bytes - other.compressed_bytes)


NOTHING = Sizes(0, 0)
