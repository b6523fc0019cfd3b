"""Which tags are releases, and which of two is newer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.scanning.tags import check_tag_pattern, highest, is_version, matcher, newest_first, version_key

FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    tag: str
    created_at: datetime | None = None
    seen_at: datetime | None = None


def day(number: int) -> datetime:
    return FIRST_DAY + timedelta(days=number)


def order(*made: Made) -> list[str]:
    return [seen.tag for seen in newest_first(made)]


class TestVersions:
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
            ("9a2b3c4", "1.0"),
            ("1.0", "20240930"),
            ("8u92-b14", "8u392-b08"),
        ],
    )
    def test_they_sort_as_people_read_them(self, older: str, newer: str) -> None:
        assert version_key(older) < version_key(newer)
        assert highest([older, newer], 1) == (newer,)


class TestPatterns:
    @pytest.mark.parametrize(
        "tag",
        ["sha256-" + "a" * 64, "sha256-" + "a" * 64 + ".sig", "1.0.att", "1.0.sbom", "", "a" * 129, "-x", "a b", "é"],
    )
    @pytest.mark.parametrize(("pattern", "syntax"), [("*", "glob"), (".*", "regex"), ("*", "semver")])
    def test_what_is_no_release_is_left_out(self, tag: str, pattern: str, syntax: str) -> None:
        assert not matcher(pattern, syntax)(tag)

    @pytest.mark.parametrize(
        ("pattern", "syntax", "matched"),
        [
            ("*.0", "glob", "1.0 2.0"),
            ("[12].0*", "glob", "1.0 1.0-alpine 2.0"),
            (r"\d\.0", "regex", "1.0 2.0"),
            (r"1|2", "regex", ""),
            (">=1.5", "semver", "2.0"),
        ],
    )
    def test_a_pattern_is_over_the_whole_tag(self, pattern: str, syntax: str, matched: str) -> None:
        assert list(filter(matcher(pattern, syntax), ["1.0", "1.0-alpine", "2.0", "latest"])) == matched.split()

    @pytest.mark.parametrize(
        ("pattern", "syntax"),
        [("", "glob"), ("1.[0-9", "glob"), (" ", "semver"), ("(", "regex"), ("newest", "semver"), (r"\bx", "regex")],
    )
    def test_what_cannot_be_used_is_refused_in_a_sentence(self, pattern: str, syntax: str) -> None:
        with pytest.raises(ValueError, match=r"^[A-Z'].*\.$"):
            check_tag_pattern(pattern, syntax)

    @pytest.mark.parametrize(
        ("pattern", "syntax"),
        [("v*", "glob"), ("[12].*", "glob"), (r"v?\d+(\.\d+)*", "regex"), ("^1.4 || 2.x", "semver")],
    )
    def test_what_can_be_used_passes(self, pattern: str, syntax: str) -> None:
        check_tag_pattern(pattern, syntax)


class TestNewest:
    def test_the_date_decides_and_a_version_beats_latest(self) -> None:
        tags = [Made("9.9", day(0)), Made("latest", day(9)), Made("1.1", day(9)), Made("1.2", day(5))]
        assert order(*tags) == ["1.1", "latest", "1.2", "9.9"]

    def test_without_dates_versions_decide(self) -> None:
        assert order(Made("1.9"), Made("1.10"), Made("v2.0-rc1"), Made("2.0")) == ["2.0", "v2.0-rc1", "1.10", "1.9"]

    def test_an_undated_version_stands_among_dated_ones_by_its_number(self) -> None:
        tags = [Made("1.0", day(0)), Made("1.1"), Made("1.2", day(2)), Made("1.3")]
        assert order(*tags) == ["1.3", "1.2", "1.1", "1.0"]

    def test_a_backport_that_is_dated_later_stays_before_an_older_undated_version(self) -> None:
        assert order(Made("2.0", day(0)), Made("1.9.9", day(9)), Made("1.8")) == ["1.9.9", "2.0", "1.8"]

    def test_an_undated_name_is_no_newer_than_what_has_a_date(self) -> None:
        assert order(Made("nightly"), Made("1.0", day(0)), Made("abc"), Made("main", day(1))) == [
            "main",
            "1.0",
            "nightly",
            "abc",
        ]

    def test_of_undated_names_the_one_that_appeared_last_is_the_newest(self) -> None:
        tags = [Made("f00d", seen_at=day(0)), Made("beef"), Made("cafe", seen_at=day(2))]
        assert order(*tags) == ["beef", "cafe", "f00d"]

    def test_of_an_undated_version_and_a_name_the_one_that_appeared_last(self) -> None:
        assert order(Made("latest", seen_at=day(1)), Made("1.0", seen_at=day(1))) == ["1.0", "latest"]
        assert order(Made("latest", seen_at=day(2)), Made("1.0", seen_at=day(1))) == ["latest", "1.0"]


MADE = st.builds(
    Made,
    tag=st.sampled_from(["1.0", "1.1", "v1.1", "1.1-rc1", "2", "latest", "main", "abc", "f00d"]),
    created_at=st.none() | st.integers(0, 4).map(day),
    seen_at=st.none() | st.integers(0, 4).map(day),
)


@given(st.lists(MADE, max_size=9, unique_by=lambda made: made.tag), st.randoms())
def test_the_order_is_one_whatever_the_listing_says_first(tags: list[Made], random) -> None:
    shuffled = random.sample(tags, len(tags))
    found = list(newest_first(tags))
    assert list(newest_first(shuffled)) == found
    assert sorted(found, key=tags.index) == tags
    dated = [made.created_at for made in found if made.created_at]
    assert dated == sorted(dated, reverse=True)
    undated = [made.tag for made in found if not made.created_at and is_version(made.tag)]
    assert undated == sorted(undated, key=version_key, reverse=True)
