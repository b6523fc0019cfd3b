"""Directories of saved images: what they list, whose name holds, and what a bad file among them does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fleet.oci.errors import InvalidResponse, NotFound, RegistryError
from fleet.oci.manifest import Manifest, parse_manifest
from fleet.oci.reference import is_repository
from fleet.oci.sources import Source, open_endpoint
from fleet.oci.sources.archives import name_and_tag, repository_name
from tests.oci.content import make_sample, sha256
from tests.oci.test_archive import config_for, saved, write_tar
from tests.oci.test_layout import write_layout


def save(path: Path, content: bytes, *names: str, changed: int = 0) -> Path:
    """An image of one plain layer with these names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tar(path, {"1/layer.tar": content} | saved(config_for(content), ["1/layer.tar"], names))
    if changed:
        os.utime(path, (changed, changed))
    return path


def layer_of(source: Source, reference: str) -> bytes:
    descriptor, body = source.manifest(reference)
    manifest = parse_manifest(body, descriptor.media_type)
    assert isinstance(manifest, Manifest)
    return b"".join(source.blob(manifest.layers[0]))


def test_repositories_and_tags_are_those_in_the_archives(tmp_path: Path) -> None:
    save(tmp_path / "a.tar", b"a", "app:1", "app:latest", "registry.example.com:5000/Team/app:1")
    save(tmp_path / "deep" / "er" / "b.TAR", b"b", "docker.io/library/app:2")
    save(tmp_path / "notes.txt", b"c", "notes:1")
    endpoint = open_endpoint("archive", str(tmp_path))
    endpoint.check()
    assert list(endpoint.repositories()) == ["app", "registry.example.com-5000/team/app"]
    assert list(endpoint.tags("app")) == ["1", "2", "latest"]
    source = endpoint.source("app")
    assert (source.name, source.stores_compressed) == ("app", False)
    assert [layer_of(source, tag) for tag in ("1", "2", "latest")] == [b"a", b"b", b"a"]
    assert source.head("2") == source.manifest("2")[0]
    source.close()
    endpoint.close()
    for name in ("other", "../app"):
        with pytest.raises(NotFound, match="No archive"):
            list(endpoint.tags(name))
    with pytest.raises(NotFound, match="holds the tag 3"):
        source.head("3")


def test_one_file_is_an_endpoint_whatever_it_is_called(tmp_path: Path) -> None:
    endpoint = open_endpoint("archive", f"file://{save(tmp_path / 'backup', b'a', 'app:1')}")
    assert list(endpoint.repositories()) == ["app"]


def test_an_image_without_a_name_goes_by_its_files(tmp_path: Path) -> None:
    save(tmp_path / "My App.tar", b"a")
    save(tmp_path / "other.tar", b"b", "<none>:<none>")
    endpoint = open_endpoint("archive", str(tmp_path))
    assert list(endpoint.repositories()) == ["my-app", "other"]
    assert list(endpoint.tags("my-app")) == ["latest"]
    assert layer_of(endpoint.source("my-app"), "latest") == b"a"


@pytest.mark.parametrize(
    ("annotations", "repository"),
    [({}, "app"), ({"io.containerd.image.name": "ghcr.io/team/web:1.0"}, "ghcr.io/team/web")],
)
def test_a_layout_within_an_archive_is_listed_by_its_names(
    annotations: dict[str, str], repository: str, tmp_path: Path
) -> None:
    layout = tmp_path / "layout"
    layout.mkdir()
    sample = make_sample()
    write_layout(layout, {"1.0": sample}, **annotations)
    members = {str(path.relative_to(layout)): path.read_bytes() for path in layout.rglob("*") if path.is_file()}
    write_tar(tmp_path / "app.tar", members)
    endpoint = open_endpoint("archive", str(tmp_path))
    assert list(endpoint.repositories()) == [repository]
    assert list(endpoint.tags(repository)) == ["1.0"]
    source = endpoint.source(repository)
    assert (source.head("1.0").digest, source.stores_compressed) == (sample.digest, True)
    assert layer_of(source, sample.digest) == sample.layer


def test_the_newest_file_has_the_tag_and_the_others_are_found_by_digest(tmp_path: Path) -> None:
    save(tmp_path / "z.tar", b"old", "app:1", "app:2", changed=1_000)
    save(tmp_path / "a.tar", b"new", "app:1", changed=2_000)
    source = open_endpoint("archive", str(tmp_path)).source("app")
    assert (layer_of(source, "1"), layer_of(source, "2")) == (b"new", b"old")
    digests = [source.head(tag).digest for tag in ("1", "2")]
    later = open_endpoint("archive", str(tmp_path)).source("app")
    assert [layer_of(later, digest) for digest in digests] == [b"new", b"old"]
    with pytest.raises(NotFound, match=f"holds {sha256(b'none')}"):
        later.manifest(sha256(b"none"))
    save(tmp_path / "z.tar", b"newer", "app:1", changed=3_000)
    assert layer_of(open_endpoint("archive", str(tmp_path)).source("app"), "1") == b"newer"


