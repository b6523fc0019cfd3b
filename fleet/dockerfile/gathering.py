"""The text of a Dockerfile whose final stage is one COPY of what was gathered in the stage before it.

There a shell and ``cp -a`` are still at hand, so owners, modes, links and times stay as they are, whatever the base of
the final stage lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fleet.dockerfile.carried_system import is_empty
from fleet.dockerfile.carrying import Carried
from fleet.dockerfile.interpreter import is_musl
from fleet.dockerfile.keeping import minimal_roots
from fleet.dockerfile.numeric_user import ACCOUNT, NUMERIC_USER
from fleet.dockerfile.page import remove, run
from fleet.dockerfile.quoting import quoted
from fleet.dockerfile.request import Request
from fleet.dockerfile.suggestion import BaseImage
from fleet.image.filetree import FileTree

ROOT = "/plimsoll-root"
# What a kernel takes as one argument is 128 KiB, and the whole of a RUN is one.
_MOST_BYTES = 100_000
_SYSTEM = ("usr/", "etc/", "lib/", "lib32/", "lib64/", "bin/", "sbin/")


@dataclass(frozen=True, slots=True)
class Gathering:
    """RUN lines, and a sentence for each path that they cannot name."""

    lines: tuple[str, ...]
    lost: tuple[str, ...]


def gather(request: Request, carried: Carried, base: BaseImage, *, hand_over: bool) -> Gathering:
    """Lines that bring ``carried`` together below one directory. ``hand_over`` gives the team's files to the numeric
    user that the container is to run as."""
    lost: list[str] = []
    # Relative to the root: with absolute paths cp looks for their parents in the working directory.
    commands = [f"mkdir -p -m 755 {ROOT}"]
    if is_musl(request.tree):  # busybox's cp gives parents neither owner nor mode
        commands += _places(request.tree, _special_parents(request.tree, carried.roots), lost)
    for words in _chunks(quoted(carried.roots, lost, _relative)):
        commands.append("cp -a --parents \\\n      " + " \\\n      ".join([*words, f"{ROOT}/"]))
    commands += [remove(words) for words in _chunks(quoted(carried.waste, lost, _gathered))]
    commands += _places(request.tree, carried.places, lost)
    if hand_over and (owned := quoted(team_roots(request.tree, carried), lost, _gathered)):
        commands += [f"chown -Rh {NUMERIC_USER} \\\n      " + " \\\n      ".join(words) for words in _chunks(owned)]
    if hand_over:
        commands += [f"echo '{line}' >> {ROOT}/{path}" for path, line in ACCOUNT if path in carried.paths]
    if is_empty(base):
        commands.append(f"mkdir -p -m 1777 {ROOT}/tmp")  # noqa: S108 - in the image
    return Gathering(tuple(_runs(commands)), tuple(lost))


def _special_parents(tree: FileTree, roots: Sequence[str]) -> tuple[str, ...]:
    """Directories above the roots that are not as a directory made by root is."""
    parents = {path[:at] for path in roots for at, char in enumerate(path) if char == "/"}
    entries = {path: tree.nodes[path].entry for path in parents if path in tree.nodes}
    usual = (0o755, 0, 0)
    return tuple(sorted(path for path, each in entries.items() if (each.mode & 0o7777, each.uid, each.gid) != usual))


def _places(tree: FileTree, paths: Sequence[str], lost: list[str]) -> Iterator[str]:
    """Commands that make directories as they were."""
    for path in paths:
        entry = tree.nodes[path].entry
        for word in quoted([path], lost, _gathered):
            yield f"mkdir -p {word}"
            yield f"chown {entry.uid}:{entry.gid} {word}"
            yield f"chmod {entry.mode & 0o7777:o} {word}"


def team_roots(tree: FileTree, carried: Carried) -> tuple[str, ...]:
    """The topmost paths that hold the application's own files alone: none of the system's directories."""
    own = {path for path in carried.team if not path.startswith(_SYSTEM)}
    return minimal_roots(tree, own, set(tree.nodes) - carried.paths)


def _relative(path: str) -> str:
    """A path as cp takes it from the root, never for an option."""
    return f"./{path}" if path.startswith("-") else path


def _gathered(path: str) -> str:
    return f"{ROOT}/{path}"


def _chunks(words: Sequence[str]) -> Iterator[list[str]]:
    """The words in as few lists as commands may be long."""
    chunk: list[str] = []
    size = 0
    for word in words:
        length = len(word.encode(errors="replace")) + 10
        if chunk and size + length > _MOST_BYTES // 2:
            yield chunk
            chunk, size = [], 0
        chunk.append(word)
        size += length
    if chunk:
        yield chunk


def _runs(commands: Sequence[str]) -> Iterator[str]:
    """As few RUN lines as their length allows."""
    group: list[str] = []
    for command in commands:
        if group and sum(map(len, group)) + len(command) > _MOST_BYTES:
            yield run(["cd /", *group])
            group = []
        group.append(command)
    if group:
        yield run(["cd /", *group])
