"""What a build may read: a directory or a git repository, without what lies outside and without what is ignored."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from fleet.oci.errors import InvalidReference, NotFound, RegistryError, TooLarge
from fleet.verification.building import FILE, labelled
from fleet.verification.cleanup import Mark
from fleet.verification.context import check_git_url, packed
from fleet.verification.images import bases_of
from fleet.verification.watch import Deadline, TimeOver, Unwatched

DOCKERFILE = "FROM scratch\nCOPY . /\n"


def files(context: str, *, local: bool = True, limit_bytes: int = 1_000_000, seconds: float = 30) -> dict[str, bytes]:
    """Regular files of the tar by their names; links by what they point to."""
    with (
        packed(
            DOCKERFILE, context, limit_bytes=limit_bytes, deadline=Deadline(seconds), watch=Unwatched(), local=local
        ) as packed_file,
        tarfile.open(fileobj=packed_file) as tar,
    ):
        found = {}
        for member in tar:
            assert (member.uid, member.gid) == (0, 0)
            if member.isfile():
                found[member.name] = tar.extractfile(member).read()  # type: ignore[union-attr]
            elif member.issym():
                found[member.name] = f"-> {member.linkname}".encode()
        return found


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("not yours")
    root = tmp_path / "checkout"
    (root / "app").mkdir(parents=True)
    (root / "app" / "main.py").write_text("print('hello')\n")
    (root / "node_modules" / "x").mkdir(parents=True)
    (root / "node_modules" / "x" / "big.js").write_text("x" * 1_000)
    (root / "keep.log").write_text("kept")
    (root / "drop.log").write_text("dropped")
    (root / ".dockerignore").write_text("# waste\nnode_modules\n*.log\n!keep.log\n")
    (root / "outside").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("..")
    os.mkfifo(root / "pipe")
    return root


def test_a_repack_reads_the_dockerfile_alone() -> None:
    assert files("") == {FILE: DOCKERFILE.encode()}


def test_what_is_ignored_is_left_out_and_no_link_is_followed(directory: Path, tmp_path: Path) -> None:
    found = files(str(directory))
    assert set(found) == {FILE, ".dockerignore", "app/main.py", "keep.log", "outside", "up"}
    assert found["outside"] == f"-> {tmp_path / 'secret'}".encode()
    assert found["up"] == b"-> .."
    assert found[FILE] == DOCKERFILE.encode()


def test_a_context_that_is_too_large_or_not_there_is_refused(directory: Path) -> None:
    with pytest.raises(TooLarge, match="List what the build does not need"):
        files(str(directory), limit_bytes=10)
    with pytest.raises(NotFound):
        files(str(directory / "nowhere"))
    with pytest.raises(InvalidReference, match="Name a git URL"):
        files(str(directory), local=False)


@pytest.fixture
def repository(directory: Path) -> str:
    (directory / "pipe").unlink()
    git = ["git", "-C", str(directory), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"], ["branch", "other"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    return f"file://{directory}"


def test_git_gives_a_branch_and_a_directory_without_history(repository: str) -> None:
    found = files(repository)
    assert {"app/main.py", "keep.log"} <= set(found)
    assert not [name for name in found if name.startswith((".git/", "node_modules/"))]
    assert set(files(f"{repository}#other:app")) == {FILE, "main.py"}
    with pytest.raises(RegistryError, match="Git says"):
        files(f"{repository}#nowhere")
    with pytest.raises(NotFound, match="has no directory"):
        files(f"{repository}#main:nowhere")
    with pytest.raises(NotFound):
        files(f"{repository}#main:up")


def test_git_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nsleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(TimeOver):
        files("https://git.example.com/x.git", seconds=0.5)


@pytest.mark.parametrize(
    "url",
    [
        "file:///srv/secrets",
        "ext::sh -c touch% /tmp/x",
        "https://ada:enter@git.example.com/x.git",
        "https://git.example.com/x.git#--upload-pack=x",
        "https://git.example.com/x.git#main:../..",
        "https://git.example.com/x.git#main:/etc",
        "ssh://-oProxyCommand=x/y",
        "/srv/app",
        "",
    ],
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidReference):
        check_git_url(url)


def test_every_stage_is_marked_and_nothing_else_changes() -> None:
    mark = Mark("0123456789ab", 1)
    text = "# syntax=docker/dockerfile:1\nARG A=1\nFROM x AS one\nRUN <<EOF\nFROM inside\nEOF\nFROM \\\n  one"
    label = 'LABEL plimsoll.verification="0123456789ab" plimsoll.verification.ends="1"\n'
    assert labelled(text, mark) == text.replace("AS one\n", f"AS one\n{label}") + f"\n{label}"


def test_the_images_that_a_dockerfile_takes_from_elsewhere_are_named() -> None:
    text = (
        "ARG BASE=debian\nFROM $BASE AS zero\nFROM python:3.12@sha256:" + "0" * 64 + " AS one\nFROM one AS Two\n"
        "FROM scratch\nCOPY --from=two /a /a\nCOPY --from=0 /b /b\nCOPY --from=busybox:1 /c /c\n"
    )
    assert bases_of(text) == ("python:3.12@sha256:" + "0" * 64, "busybox:1")