def test_of_files_written_at_the_same_moment_the_last_path_has_the_tag(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / f"{name}.tar", name.encode(), "app:1", changed=1_000)
    assert layer_of(open_endpoint("archive", str(tmp_path)).source("app"), "1") == b"b"


def test_many_archives_of_one_repository_are_not_all_kept_open(tmp_path: Path) -> None:
    for number in range(20):
        save(tmp_path / f"{number}.tar", b"%d" % number, f"app:{number}")
    source = open_endpoint("archive", str(tmp_path)).source("app")
    before = len(os.listdir("/proc/self/fd"))
    assert [layer_of(source, str(number)) for number in range(20)] == [b"%d" % number for number in range(20)]
    assert len(os.listdir("/proc/self/fd")) - before <= 10
    source.close()


def test_a_tar_that_is_no_image_is_left_out(tmp_path: Path) -> None:
    write_tar(tmp_path / "backup.tar", {"etc/passwd": b"root"})
    with pytest.raises(NotFound, match="holds no saved image"):
        open_endpoint("archive", str(tmp_path)).check()
    save(tmp_path / "app.tar", b"a", "app:1")
    endpoint = open_endpoint("archive", str(tmp_path))
    endpoint.check()
    assert list(endpoint.repositories()) == ["app"]


@pytest.mark.parametrize("body", [b"no tar", b"\x1f\x8b" + b"x" * 600])
def test_an_archive_that_cannot_be_read_ends_the_listing_after_the_others(body: bytes, tmp_path: Path) -> None:
    save(tmp_path / "app.tar", b"a", "app:1")
    (tmp_path / "bad.tar").write_bytes(body)
    endpoint = open_endpoint("archive", str(tmp_path))
    with pytest.raises(InvalidResponse, match=r"bad\.tar is no tar"):
        endpoint.check()
    names = endpoint.repositories()
    assert next(names) == "app"
    with pytest.raises(InvalidResponse, match=r"Not every archive could be listed: .*bad\.tar"):
        next(names)
    # What is known can be read all the same, and what is not known may be in the bad one.
    assert layer_of(endpoint.source("app"), "1") == b"a"
    with pytest.raises(InvalidResponse, match=r"bad\.tar"):
        endpoint.source("other")


@pytest.mark.parametrize("manifest", [b"nonsense", b"[[]]", b'[{"Config": 7}]', b'[{"Config":"x","RepoTags":"app"}]'])
def test_a_malformed_manifest_is_named(manifest: bytes, tmp_path: Path) -> None:
    write_tar(tmp_path / "app.tar", {"manifest.json": manifest})
    with pytest.raises(RegistryError, match=r"app\.tar"):
        open_endpoint("archive", str(tmp_path)).check()


def test_an_archive_without_any_image_lists_nothing(tmp_path: Path) -> None:
    write_tar(tmp_path / "app.tar", {"manifest.json": json.dumps([]).encode()})
    with pytest.raises(NotFound, match="holds no saved image"):
        open_endpoint("archive", str(tmp_path)).check()


def test_a_place_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file or directory"):
        open_endpoint("archive", str(tmp_path / "missing")).check()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("app", ("archive", "app")),
        ("", ("archive", "latest")),
        ("app:1", ("app", "1")),
        ("docker.io/library/app:1", ("app", "1")),
        ("index.docker.io/team/app:1", ("team/app", "1")),
        ("localhost:5000/app", ("localhost-5000/app", "latest")),
        ("Team/App:V1", ("team/app", "V1")),
        (f"app@{sha256(b'')}", ("app", "latest")),
        (f"app:1@{sha256(b'')}", ("app", "1")),
        ("app:no tag", ("app", "latest")),
        ("../../etc/passwd:1", ("etc/passwd", "1")),
        ("a..b/__c__/d___e:1", ("a-b/c/d-e", "1")),
        ("ä:1", ("image", "1")),
    ],
)
def test_names_become_those_of_repositories(text: str, name: tuple[str, str]) -> None:
    assert name_and_tag(text, "archive") == name
    assert is_repository(name[0])


@pytest.mark.parametrize("text", ["-" * 100_000, "a." * 500, "/" * 500, "a/" * 500, "\0", "\ud800"])
def test_any_text_becomes_a_name(text: str) -> None:
    assert is_repository(repository_name(text))
