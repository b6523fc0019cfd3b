"""Entries in columns are the entries that went in, however they are looked at."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.image import columns
from fleet.image.columns import CHUNK, KINDS, Entries, in_columns
from fleet.image.entries import Entry

NAMES = st.one_of(
    st.sampled_from(["", "/", "a", "a/", "/a", "a/b", "a/c", "ü/\udce9"]),
    st.text(st.characters(exclude_characters="\0")),
)
ENTRIES = st.builds(
    Entry,
    path=NAMES,
    kind=st.sampled_from(KINDS),
    size_bytes=st.integers(0, 1 << 60),
    compressed_bytes=st.integers(0, 1 << 60),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 1 << 60),
    gid=st.integers(0, 1 << 60),
    link=NAMES,
    fingerprint=st.integers(0, (1 << 64) - 1),
)


def many(count: int) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            f"d{n // 7}/f{n}",
            "symlink" if n % 500 == 3 else "file",
            n,
            n,
            0o644,
            link=f"to-{n}" if n % 500 == 3 else "",
        )
        for n in range(count)
    )


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(ENTRIES, max_size=20))
def test_entries_come_out_as_they_went_in(entries: list[Entry]) -> None:
    found = in_columns(entries)
    assert list(found) == entries
    assert len(found) == len(entries)
    assert all(type(entry) is Entry for entry in found)


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_they_are_a_sequence_as_a_tuple_is(count: int) -> None:
    entries = many(count)
    found = in_columns(entries)
    assert found == entries
    assert entries == found
    assert (found[:3], found[-2:], found[::-1]) == (entries[:3], entries[-2:], entries[::-1])
    for position in {0, count // 2, count - 1, -count} if count else ():
        assert found[position] == entries[position]
    for beyond in (count, -count - 1):
        with pytest.raises(IndexError):
            found[beyond]


def test_other_entries_are_not_equal() -> None:
    entries = many(5)
    assert in_columns(entries) != entries[:4]
    assert in_columns(entries) != (*entries[:4], entries[4]._replace(fingerprint=1))
    assert in_columns(entries) != "entries"


def test_columns_stay_as_they_are() -> None:
    found = in_columns(many(3))
    assert in_columns(found) is found


def test_directories_that_come_back_late_are_kept_twice_rather_than_all_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(columns, "_DIRECTORIES_AT_HAND", 2)
    entries = [Entry(f"d{n % 3}/f{n}", "file", 0, 0, 0o644) for n in range(9)]
    found = in_columns(entries)
    assert list(found) == entries
    assert isinstance(found, Entries)
    assert len(found.directories) > 3
