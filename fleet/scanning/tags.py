"""Which tags of a repository are releases, and which of two came later. Pure."""

from __future__ import annotations

import heapq
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from fnmatch import translate
from functools import lru_cache
from typing import Protocol, TypeVar

from fleet.scanning.tag_regex import TagRegex
from fleet.scanning.version_range import VersionRange

# Referrers' fallback tags and cosign's: they describe other images.
ARTIFACT = re.compile(r"sha256-[0-9a-f]{64}.*|.*\.(?:sig|att|sbom)", re.DOTALL)
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
VERSION = re.compile(r"[vV]?[0-9]")
# Of a commit: it says nothing of the order, even where it starts with a digit.
COMMIT = re.compile(r"(?=[0-9]*[a-f])[0-9a-f]{7,64}")
TOKEN = re.compile(r"[0-9]+|[a-z]+")
FLOATING = frozenset({"latest", "stable", "edge", "main", "master", "nightly", "production", "prod"})

Matcher = Callable[[str], bool]
Token = tuple[int, int, str]
VersionKey = tuple[int, tuple[Token, ...], str]
END: Token = (1, 0, "")
JUST_NOW = datetime.max.replace(tzinfo=UTC)


class Made(Protocol):
    """A tag with the date of its image, where that has one, and when we saw it appear there; None for just now."""

    @property
    def tag(self) -> str: ...
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def seen_at(self) -> datetime | None: ...


M = TypeVar("M", bound=Made)


def check_tag_pattern(pattern: str, syntax: str) -> None:
    """Raises ValueError, with a sentence, for a pattern that cannot be used."""
    matcher(pattern, syntax)


@lru_cache(maxsize=64)
def matcher(pattern: str, syntax: str) -> Matcher:
    """Tells which tags are releases by a pattern over the whole tag: a "glob", a "regex", or a range of versions
    ("semver"). None of them takes long over any tag. Raises ValueError as ``check_tag_pattern`` does."""
    if not pattern.strip():
        raise ValueError("An empty pattern matches no tag. Write * for all of them.")
    if syntax == "regex":
        matches: Matcher = TagRegex(pattern)
    elif syntax == "semver":
        matches = VersionRange(pattern)
    else:
        if "[" in pattern and "]" not in pattern.partition("[")[2]:
            raise ValueError(f"The bracket in {pattern!r} is not closed. Write it as in 1.[0-9]*.")
        glob = re.compile(translate(pattern))
        matches = lambda tag: glob.match(tag) is not None  # noqa: E731
    return lambda tag: is_release(tag) and matches(tag)


def is_release(tag: str) -> bool:
    return bool(TAG.fullmatch(tag)) and not ARTIFACT.fullmatch(tag)


def highest(tags: Iterable[str], count: int) -> tuple[str, ...]:
    """The ``count`` highest versions, highest first."""
    return tuple(heapq.nlargest(count, tags, key=version_key))


def version_key(tag: str) -> VersionKey:
    """Sorts as people read versions: 1.10 after 1.9, 1.2.3 after 1.2, and 1.2 after 1.2-rc1 and 1.2-alpine. Names such
    as ``latest`` come after every version, other names before."""
    lowered = tag.lower()
    rank = 2 if lowered in FLOATING else 1 if VERSION.match(tag) and not COMMIT.fullmatch(tag) else 0
    words = TOKEN.findall(lowered.removeprefix("v") if rank == 1 else lowered)
    return rank, (*map(_token, words), END), tag


def _token(word: str) -> Token:
    return (2, int(word), "") if word.isdigit() else (0, 0, word)


def is_version(tag: str) -> bool:
    return version_key(tag)[0] == 1


def newest_first(made: Iterable[M]) -> Iterator[M]:
    """Tags from the one whose image was made last to the oldest.

    Dates decide where there are dates; of tags with the same date (several on one image) a version says more than a
    name such as ``latest``, and the higher version more than the lower. Images without a date (reproducible builds)
    stand in two rows beside those with one: versions, highest first, and other names, last seen first. Then, again and
    again, the newest of the three that stand first is taken:

    - of a dated and an undated one the higher version, where both are versions;
    - else the dated one, as nothing says that the other is newer;
    - of two without date the one that was seen to appear last, and the version where both were seen at once.
    """
    rows = list(made)
    dated = deque(sorted((row for row in rows if row.created_at), key=_by_date, reverse=True))
    undated = [row for row in rows if not row.created_at]
    versions = deque(sorted(filter(_is_version, undated), key=_by_version, reverse=True))
    names = deque(sorted((row for row in undated if not _is_version(row)), key=_by_sight, reverse=True))
    while dated or versions or names:
        if dated:
            higher = versions and _is_version(dated[0]) and _by_version(versions[0]) > _by_version(dated[0])
            yield (versions if higher else dated).popleft()
        elif versions and (not names or _seen_at(versions[0]) >= _seen_at(names[0])):
            yield versions.popleft()
        else:
            yield names.popleft()


def _is_version(made: Made) -> bool:
    return is_version(made.tag)


def _by_date(made: Made) -> tuple[datetime, bool, VersionKey]:
    assert made.created_at is not None
    return made.created_at, _is_version(made), version_key(made.tag)


def _by_version(made: Made) -> VersionKey:
    return version_key(made.tag)


def _by_sight(made: Made) -> tuple[datetime, VersionKey]:
    return _seen_at(made), version_key(made.tag)


def _seen_at(made: Made) -> datetime:
    return made.seen_at or JUST_NOW
