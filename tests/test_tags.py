"""Which tags are releases, and which of two is newer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fleet.scanning.tags import is_release, release_key, select_tags, version_key


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9", "1.10"),
        ("1.2", "1.2.1"),
        ("1.2.0-rc1", "1.2.0"),
        ("1.2.0-rc2", "1.2.0-rc10"),
        ("1.2-alpine", "1.2"),
        ("v1.9", "v1.10"),
        ("1.9", "V2"),
        ("2024-09-30", "2024-10-01"),
        ("20240930", "20241001"),
        ("feature-x", "0.1"),
        ("99.9", "latest"),
        ("9" * 127, "latest"),
    ],
)
def test_versions_sort_as_people_read_them(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)
    assert select_tags([older, newer], "*", 1) == (newer,)


@pytest.mark.parametrize(
    "tag", ["sha256-" + "a" * 64, "sha256-" + "a" * 64 + ".sig", "1.0.att", "1.0.sbom", "", "a" * 129, "-x", "a b", "é"]
)
def test_what_is_no_release_is_left_out(tag: str) -> None:
    assert not is_release(tag, "*")


def test_the_pattern_is_a_glob_over_the_whole_tag() -> None:
    assert select_tags(["1.0", "1.0-alpine", "2.0"], "*.0", 9) == ("2.0", "1.0")


def test_a_long_listing_gives_the_newest_once_each() -> None:
    listing = (f"1.{number % 1000}" for number in range(50_000))
    assert select_tags(listing, "*", 3) == ("1.999", "1.998", "1.997")


def test_the_date_decides_and_a_version_beats_latest() -> None:
    early, late = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)
    tags = [(early, "9.9"), (late, "1.1"), (late, "latest"), (None, "10.0")]
    assert max(tags, key=lambda pair: release_key(*pair)) == (late, "1.1")
