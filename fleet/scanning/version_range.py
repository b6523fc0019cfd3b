"""Ranges of semantic versions, as npm reads them, over tags. Pure.

    >=1.2 <2    1.2 - 1.8    1.x    ~1.4.2    ^1.4    <1 || >=2.1

A blank or a comma means "and", ``||`` means "or". Tags are read with or without a leading ``v``; 1.4 is 1.4.0 and 7 is
7.0.0; what follows ``_`` is build metadata, as no tag can hold a ``+``. A pre-release, which 1.4.0-rc1 and 1.4.0-alpine
both are to semantic versions, is in a range only where the range names a pre-release of the same three numbers:
``>=1.4.0-rc1`` holds 1.4.0-rc2 and 1.4.0, not 1.5.0-rc1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, gt, le, lt

Numbers = tuple[int, int, int]
# (1,) is a release; (0, identifier, …) is a pre-release, and (0,) comes before all of them.
Pre = tuple[int | tuple[int, int, str], ...]
Key = tuple[int, int, int, Pre]
Bound = tuple[Callable[[Key, Key], bool], Key]

_RELEASE: Pre = (1,)
_LOWEST: Pre = (0,)
_PRE = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"[vV]?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-({_PRE}))?(?:[+_][0-9A-Za-z._-]*)?")
_ANY = r"[xX*]|[0-9]+"
_PARTIAL = rf"[vV]?(?:{_ANY})(?:\.(?:{_ANY}))?(?:\.(?:{_ANY}))?(?:-{_PRE})?(?:\+[0-9A-Za-z.-]*)?"
_PARTS = re.compile(rf"[vV]?({_ANY})(?:\.({_ANY}))?(?:\.({_ANY}))?(?:-({_PRE}))?(?:\+[0-9A-Za-z.-]*)?")
_HYPHEN = re.compile(rf"({_PARTIAL}) - ({_PARTIAL})")
_COMPARATOR = re.compile(rf" ?(\^|~>?|[<>]=?|=|) ?({_PARTIAL})(?= |$)")
_NOTHING: Bound = (lt, (0, 0, 0, _LOWEST))


def version_of(tag: str) -> Key | None:
    """The version that a tag names, comparable; None where it names none."""
    found = _VERSION.fullmatch(tag)
    if not found:
        return None
    major, minor, patch, pre = found.groups()
    return int(major), int(minor or 0), int(patch or 0), _pre(pre)


class VersionRange:
    """Tells whether a tag is a version within a range. Raises ValueError, with a sentence, for what is no range."""

    def __init__(self, text: str) -> None:
        self._alternatives = tuple(_alternative(part) for part in text.split("||"))

    def __call__(self, tag: str) -> bool:
        version = version_of(tag)
        return version is not None and any(alternative.holds(version) for alternative in self._alternatives)


@dataclass(frozen=True, slots=True)
class _Alternative:
    bounds: tuple[Bound, ...]
    pre_releases: frozenset[Numbers]

    def holds(self, version: Key) -> bool:
        if version[3] != _RELEASE and version[:3] not in self.pre_releases:
            return False
        return all(holds(version, bound) for holds, bound in self.bounds)


@dataclass(frozen=True, slots=True)
class _Partial:
    """A version in a range, of which the last numbers may be left open."""

    numbers: tuple[int, ...]
    pre: Pre

    @classmethod
    def parse(cls, text: str) -> _Partial:
        found = _PARTS.fullmatch(text)
        assert found is not None
        *words, pre = found.groups()
        given = [word for word in words if word is not None]
        numbers: list[int] = []
        for word in given:
            if not word.isdigit():
                return cls(tuple(numbers), _RELEASE)
            numbers.append(int(word))
        if pre:
            numbers += [0] * (3 - len(numbers))
        return cls(tuple(numbers), _pre(pre))

    @property
    def is_whole(self) -> bool:
        return len(self.numbers) == 3

    @property
    def first(self) -> Key:
        major, minor, patch = (*self.numbers, 0, 0, 0)[:3]
        return major, minor, patch, self.pre

    def after(self, position: int) -> Key:
        """Before the first pre-release of the version in which the number at a position is one higher."""
        major, minor, patch = (*self.numbers[:position], self.numbers[position] + 1, 0, 0, 0)[:3]
        return major, minor, patch, _LOWEST


def _alternative(text: str) -> _Alternative:
    text = " ".join(text.replace(",", " ").split())
    hyphen = _HYPHEN.fullmatch(text)
    if hyphen:
        low, high = map(_Partial.parse, hyphen.groups())
        return _bounded([(">=", low), ("<=", high)])
    comparators: list[tuple[str, _Partial]] = []
    position = 0
    while position < len(text):
        found = _COMPARATOR.match(text, position)
        if not found:
            wrong = text[position:].split()[0]
            raise ValueError(
                f"{wrong!r} is no version range. Write one as in >=1.2 <2, 1.2 - 1.8, 1.x, ~1.4.2 or ^1.4, and || "
                "between alternatives."
            )
        comparators.append((found[1], _Partial.parse(found[2])))
        position = found.end()
    return _bounded(comparators)


def _bounded(comparators: list[tuple[str, _Partial]]) -> _Alternative:
    bounds = [bound for sign, partial in comparators for bound in _bounds(sign, partial)]
    named = (partial.first[:3] for _, partial in comparators if partial.pre != _RELEASE)
    return _Alternative(tuple(bounds), frozenset(named))


def _bounds(sign: str, partial: _Partial) -> list[Bound]:
    if not partial.numbers:
        return [_NOTHING] if sign in ("<", ">") else []
    last = len(partial.numbers) - 1
    if sign == ">":
        return [(gt, partial.first)] if partial.is_whole else [(ge, _released(partial.after(last)))]
    if sign == "<":
        return [(lt, partial.first if partial.is_whole else (*partial.first[:3], _LOWEST))]
    upper: Bound = (le, partial.first) if partial.is_whole else (lt, partial.after(last))
    if sign == "<=":
        return [upper]
    if sign == ">=":
        return [(ge, partial.first)]
    if sign in ("~", "~>"):
        upper = (lt, partial.after(min(last, 1)))
    elif sign == "^":
        upper = (lt, partial.after(_significant(partial.numbers)))
    return [(ge, partial.first), upper]


def _released(key: Key) -> Key:
    return (*key[:3], _RELEASE)


def _significant(numbers: tuple[int, ...]) -> int:
    """The position of the first number that is not 0, else of the last one given."""
    return next((position for position, number in enumerate(numbers) if number), len(numbers) - 1)


def _pre(text: str | None) -> Pre:
    if not text:
        return _RELEASE
    words = text.split(".")
    return (0, *((0, int(word), "") if word.isdigit() else (1, 0, word) for word in words))
