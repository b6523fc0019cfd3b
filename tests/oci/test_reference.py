from pathlib import Path

import pytest

from fleet.oci.errors import InvalidReference
from fleet.oci.reference import ArchiveLocation, EngineLocation, LayoutLocation, Reference, parse_location

DIGEST = "sha256:" + "a1" * 32


@pytest.mark.parametrize(
    ("text", "whole", "target"),
    [
        ("python", "docker.io/library/python", "latest"),
        ("python:3.11", "docker.io/library/python:3.11", "3.11"),
        ("team/app:1.0", "docker.io/team/app:1.0", "1.0"),
        ("index.docker.io/team/app", "docker.io/team/app", "latest"),
        ("localhost/app", "localhost/app", "latest"),
        ("localhost:5000/app", "localhost:5000/app", "latest"),
        ("[::1]:5000/app:1", "[::1]:5000/app:1", "1"),
        ("registry.example.com/a/b/c:v1", "registry.example.com/a/b/c:v1", "v1"),
        (f"127.0.0.1:5000/team/app:1.0@{DIGEST}", f"127.0.0.1:5000/team/app:1.0@{DIGEST}", DIGEST),
        ("a--b/c__d.e", "docker.io/a--b/c__d.e", "latest"),
    ],
)
def test_short_names_mean_what_docker_means(text, whole, target):
    reference = Reference.parse(text)
    assert str(reference) == whole
    assert reference.target == target
    assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1.0",
        "App",
        "registry.example.com/Team/app",
        "app:",
        "app:-x",
        "app:" + "x" * 129,
        "app@sha256:abc",
        "app@md5:" + "a" * 32,
        "a//b",
        "../etc/passwd",
        "app name",
        "app\n",
        "ä/b",
        "https://registry.example.com/app",
        "registry.example.com:99999999/app",
        "a" * 256,
        "a" * 100_000,
        "a-" * 400 + "!",
    ],
)
def test_what_is_no_reference_is_refused_in_a_short_sentence(text):
    with pytest.raises(InvalidReference) as refusal:
        Reference.parse(text)
    assert len(str(refusal.value)) < 250
    assert str(refusal.value).endswith(".")


def test_a_login_in_a_reference_is_not_repeated():
    with pytest.raises(InvalidReference) as refusal:
        Reference.parse("https://user:hunter2@registry.example.com/app")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("docker-daemon:app:1.0", EngineLocation("app:1.0")),
        ("oci:some/layout", LayoutLocation(Path("some/layout"))),
        ("oci:/some/layout:1.0", LayoutLocation(Path("/some/layout"), "1.0")),
        (f"oci:/some/layout@{DIGEST}", LayoutLocation(Path("/some/layout"), DIGEST)),
        ("docker-archive:/tmp/app.tar", ArchiveLocation(Path("/tmp/app.tar"))),
        ("docker-archive:/tmp/app.tar:app:1.0", ArchiveLocation(Path("/tmp/app.tar"), "app:1.0")),
        ("oci-archive:/tmp/app.tar:1.0", ArchiveLocation(Path("/tmp/app.tar"), "1.0")),
        ("docker://alpine", Reference("docker.io", "library/alpine")),
        ("docker:24", Reference("docker.io", "library/docker", "24")),
        ("team/app", Reference("docker.io", "team/app")),
    ],
)
def test_places_are_written_as_skopeo_writes_them(text, location):
    assert parse_location(text) == location


@pytest.mark.parametrize("text", ["oci:", "docker-daemon:", "docker-archive:", "oci:a\0b"])
def test_a_place_without_a_name_is_refused(text):
    with pytest.raises(InvalidReference):
        parse_location(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("containers-storage:app:1.0", "podman save"),
        ("podman:app", "podman save"),
        ("dir:/tmp/app", "oci:LAYOUT:TAG"),
        ("ostree:app@/repo", "oci:LAYOUT:TAG"),
        ("sif:/tmp/app.sif", "Singularity"),
        ("tarball:/tmp/root.tar", "docker import"),
    ],
)
def test_a_place_that_is_not_read_says_how_to_bring_the_image(text, hint):
    with pytest.raises(InvalidReference, match=hint):
        parse_location(text)
