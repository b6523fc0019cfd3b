"""How much of a layer we are willing to read. Blobs come from strangers, so everything has a bound."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one layer; what is over them raises TooLarge, except the two for texts, which skip the file.

    ``expansion`` is how many bytes a stored byte may become once ``free_unpacked_bytes`` are out: gzip reaches 1032
    on zeros alone, which are no software. ``entries`` also bounds memory, since a layer's list of files is kept.
    """

    entries: int = 5_000_000
    unpacked_bytes: int = 64 * GIBIBYTE
    expansion: int = 200
    free_unpacked_bytes: int = GIBIBYTE
    path_bytes: int = 4096
    extended_header_bytes: int = MEBIBYTE
    text_bytes: int = 8 * MEBIBYTE
    texts_bytes: int = 64 * MEBIBYTE


DEFAULT_LIMITS = Limits()
