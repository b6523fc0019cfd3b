"""What package databases have in common: texts of stanzas, and lists of paths that may be out of date."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from fleet.image.filetree import FileTree

_LONGEST_NAME = 255


def read_lines(tree: FileTree, path: str) -> list[str]:
    """The lines of a captured file, spelled as paths are; none when it is not there."""
    return tree.texts.get(path, b"").decode(errors="surrogateescape").split("\n")


def stanzas(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Blocks of ``Field: value`` lines between blank ones. Continuation lines are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line.strip():
            if fields:
                yield fields
            fields = {}
        elif line[0] not in " \t":
            key, _, value = line.partition(":")
            fields.setdefault(key, value.strip())
    if fields:
        yield fields


def short(text: str) -> str:
    """A name or version, printable and of a length that people and tables take."""
    return "".join(character for character in text[:_LONGEST_NAME] if character.isprintable())


def below(directory: str, name: str) -> str:
    """The path that ``name`` has in a package's directory; "" when it leads out of it, or is one from the root."""
    path = posixpath.normpath(posixpath.join("/", directory, name))
    return path if path.startswith(posixpath.join("/", directory, "")) else ""


def main_layer(tree: FileTree, paths: Iterable[str], otherwise: int) -> int:
    """The layer that most of a package's files come from, for databases that a later layer rewrites as a whole; the
    lowest of several, ``otherwise`` when there are no files."""
    counts = Counter(tree.nodes[path].layer for path in paths)
    return min(counts, key=lambda layer: (-counts[layer], layer), default=otherwise)


def first_names(requires: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Of each dependency the name that comes first: what a package manager installs unless told otherwise."""
    return tuple(dict.fromkeys(alternatives[0] for alternatives in requires))


def files_by_directory(tree: FileTree, directories: Collection[str]) -> Mapping[str, list[str]]:
    """The files anywhere below each of ``directories``; one below several belongs to the innermost.

    All in one walk: packages that lie within each other, on purpose or not, cost no more than others.
    """
    files: dict[str, list[str]] = defaultdict(list)
    if not directories:
        return files
    owners: dict[str, str | None] = {"": None, **{directory: directory for directory in directories}}
    for path, node in tree.nodes.items():
        if node.entry.kind != "directory":
            owner = _owner(path.rpartition("/")[0], owners)
            if owner is not None:
                files[owner].append(path)
    return files


def _owner(directory: str, owners: dict[str, str | None]) -> str | None:
    """The nearest of ``directory`` and its parents that has an owner; noted for all in between."""
    between = []
    while directory not in owners:
        between.append(directory)
        directory = directory.rpartition("/")[0]
    owner = owners[directory]
    owners.update(dict.fromkeys(between, owner))
    return owner


class Locator:
    """Finds listed files where they are: lists may say /lib/x where /lib is a symlink to usr/lib."""

    def __init__(self, tree: FileTree) -> None:
        self._tree = tree
        self._directories: dict[str, str | None] = {}

    def present(self, listed: Iterable[str]) -> tuple[str, ...]:
        """The paths in the tree, no directories, each once."""
        found = (self._locate(path.strip("/")) for path in listed)
        return tuple(dict.fromkeys(path for path in found if path is not None))

    def _locate(self, path: str) -> str | None:
        nodes = self._tree.nodes
        node = nodes.get(path)
        if node is None:
            directory, _, name = path.rpartition("/")
            real = self._real(directory)
            path = f"{real}/{name}" if real else name
            node = nodes.get(path)
        return None if node is None or node.entry.kind == "directory" else path

    def _real(self, directory: str) -> str | None:
        if directory not in self._directories:
            self._directories[directory] = self._tree.resolve(directory)
        return self._directories[directory]
