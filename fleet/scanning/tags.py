"""Which tags of a repository are releases, and which of two came later. Pure."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from fnmatch import fnmatchcase

# Referrers' fallback tags and cosign's: they describe other images.
ARTIFACT = re.compile(r"sha256-[0-9a-f]{64}.*|.*\.(?:sig|att|sbom)", re.DOTALL)
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
VERSION = re.compile(r"[vV]?[0-9]")
TOKEN = re.compile(r"[0-9]+|[a-z]+")
FLOATING = frozenset({"latest", "stable", "edge", "main", "master", "nightly", "production", "prod"})

Token = tuple[int, int, str]
VersionKey = tuple[int, tuple[Token, ...], str]
END: Token = (1, 0, "")
UNDATED = datetime.min.replace(tzinfo=UTC)


def select_tags(tags: Iterable[str], pattern: str, count: int) -> tuple[str, ...]:
    """The ``count`` newest release tags, newest first. Registries that change while they are listed repeat some."""
    return tuple(heapq.nlargest(count, {tag for tag in tags if is_release(tag, pattern)}, key=version_key))


def is_release(tag: str, pattern: str) -> bool:
    return bool(TAG.fullmatch(tag)) and not ARTIFACT.fullmatch(tag) and fnmatchcase(tag, pattern)


def version_key(tag: str) -> VersionKey:
    """Sorts as people read versions: 1.10 after 1.9, 1.2.3 after 1.2, and 1.2 after 1.2-rc1 and 1.2-alpine. Names such
    as ``latest`` come after every version, other names before."""
    lowered = tag.lower()
    rank = 2 if lowered in FLOATING else 1 if VERSION.match(tag) else 0
    words = TOKEN.findall(lowered.removeprefix("v") if rank == 1 else lowered)
    return rank, (*map(_token, words), END), tag


def _token(word: str) -> Token:
    return (2, int(word), "") if word.isdigit() else (0, 0, word)


def release_key(created_at: datetime | None, tag: str) -> tuple[datetime, bool, VersionKey]:
    """Sorts tags by the date of their image. Of tags with the same date (several on one image, reproducible builds) a
    version says more than ``latest``."""
    key = version_key(tag)
    return created_at or UNDATED, key[0] == 1, key
