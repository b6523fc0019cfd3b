"""Ranges of semantic versions over tags, as npm reads them."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.scanning.version_range import VersionRange, version_of

NUMBERS = st.integers(0, 4)
TRIPLES = st.tuples(NUMBERS, NUMBERS, NUMBERS)


def text(triple: tuple[int, ...]) -> str:
    return ".".join(map(str, triple))


@pytest.mark.parametrize(
    ("range_", "inside", "outside"),
    [
        (">=1.2 <2", "1.2 1.2.0 v1.9.9 1.10", "1.1.9 2.0 2.0.0-rc1 1.5-alpine latest"),
        (">= 1.2, < 2", "1.2.0", "2.0.0"),
        ("^1.4", "1.4.0 1.9", "1.3.9 2.0.0"),
        ("^1", "1.0 1.9.9", "0.9 2.0"),
        ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0 1.0"),
        ("^0.0.3", "0.0.3", "0.0.4 0.0.2"),
        ("^0.0", "0.0.0 0.0.9", "0.1.0"),
        ("^0", "0.0.1 0.9", "1.0"),
        ("^0.x", "0.0.1 0.9", "1.0"),
        ("~1.4.2", "1.4.2 1.4.9", "1.4.1 1.5.0"),
        ("~>1.4", "1.4.0 1.4.9", "1.5.0"),
        ("~1", "1.0 1.9", "2.0 0.9"),
        ("1.x", "1.0.0 1.9", "2.0 0.9"),
        ("1.4.*", "1.4.0 1.4.9", "1.5.0"),
        ("1", "1.0.0 1.9 1", "2"),
        ("=1.4", "1.4.7", "1.5"),
        ("1.2 - 1.8", "1.2.0 1.8.99", "1.1.9 1.9.0 1.9.0-rc1"),
        ("1.2.3 - 1.2.5", "1.2.3 1.2.5", "1.2.2 1.2.6"),
        ("<1 || >=2.1", "0.9.9 2.1.0 3", "1.0 2.0.9"),
        (">1.2", "1.3.0 2", "1.2.9 1.2.0"),
        (">1.2.3", "1.2.4", "1.2.3"),
        ("<=1.2", "1.2.9 1.0", "1.3.0"),
        ("<1.2", "1.1.9", "1.2.0 1.2.0-rc1"),
        ("*", "0.0.1 99.1", "1.0-rc1 main 1.2.3.4"),
        ("", "0.0.1", "main"),
        (">*", "", "1.0 0.0.0"),
        ("2024.x", "2024.09.30 2024.1", "2025.01.01"),
        ("1.2.3", "1.2.3_build5 v1.2.3", "1.2.3-1 1.2.4"),
    ],
)
def test_a_range_holds_what_npm_says(range_: str, inside: str, outside: str) -> None:
    holds = VersionRange(range_)
    assert [tag for tag in inside.split() if not holds(tag)] == []
    assert [tag for tag in outside.split() if holds(tag)] == []


@pytest.mark.parametrize(
    ("range_", "inside", "outside"),
    [
        (">=1.4.0-rc.2", "1.4.0-rc.2 1.4.0-rc.10 1.4.0 1.5.0", "1.4.0-rc.1 1.4.0-alpha 1.5.0-rc.9"),
        ("^1.2-beta", "1.2.0-beta 1.2-rc1 1.3.0", "1.2.0-alpha 1.3.0-beta 2.0.0"),
        (">=1.4.0-0 <1.5", "1.4.0-alpha 1.4.9", "1.4.1-alpha 1.5.0-alpha"),
        ("1.4.0-rc.1", "1.4.0-rc.1 1.4-rc.1", "1.4.0 1.4.0-rc.2"),
    ],
)
def test_pre_releases_count_where_the_range_names_one_of_theirs(range_: str, inside: str, outside: str) -> None:
    holds = VersionRange(range_)
    assert [tag for tag in inside.split() if not holds(tag)] == []
    assert [tag for tag in outside.split() if holds(tag)] == []


@pytest.mark.parametrize("range_", ["one", ">=1.2 and <2", "1.2.3.4", "!=1.2", "> >1", "^^1", "1 -2", "||x1", "1..2"])
def test_what_is_no_range_is_refused_in_a_sentence(range_: str) -> None:
    with pytest.raises(ValueError, match=r"is no version range\. Write"):
        VersionRange(range_)


def test_versions_sort_as_the_specification_says() -> None:
    rising = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1"
    keys = [version_of(tag) for tag in rising.split()]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


@given(TRIPLES, TRIPLES)
def test_carets_and_tildes_are_intervals(low: tuple[int, int, int], version: tuple[int, int, int]) -> None:
    major, minor, patch = low
    caret = (major + 1, 0, 0) if major else (0, minor + 1, 0) if minor else (0, 0, patch + 1)
    assert VersionRange(f"^{text(low)}")(text(version)) == (low <= version < caret)
    assert VersionRange(f"~{text(low)}")(text(version)) == (low <= version < (major, minor + 1, 0))


@given(TRIPLES, TRIPLES, TRIPLES)
def test_comparators_are_those_of_numbers(
    low: tuple[int, int, int], high: tuple[int, int, int], version: tuple[int, int, int]
) -> None:
    tag, first, last = text(version), text(low), text(high)
    assert VersionRange(f">{first} <={last}")(tag) == (low < version <= high)
    assert VersionRange(f">={first} <{last}")("v" + tag) == (low <= version < high)
    assert VersionRange(f"{first} - {last}")(tag) == (low <= version <= high)
    assert VersionRange(f"<{first} || >{last}")(tag) == (version < low or version > high)
    assert VersionRange(f"={first}")(tag) == (version == low)


@given(st.lists(NUMBERS, min_size=1, max_size=3), TRIPLES)
def test_what_is_left_open_may_be_anything(given_: list[int], version: tuple[int, int, int]) -> None:
    expected = list(version[: len(given_)]) == given_
    open_end = ".".join([*map(str, given_), *["x"] * (3 - len(given_))])
    assert VersionRange(text(tuple(given_)))(text(version)) == expected
    assert VersionRange(open_end)(text(version)) == expected
    below = (*given_, 0, 0)[:3] > version
    assert VersionRange(f"<{open_end}")(text(version)) == below
    assert VersionRange(f">{open_end}")(text(version)) == (not below and not expected)


SYMBOLS = st.text(string.digits + "xX*.<>=^~ |-,vrc+_", max_size=40)


@given(SYMBOLS | st.text(max_size=40), SYMBOLS | st.text(max_size=128))
def test_whatever_is_written_is_a_range_or_refused(range_: str, tag: str) -> None:
    try:
        holds = VersionRange(range_)
    except ValueError:
        return
    assert holds(tag) in (True, False)
