"""COPY lines that bring chosen paths from a stage, with their owners, modes and symlinks as they were.

Measured on the classic builder: ``COPY --from`` keeps owners and times below a directory, but makes the directory
itself root's with mode 0755; a symlink that is named as a source is copied as what it points to. Other builders
differ in both, so owners are said where one fits all, and the rest is set by one RUN.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from fleet.dockerfile.keeping import parent_of
from fleet.dockerfile.quoting import Unwritable, copy_paths, shell_word
from fleet.image.filetree import FileTree

Owner = tuple[int, int]
_ROOT: Owner = (0, 0)
_PERMISSIONS = 0o7777
_DEFAULT_MODE = 0o755


@dataclass(frozen=True, slots=True)
class Lines:
    """Instructions, the commands of the RUN that must follow them, and a sentence for each path that no line can
    name."""

    copies: tuple[str, ...]
    commands: tuple[str, ...]
    lost: tuple[str, ...]


def copy_lines(
    tree: FileTree, roots: Sequence[str], *, stage: str, there: Collection[str], owner: Owner | None = None
) -> Lines:
    """Lines that copy ``roots`` to where they were. ``there`` holds the paths that the base has. ``owner`` gets
    everything; without it owners stay as they are."""
    copies: list[str] = []
    commands: list[str] = []
    lost: list[str] = []
    files: dict[tuple[str, Owner], list[str]] = defaultdict(list)
    for root in roots:
        try:
            if _kind(tree, root) == "symlink":
                commands.append(_link(tree, root, there))
            elif _kind(tree, root) == "directory":
                given = owner or _common_owner(tree, root)
                copies.append(_copy(stage, [f"/{root}"], f"/{root}", given))
                commands += _restore(tree, root, given, owner, there)
            else:
                copy_paths([f"/{root}"], "/")
                files[parent_of(root), owner or _owner(tree, root)].append(f"/{root}")
        except Unwritable as error:
            lost.append(str(error))
    for (directory, given), paths in files.items():
        copies.append(_copy(stage, paths, f"/{directory}/" if directory else "/", given))
    commands += _parents(tree, roots, there, owner)
    return Lines(tuple(copies), tuple(commands), tuple(lost))


def make_directories(tree: FileTree, paths: Sequence[str], *, owner: Owner | None = None) -> Iterator[str]:
    """Commands that make empty directories with the mode that they had, and with their owner or the given one."""
    for path in paths:
        yield f"mkdir -p {shell_word(f'/{path}')}"
        yield from _attributes(tree, path, _ROOT, owner)


def _copy(stage: str, sources: Sequence[str], target: str, owner: Owner | None) -> str:
    flag = f" --chown={owner[0]}:{owner[1]}" if owner and owner != _ROOT else ""
    return f"COPY --from={stage}{flag} {copy_paths(sources, target)}"


def _kind(tree: FileTree, path: str) -> str:
    node = tree.nodes.get(path)
    return node.entry.kind if node else "directory"


def _owner(tree: FileTree, path: str) -> Owner:
    entry = tree.nodes[path].entry
    return entry.uid, entry.gid


def _common_owner(tree: FileTree, root: str) -> Owner | None:
    """The one owner of a directory and all below it, or None where there are several."""
    owners = {(node.entry.uid, node.entry.gid) for _, node in tree.under(root)}
    if root in tree.nodes:
        owners.add(_owner(tree, root))
    return owners.pop() if len(owners) == 1 else None


def _restore(
    tree: FileTree, root: str, given: Owner | None, owner: Owner | None, there: Collection[str]
) -> Iterator[str]:
    if root in tree.nodes and root not in there:
        yield from _attributes(tree, root, given or _ROOT, owner)


def _attributes(tree: FileTree, path: str, given: Owner, owner: Owner | None) -> Iterator[str]:
    """Commands that take a directory from what COPY or mkdir made of it to what it was."""
    entry, wanted = tree.nodes[path].entry, owner or _owner(tree, path)
    if wanted != given:
        yield f"chown {wanted[0]}:{wanted[1]} {shell_word(f'/{path}')}"
    if entry.mode & _PERMISSIONS != _DEFAULT_MODE:
        yield f"chmod {entry.mode & _PERMISSIONS:o} {shell_word(f'/{path}')}"


def _parents(tree: FileTree, roots: Sequence[str], there: Collection[str], owner: Owner | None) -> Iterator[str]:
    """What directories above the roots need, that COPY makes as root's with mode 0755."""
    parents: dict[str, None] = {}
    for root in roots:
        parent = parent_of(root)
        while parent and parent not in parents:
            parents[parent] = None
            parent = parent_of(parent)
    for path in sorted(parents):
        if path in tree.nodes and path not in there and _kind(tree, path) == "directory":
            yield from _attributes(tree, path, _ROOT, _ROOT if owner else None)


def _link(tree: FileTree, path: str, there: Collection[str]) -> str:
    parent, target = parent_of(path), shell_word(tree.nodes[path].entry.link)
    make = f"mkdir -p {shell_word(f'/{parent}')} && " if parent and parent not in there else ""
    return f"{make}ln -sfn -- {target} {shell_word(f'/{path}')}"
