"""The catalog of bases, and that no choice among them changes a program's interpreter or C library."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.dockerfile.base_table import known_base
from fleet.dockerfile.catalog import (
    FAMILIES,
    Release,
    candidates,
    distroless_kind,
    end_of_life_note,
    entries,
    entry_of,
    is_catalogued,
)
from fleet.oci.reference import Reference

BULLSEYE, BOOKWORM, TRIXIE = (
    Release("debian", name, number) for name, number in (("bullseye", "11"), ("bookworm", "12"), ("trixie", "13"))
)
JAMMY, NOBLE = Release("ubuntu", "jammy", "22.04"), Release("ubuntu", "noble", "24.04")
ALPINE, WOLFI, RHEL = Release("alpine", "", "3.20.3"), Release("wolfi", "", "20230201"), Release("rhel", "", "9.4")
NOTHING = Release()
TODAY = date(2026, 11, 25)
GCR, MCR = "gcr.io/distroless", "mcr.microsoft.com/dotnet"


def best(runtime, version, release, tier="slim", libc="glibc", **options):
    found = candidates(runtime=runtime, version=version, release=release, tier=tier, libc=libc, **options)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("runtime", "version", "release", "libc", "expected"),
    [
        ("python", "3.11.7", BOOKWORM, "glibc", "python:3.11-slim-bookworm"),
        ("python", "3.11", ALPINE, "musl", "python:3.11-alpine3.20"),
        ("python", "3.11", NOTHING, "glibc", "python:3.11-slim"),
        ("python", "3.12", RHEL, "glibc", "registry.access.redhat.com/ubi9/python-312-minimal:latest"),
        ("node", "22.11.0", BOOKWORM, "glibc", "node:22-bookworm-slim"),
        ("node", "22.11.0", ALPINE, "musl", "node:22-alpine3.20"),
        ("ruby", "3.3.5", BOOKWORM, "glibc", "ruby:3.3-slim-bookworm"),
        ("php", "8.2.1", BOOKWORM, "glibc", "php:8.2-cli-bookworm"),
        ("php-fpm", "8.2.1", ALPINE, "musl", "php:8.2-fpm-alpine3.20"),
        ("php-apache", "8.3", TRIXIE, "glibc", "php:8.3-apache-trixie"),
        ("java", "21.0.2+13", JAMMY, "glibc", "eclipse-temurin:21-jre-jammy"),
        ("java", "1.8.0_392", JAMMY, "glibc", "eclipse-temurin:8-jre-jammy"),
        ("java", "17", ALPINE, "musl", "eclipse-temurin:17-jre-alpine-3.20"),
        ("java", "17", RHEL, "glibc", "registry.access.redhat.com/ubi9/openjdk-17-runtime:latest"),
        ("dotnet", "8.0.3", BOOKWORM, "glibc", f"{MCR}/aspnet:8.0-bookworm-slim"),
        ("dotnet-runtime", "8.0.3", JAMMY, "glibc", f"{MCR}/runtime:8.0-jammy"),
        ("dotnet", "9.0", ALPINE, "musl", f"{MCR}/aspnet:9.0-alpine3.20"),
        ("nginx", "1.27.2", BOOKWORM, "glibc", "nginx:1.27-bookworm"),
        ("nginx", "1.27.2", ALPINE, "musl", "nginx:1.27-alpine3.20-slim"),
        ("nginx-unprivileged", "", BOOKWORM, "none", "nginxinc/nginx-unprivileged:stable-alpine-slim"),
        ("nginx-unprivileged", "", BOOKWORM, "glibc", "nginxinc/nginx-unprivileged:stable"),
        ("", "", BOOKWORM, "glibc", "debian:bookworm-slim"),
        ("", "", Release("debian", "forky", ""), "glibc", "debian:forky-slim"),
        ("", "", ALPINE, "musl", "alpine:3.20"),
        ("", "", NOBLE, "glibc", "ubuntu:24.04"),
        ("", "", RHEL, "glibc", "redhat/ubi9-minimal:latest"),
        ("", "", WOLFI, "glibc", "cgr.dev/chainguard/wolfi-base:latest"),
        ("", "", Release("rocky", "", "9.3"), "glibc", "rockylinux/rockylinux:9-minimal"),
        ("", "", NOTHING, "glibc", None),
        ("", "", BOOKWORM, "musl", None),
        ("python", "", BOOKWORM, "glibc", None),
        ("ruby", "3.3", JAMMY, "glibc", None),
    ],
)
def test_the_slim_base_of_an_image(runtime, version, release, libc, expected):
    assert best(runtime, version, release, libc=libc) == expected


@pytest.mark.parametrize(
    ("runtime", "version", "release", "options", "expected"),
    [
        ("", "", BULLSEYE, {}, f"{GCR}/base-debian11:nonroot"),
        ("", "", BOOKWORM, {}, f"{GCR}/base-debian12:nonroot"),
        ("", "", TRIXIE, {"cxx": True}, f"{GCR}/cc-debian13:nonroot"),
        ("", "", BOOKWORM, {"libc": "none"}, f"{GCR}/static-debian12:nonroot"),
        ("", "", ALPINE, {"libc": "none"}, f"{GCR}/static-debian13:nonroot"),
        ("", "", NOTHING, {"libc": "none"}, f"{GCR}/static-debian13:nonroot"),
        ("", "", NOTHING, {}, None),
        ("", "", ALPINE, {"libc": "musl"}, None),
        ("", "", WOLFI, {"libc": "none"}, "cgr.dev/chainguard/static:latest"),
        ("", "", WOLFI, {"cxx": True}, "cgr.dev/chainguard/glibc-dynamic:latest"),
        ("", "", JAMMY, {}, f"{MCR}/runtime-deps:8.0-jammy-chiseled"),
        ("", "", RHEL, {}, "redhat/ubi9-micro:latest"),
        ("python", "3.11", BOOKWORM, {}, f"{GCR}/python3-debian12:nonroot"),
        ("python", "3.12", BOOKWORM, {}, None),
        ("python", "3.13", BOOKWORM, {}, f"{GCR}/python3-debian13:nonroot"),
        ("python", "3.12", NOBLE, {}, "ubuntu/python:3.12-24.04_stable"),
        ("node", "22", BOOKWORM, {}, f"{GCR}/nodejs22-debian12:nonroot"),
        ("java", "17", BULLSEYE, {}, f"{GCR}/java17-debian11:nonroot"),
        ("java-base", "", BOOKWORM, {}, f"{GCR}/java-base-debian12:nonroot"),
        ("dotnet", "8.0", NOBLE, {}, f"{MCR}/aspnet:8.0-noble-chiseled-extra"),
        ("ruby", "3.3", BOOKWORM, {}, None),
        ("php", "8.3", BOOKWORM, {}, None),
    ],
)
def test_the_base_without_a_shell(runtime, version, release, options, expected):
    assert best(runtime, version, release, "distroless", **options) == expected


def test_newer_releases_follow_the_image_s_own_and_older_never_do():
    assert candidates(runtime="python", version="3.11", release=BOOKWORM, tier="slim", libc="glibc") == (
        "python:3.11-slim-bookworm",
        "python:3.11-slim-trixie",
        "python:3.11-slim",
    )
    # node:22-slim and python:3.8-slim are on bookworm.
    assert candidates(runtime="node", version="22", release=TRIXIE, tier="slim", libc="glibc") == (
        "node:22-trixie-slim",
    )
    assert "python:3.8-slim" not in candidates(
        runtime="python", version="3.8", release=TRIXIE, tier="slim", libc="glibc"
    )


def test_what_a_system_installs_keeps_its_release():
    assert candidates(runtime="", version="", release=BULLSEYE, tier="slim", libc="glibc") == ("debian:bullseye-slim",)


def test_java_and_dotnet_may_change_the_distribution_but_to_no_older_glibc():
    assert best("java", "17", BULLSEYE) == "eclipse-temurin:17-jre-noble"
    assert candidates(runtime="java", version="17", release=TRIXIE, tier="slim", libc="glibc") == ()
    assert best("dotnet", "8.0", BOOKWORM, "distroless") == f"{MCR}/aspnet:8.0-noble-chiseled-extra"
    assert best("dotnet", "8.0", ALPINE, "distroless", libc="musl") is None


def test_scratch_is_scratch_and_a_cleaned_image_keeps_its_base():
    assert candidates(runtime="go", version="1.23", release=BOOKWORM, tier="scratch", libc="none") == ("scratch",)
    assert candidates(runtime="python", version="3.11", release=BOOKWORM, tier="cleaned", libc="glibc") == ()


@pytest.mark.parametrize(
    ("libc", "cxx", "kind"),
    [(False, False, "static"), (True, False, "base"), (True, True, "cc"), (False, True, "cc")],
)
def test_distroless_s_bases_by_what_a_program_needs(libc, cxx, kind):
    assert distroless_kind(libc, cxx) == kind


RELEASES = st.sampled_from(
    [
        BULLSEYE, BOOKWORM, TRIXIE, JAMMY, NOBLE, ALPINE, WOLFI, RHEL, NOTHING, Release("debian", "forky", ""),
        Release("debian", "buster", "10"), Release("alpine", "", "3.24.0"), Release("alpine", "", "3.15.0"),
        Release("ubuntu", "focal", "20.04"), Release("amzn", "", "2"), Release("fedora", "", "41"),
        Release("rocky", "", "8.9"), Release("opensuse-leap", "", "15.6"),
    ]
)  # fmt: skip
RUNTIMES = st.sampled_from(
    ["", "python", "node", "ruby", "php", "php-fpm", "php-apache", "java", "java-base", "dotnet", "dotnet-runtime",
     "dotnet-deps", "nginx", "nginx-unprivileged", "go", "rust", "c", "unknown"]
)  # fmt: skip
VERSIONS = st.one_of(
    st.sampled_from(sorted({entry.version for entry in entries()})),
    st.sampled_from(["", "3.11.7", "3.9", "3.14", "3.99", "22.1.0", "22", "8.0.3", "8", "1.8.0_392", "17.0.9+9", "x"]),
    st.builds("{}.{}".format, st.integers(0, 30), st.integers(0, 20)),
)
TIERS = st.sampled_from(["cleaned", "slim", "distroless", "scratch"])


@settings(deadline=None, max_examples=500)
@given(RUNTIMES, VERSIONS, RELEASES, TIERS, st.sampled_from(["glibc", "musl", "none"]), st.booleans())
def test_no_candidate_changes_the_line_the_c_library_or_goes_back(runtime, version, release, tier, libc, cxx):
    for name in candidates(runtime=runtime, version=version, release=release, tier=tier, libc=libc, cxx=cxx):
        Reference.parse(name)
        entry = entry_of(name)
        if name == "scratch" or name.startswith("nginxinc/nginx-unprivileged:stable"):
            continue  # neither holds a C library or a line that the program brings
        assert entry is not None, name
        assert libc in ("none", entry.libc), name
        if entry.version:
            assert _line(runtime, version) == entry.version, name
        other = Release(release.id, entry.release, entry.release if entry.release[:1].isdigit() else "")
        if release.id in ("debian", "alpine") and _is_of(entry, release) and entry.release and other.number:
            assert not other.is_older_than(release.number), name


def _line(runtime, version):
    """What may not change, worked out once more."""
    parts = version.split("+")[0].split("_")[0].split(".")
    if runtime == "java":
        return parts[1] if parts[0] == "1" and len(parts) > 1 else parts[0]
    if runtime == "node":
        return parts[0]
    return ".".join([*parts, "0"][:2])


def _is_of(entry, release):
    return {"debian": ("docker-library", "distroless", "dotnet"), "alpine": ("alpine", "dotnet-alpine")}[
        release.id
    ].count(entry.family) > 0 and (release.id == "alpine" or entry.release in ("bullseye", "bookworm", "trixie"))


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60), RUNTIMES, VERSIONS)
def test_nothing_that_an_image_says_of_itself_ends_up_in_a_name(id, codename, version, runtime, line):
    text = f'ID="{id}"\nVERSION_ID={version}\nVERSION_CODENAME={codename}\n'
    for name in candidates(runtime=runtime, version=line, release=Release.parse(text), tier="slim", libc="glibc"):
        Reference.parse(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('PRETTY_NAME="Debian"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n', ("debian", "12", "bookworm")),
        ("ID=alpine\nVERSION_ID=3.20.3\n", ("alpine", "3.20", "")),
        ('ID="rhel"\nVERSION_ID="9.4"\n', ("rhel", "9", "")),
        ("ID=ubuntu\nVERSION_ID='24.04'\nVERSION_CODENAME=noble\n", ("ubuntu", "24.04", "noble")),
        ("ID=debian\nVERSION_CODENAME=trixie\n", ("debian", "13", "trixie")),
        ("ID=debian\nVERSION_ID=11\n", ("debian", "11", "bullseye")),
        ("ID=debian\nVERSION_ID=$(reboot)\nVERSION_CODENAME=a b\n", ("debian", "", "")),
        ("", ("", "", "")),
    ],
)
def test_what_os_release_says(text, expected):
    release = Release.parse(text)
    assert (release.id, release.number, release.name) == expected


class TestEntries:
    def test_every_base_has_a_name_of_its_own_and_a_family(self):
        names = [entry.reference for entry in entries()]
        assert len(names) == len(set(names)) > 300
        assert {entry.family for entry in entries()} == {family.name for family in FAMILIES}

    def test_every_base_is_known_again_by_its_name(self):
        for entry in entries():
            Reference.parse(entry.reference)
            found = entry_of(entry.reference)
            assert found is not None
            assert (found.libc, found.version, found.end_of_life) == (entry.libc, entry.version, entry.end_of_life)

    @pytest.mark.parametrize(
        "name",
        ["python:3.11", "registry.corp/app:1", "python:3.11-slim-bookworm-x", "", "x" * 900, "evil\npython:3-slim"],
    )
    def test_other_names_are_unknown(self, name):
        assert entry_of(name) is None

    @pytest.mark.parametrize(
        ("name", "libc"),
        [
            ("php:8.2-fpm-alpine", "musl"),
            ("php:8.2-fpm", "glibc"),
            ("nginx:1.27-alpine", "musl"),
            ("nginx:1.27-alpine-slim", "musl"),
            ("eclipse-temurin:21-jre-alpine", "musl"),
            ("eclipse-temurin:21-jre", "glibc"),
            ("node:22-alpine", "musl"),
            ("gcr.io/distroless/static-debian13:nonroot", "none"),
        ],
    )
    def test_a_tag_without_a_release_tells_its_c_library(self, name, libc):
        assert entry_of(name).libc == libc

    def test_a_mirror_serves_the_same_base(self):
        for name in (
            "registry.corp:5000/hub/python:3.11.4-slim-bookworm",
            f"python:3.11-slim-bookworm@sha256:{'0' * 64}",
        ):
            found = entry_of(name)
            assert (found.family, found.runtime, found.release) == ("docker-library", "python", "bookworm")
        assert entry_of("mirror.corp/gcr/distroless/cc-debian12:nonroot").family == "distroless"

    def test_the_table_holds_what_the_catalog_says(self):
        for entry in entries():
            known = known_base(entry.reference)
            if known is not None:
                assert known.libc == entry.libc, entry.reference
                assert (known.glibc is not None) == (entry.libc == "glibc"), entry.reference


class TestEndOfLife:
    def test_a_base_that_left_support_says_since_when_and_who_says_so(self):
        note = end_of_life_note("python:3.9-slim-bookworm", TODAY)
        assert note.startswith("python:3.9-slim-bookworm left support on 2025-10-31: Python 3.9 ")
        assert "https://devguide.python.org/versions/ said on 2026-11-25" in note

    @pytest.mark.parametrize(
        ("name", "day", "what"),
        [
            ("node:20-alpine3.20", "2026-04-01", "Alpine 3.20"),
            ("debian:bullseye-slim", "2026-08-31", "Debian 11"),
            (f"{GCR}/cc-debian12:nonroot", "2026-08-09", "distroless on Debian 12"),
            (f"{GCR}/nodejs22-debian12:nonroot", "2025-11-09", "distroless on Debian 12"),
            (f"{MCR}/aspnet:8.0-bookworm-slim", "2026-11-10", ".NET 8.0"),
            ("registry.corp/base/python:3.9-slim", "2025-10-31", "Python 3.9"),
        ],
    )
    def test_the_part_that_ended_first_is_named(self, name, day, what):
        assert f"left support on {day}: {what} " in end_of_life_note(name, TODAY)

    @pytest.mark.parametrize(
        "name",
        ["python:3.12-slim-bookworm", "eclipse-temurin:21-jre-noble", f"{GCR}/static-debian13:nonroot", "scratch", "x"],
    )
    def test_nothing_is_said_of_what_is_supported_or_unknown(self, name):
        assert end_of_life_note(name, TODAY) == ""

    def test_the_last_day_is_still_a_day(self):
        assert end_of_life_note("python:3.12-slim-bookworm", date(2028, 6, 30)) == ""
        assert "Debian 12" in end_of_life_note("python:3.12-slim-bookworm", date(2028, 7, 1))


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("gcr.io/distroless/cc-debian12:debug", True),
        ("gcr.io/distroless/cc-debian14", True),
        ("mcr.microsoft.com/dotnet/aspnet:1", True),
        ("python:3", True),
        ("gcr.io/distroless-evil/cc-debian12", False),
        ("gcr.io/evil/x", False),
        ("gcr.io.evil.test/distroless/cc-debian12", False),
        ("evil.test/gcr.io/distroless/cc-debian12", False),
        ("registry.access.redhat.com/ubi9/nodejs-22-minimal", True),
        ("registry.access.redhat.com/ubi9/../x/nodejs-22-minimal", None),
    ],
)
def test_our_repositories_are_those_of_the_catalog_alone(name, ours):
    if ours is None:
        with pytest.raises(Exception, match="no reference"):
            Reference.parse(name)
    else:
        assert is_catalogued(Reference.parse(name)) is ours
