"""How much of a layer we are willing to read. Blobs come from strangers, so everything has a bound."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one layer, and on the layers of one image; what is over them raises TooLarge. Four differ: a file over
    those for texts is skipped, a file over ``components_bytes`` is kept without what it was built from, what is
    compressed within files is left alone once ``inner_bytes`` of it were inflated, and a path that no kernel takes is
    skipped. Real layers reach 10 GB and a million files.

    ``expansion`` is how many bytes a stored byte may become once ``free_unpacked_bytes`` are out: gzip reaches 1032
    on zeros alone, which are no software. ``window_bytes`` is the memory that zstd may ask for: what its own tool
    grants. What is kept bounds memory: ``entries`` and ``names_bytes`` (paths and link targets) of a layer,
    ``facts_bytes`` that its programs say of their libraries; ``image_entries``, ``directories`` (those too that paths
    only imply) and ``directories_bytes`` (their paths) of an image. ``extended_header_bytes`` is for one PAX header or
    GNU long name, ``extended_headers_bytes`` for all of a layer: each costs more time than a file does.
    """

    stored_bytes: int = 64 * GIBIBYTE
    unpacked_bytes: int = 64 * GIBIBYTE
    expansion: int = 200
    free_unpacked_bytes: int = GIBIBYTE
    window_bytes: int = 128 * MEBIBYTE
    entries: int = 2_000_000
    image_entries: int = 4_000_000
    directories: int = 2_000_000
    directories_bytes: int = 256 * MEBIBYTE
    names_bytes: int = 256 * MEBIBYTE
    path_bytes: int = 4096
    extended_header_bytes: int = MEBIBYTE
    extended_headers_bytes: int = GIBIBYTE
    sparse_map_bytes: int = 16 * MEBIBYTE
    text_bytes: int = 8 * MEBIBYTE
    texts_bytes: int = 64 * MEBIBYTE
    facts_bytes: int = 64 * MEBIBYTE
    components_bytes: int = 64 * MEBIBYTE
    inner_bytes: int = 4 * GIBIBYTE


DEFAULT_LIMITS = Limits()


@dataclass(slots=True)
class Budget:
    """What may still be spent on looking into the files of one layer, whatever they claim: bytes that are inflated
    again, and entries of archives."""

    inflated_bytes: int
    entries: int
