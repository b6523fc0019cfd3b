"""What admins allow, forbid and map, by patterns on references."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.dockerfile.base_rules import BaseRules, check_map, check_pattern, full_prefix
from fleet.oci.errors import InvalidReference

SLIM, ALPINE = "python:3.11-slim", "python:3.11-alpine3.20"
CORP = BaseRules(maps=(("docker.io/library/python", "registry.corp/base/python"),))


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("python:*", SLIM, True),
        ("python", SLIM, True),
        ("python", "python", True),
        ("python", "python-extra:1", False),
        ("library/python:3.*", SLIM, True),
        ("docker.io/library/python:3.11*", SLIM, True),
        ("index.docker.io/library/python", SLIM, True),
        ("docker.io/*", SLIM, True),
        ("*", SLIM, True),
        ("*alpine*", ALPINE, True),
        ("*alpine*", SLIM, False),
        ("*-slim", SLIM, True),
        ("*:latest", "python", True),
        ("*:latest", SLIM, False),
        ("python:3.11-slim", f"{SLIM}@sha256:{'0' * 64}", True),
        ("*:latest", f"python@sha256:{'0' * 64}", False),
        ("gcr.io/distroless/*", "gcr.io/distroless/cc-debian12:nonroot", True),
        ("gcr.io/*/cc-debian12", "gcr.io/distroless/cc-debian12:nonroot", True),
        ("registry.corp/base/*", SLIM, False),
        ("registry.corp/base/*", "registry.corp/base/python:3.11", True),
        ("registry.corp/base/*", "registry.corp.evil.test/base/python:3.11", False),
        ("registry.corp:5000/*", "registry.corp:5000/a/b:1", True),
        ("REGISTRY.corp/*", "Registry.Corp/a:1", True),
        ("pytho[mn]:3", "python:3", False),
        ("pytho?:3", "python:3", False),
        ("x y", "not a reference", False),
    ],
)
def test_a_pattern_is_a_reference_with_stars(pattern, name, matches):
    assert BaseRules(forbid=(pattern,)).permits(name) is not matches
    assert BaseRules(allow=(pattern,)).permits(name) is matches


class TestPermits:
    def test_without_rules_everything_is_permitted(self):
        assert BaseRules().permits(SLIM)
        assert BaseRules().permits("scratch")

    def test_forbid_wins_over_allow(self):
        rules = BaseRules(allow=("python:*",), forbid=("*alpine*",))
        assert rules.permits(SLIM)
        assert not rules.permits(ALPINE)
        assert not rules.permits("node:22")

    def test_what_a_name_is_mapped_to_may_be_allowed_or_forbidden(self):
        maps = CORP.maps
        assert BaseRules(allow=("registry.corp/base/*",), maps=maps).permits(SLIM)
        assert not BaseRules(allow=("registry.corp/base/*",), maps=maps).permits("node:22-slim")
        assert not BaseRules(forbid=("registry.corp/base/*",), maps=maps).permits(SLIM)
        assert not BaseRules(forbid=("docker.io/*",), maps=maps).permits(SLIM)

    def test_what_a_mirror_calls_it_counts_too(self):
        rules = BaseRules(allow=("mirror.corp/*",))
        assert not rules.permits(SLIM)
        assert rules.permits(SLIM, "mirror.corp/hub/python:3.11-slim")

    def test_scratch_is_refused_by_its_own_name_alone(self):
        assert BaseRules(allow=("registry.corp/*",), forbid=("*",)).permits("scratch")
        assert not BaseRules(forbid=(" Scratch",)).permits("scratch")


class TestMapped:
    @pytest.mark.parametrize(
        ("prefix", "name", "expected"),
        [
            ("docker.io/library/python", SLIM, "registry.corp/base:3.11-slim"),
            ("python", "docker.io/library/python:3", "registry.corp/base:3"),
            ("python", "python", "registry.corp/base"),
            ("docker.io/library", SLIM, "registry.corp/base/python:3.11-slim"),
            ("docker.io", SLIM, "registry.corp/base/library/python:3.11-slim"),
            ("docker.io/library/pyth", SLIM, SLIM),
            ("docker.io/library/python", "python-extra:1", "python-extra:1"),
            ("gcr.io/distroless", "gcr.io/distroless/cc-debian12:nonroot", "registry.corp/base/cc-debian12:nonroot"),
            ("python:3.11-slim", SLIM, "registry.corp/base"),
            ("python:3.11", SLIM, SLIM),
            ("python", f"{SLIM}@sha256:{'0' * 64}", "registry.corp/base:3.11-slim"),
            ("python", f"python@sha256:{'0' * 64}", f"registry.corp/base@sha256:{'0' * 64}"),
            ("python", "no reference", "no reference"),
            ("docker.io", "scratch", "scratch"),
        ],
    )
    def test_a_prefix_ends_where_a_part_of_the_name_ends(self, prefix, name, expected):
        assert BaseRules(maps=((prefix, "registry.corp/base"),)).mapped(name) == expected

    def test_the_longest_prefix_wins_and_is_applied_once(self):
        rules = BaseRules(
            maps=(
                ("docker.io", "a.corp"),
                ("python", "docker.io/library/node"),
                ("a.corp", "b.corp"),
                ("node", "x.corp/n"),
            )
        )
        assert rules.mapped(SLIM) == "node:3.11-slim"
        assert rules.mapped("ruby:3") == "a.corp/library/ruby:3"

    @settings(deadline=None)
    @given(st.text(max_size=50), st.text(max_size=50), st.text(max_size=50))
    def test_any_text_maps_to_something(self, prefix, place, name):
        rules = BaseRules(allow=(prefix,), forbid=(place,), maps=((prefix, place),))
        assert isinstance(rules.mapped(name), str)
        assert bool(rules.refusal([(name,)])) is not rules.permits(name)


class TestRefusal:
    def test_it_says_what_is_allowed(self):
        rules = BaseRules(allow=("registry.corp/base/*",))
        assert rules.refusal([(SLIM,)]) == (
            "The admin allows only registry.corp/base/*: python:3.11-slim is not among them."
        )
        assert rules.refusal([(SLIM,), (ALPINE,)]).endswith(
            "python:3.11-slim and python:3.11-alpine3.20 are not among them."
        )

    def test_it_says_what_is_forbidden_and_why(self):
        rules = BaseRules(forbid=("*alpine*",), notes=(("*alpine*", "no musl in production"),))
        assert rules.refusal([(ALPINE,)]) == (
            "The admin forbids *alpine* (no musl in production): python:3.11-alpine3.20."
        )

    def test_it_says_both(self):
        rules = BaseRules(allow=("node:*",), forbid=("*alpine*",))
        assert rules.refusal([(SLIM,), (ALPINE,)]) == (
            "The admin forbids *alpine*: python:3.11-alpine3.20. The admin allows only node:*: python:3.11-slim is not "
            "among them."
        )

    def test_scratch_is_forbidden_by_name(self):
        assert BaseRules(forbid=("scratch",)).refusal([("scratch",)]) == "The admin forbids scratch: scratch."

    def test_it_is_empty_where_one_is_permitted_or_none_is_asked_for(self):
        rules = BaseRules(forbid=("*alpine*",))
        assert rules.refusal([(ALPINE,), (SLIM,)]) == ""
        assert rules.refusal([]) == ""


class TestChecks:
    @pytest.mark.parametrize(
        "text", ["", "  ", "a b", "https://x.test/*", f"python@sha256:{'0' * 64}", "x" * 301, "a\x1b"]
    )
    def test_what_no_reference_matches_is_no_pattern(self, text):
        with pytest.raises(InvalidReference):
            check_pattern(text)

    def test_a_pattern_is_kept_as_written(self):
        assert check_pattern(" registry.corp/base/* ") == "registry.corp/base/*"

    @pytest.mark.parametrize(
        ("prefix", "place"),
        [
            ("python", ""),
            ("python*", "registry.corp/python"),
            ("python", "registry.corp/*"),
            ("", "registry.corp/python"),
            ("python", "https://registry.corp/python"),
            ("python", "registry.corp/UPPER"),
            ("python:3", "registry.corp/ python:3"),
        ],
    )
    def test_what_is_no_map_is_refused(self, prefix, place):
        with pytest.raises(InvalidReference):
            check_map(prefix, place)

    def test_a_map_is_kept_in_full(self):
        assert check_map("python/", "registry.corp/base/python/") == (
            "docker.io/library/python",
            "registry.corp/base/python",
        )
        assert check_map("python:3.11", "registry.corp/python:3.11-hard")[1] == "registry.corp/python:3.11-hard"

    @pytest.mark.parametrize(
        ("prefix", "full"),
        [
            ("python", "docker.io/library/python"),
            ("python:3.11", "docker.io/library/python:3.11"),
            ("bitnami/redis", "docker.io/bitnami/redis"),
            ("docker.io", "docker.io"),
            ("docker.io/library/", "docker.io/library"),
            ("gcr.io/distroless", "gcr.io/distroless"),
            ("localhost/x", "localhost/x"),
            ("registry.corp:5000", "registry.corp:5000"),
        ],
    )
    def test_short_names_are_docker_hub_s(self, prefix, full):
        assert full_prefix(prefix) == full
