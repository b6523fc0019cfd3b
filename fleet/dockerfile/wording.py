"""Sentences' small parts."""

from __future__ import annotations

from collections.abc import Sequence


def megabytes(count: int) -> str:
    """Bytes as people read them; a megabyte is 10^6 bytes."""
    return f"{count / 1e6:,.0f} MB" if count >= 10_000_000 else f"{count / 1e6:.1f} MB"


def listed(words: Sequence[str], most: int = 6) -> str:
    """``a, b and c``, cut after a few."""
    shown = [word[:80] for word in words[:most]]
    if len(words) > most:
        return f"{', '.join(shown)} and {len(words) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
