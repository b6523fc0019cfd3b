"""Text from images and registries, made fit for every database."""

from __future__ import annotations


def storable(text: str, limit: int | None = None) -> str:
    """``text`` without what PostgreSQL refuses (NUL, lone surrogates), cut to ``limit`` characters."""
    clean = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    if limit is None or len(clean) <= limit:
        return clean
    return clean[: limit - 1] + "…"
