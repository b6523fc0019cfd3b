"""Regular expressions over tags: what Python's matcher says, in a time that no expression can blow up."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.scanning.tag_regex import TagRegex


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        (r"v?\d+(\.\d+)*", "1 v1.2.3 10.0", "1. v a1 1.2-rc1"),
        (r"^release-\d{4}-(0[1-9]|1[0-2])$", "release-2024-09", "release-2024-13 release-2024-1 xrelease-2024-09"),
        (r"^(?!.*-rc)v.*", "v1.0 v", "v1.0-rc1 1.0"),
        (r"(?=.*\d$)(?!latest)[a-z].*", "build-7", "build- 7 latest1"),
        (r"(?i:V)1|Beta", "v1 V1 Beta", "beta v2"),
        (r"(?i)[a-c]+[^x]", "ABq abY", "abX abx d"),
        (r"a{2,3}?b", "aab aaab", "ab aaaab"),
        (r"a{2,}", "aa aaaaa", "a"),
        (r"[\w-]+\.\S", "a-b.c", "a-b. .c"),
        (r"(?P<name>\D+)\W1", "a-1 b.1", "a_1 1-1"),
        (r"()|a|", "a", "b"),
        (r"(?:^a|b$)+", "a b ab", "ba aa"),
    ],
)
def test_it_matches_whole_tags(pattern: str, inside: str, outside: str) -> None:
    matches = TagRegex(pattern)
    assert [tag for tag in inside.split() if not matches(tag) or not re.fullmatch(pattern, tag)] == []
    assert [tag for tag in outside.split() if matches(tag)] == []


@pytest.mark.parametrize(
    "pattern", [r"(a+)+b", r"(a|aa)+b", r"(a*)*(a*)*(a*)*b", r"(.*a){20}", r"(?!(a+)+b)(a|a|a)*c", r"(\w+\s?)*\."]
)
def test_an_expression_that_would_keep_pythons_matcher_busy_for_years_does_not(pattern: str) -> None:
    matches = TagRegex(pattern)
    began = time.process_time()
    assert not matches("a" * 15 + "-" * 113)
    matches("a" * 128)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "no regular expression"),
        ("*", "no regular expression"),
        (r"(a)\1", "back reference"),
        (r"a\b", "word boundary"),
        (r"a(?!b)", "lookahead"),
        (r"(?<=a)b", "lookahead or lookbehind"),
        (r"(?>a+)", "atomic group"),
        (r"a++", "possessive"),
        (r"(a)?(?(1)b|c)", "condition"),
        (r"(a{1000}){1000}", "too large"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refusal:
        TagRegex(pattern)
    assert str(refusal.value).endswith(".")


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeats = st.sampled_from(["*", "+", "?", "{0,2}", "{2}", "{1,}", "*?", "??"])
    return (
        st.tuples(inner, inner).map("".join)
        | st.tuples(inner, inner).map("|".join).map("(?:{})".format)
        | st.tuples(inner, repeats).map(lambda pair: f"({pair[0]}){pair[1]}")
    )


ATOMS = st.sampled_from(["a", "b", "1", r"\.", ".", "[ab]", "[^a]", r"\d", r"\W", "[a-z1]", "^", "$", "", r"[^\d.]"])
PATTERNS = st.recursive(ATOMS, _grown, max_leaves=8)
OPENED = st.tuples(st.sampled_from(["", "(?=a)", "(?!a)", "^(?!.*1)", "(?=.*b$)"]), PATTERNS).map("".join)


@given(OPENED, st.lists(st.text("ab1.-", max_size=7), min_size=1, max_size=8))
def test_it_agrees_with_pythons_matcher(pattern: str, tags: list[str]) -> None:
    matches = TagRegex(pattern)
    assert [matches(tag) for tag in tags] == [re.fullmatch(pattern, tag) is not None for tag in tags]
