"""Package databases of systems and languages, read from the file tree."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from fleet.image.filetree import FileTree
from fleet.image.packages import apk, composer, conda, dpkg, embedded, gems, node, nuget, python, rpm
from fleet.image.packages.package import Package

__all__ = ["Package", "read_packages"]


def read_packages(tree: FileTree) -> tuple[Package, ...]:
    """Every package that a database in the tree names, system packages first.

    A path may be listed by several (Debian packages Python distributions too); its bytes count for the first one, less
    what those in front took that are but a part of a file and say how large. So the weights add up to no more than the
    tree. Damaged databases yield what can be read of them.
    """
    scales = _Scales(tree)
    readers = (dpkg, apk, rpm, conda, python, node, gems, nuget, composer, embedded)
    return tuple(map(scales.weigh, chain.from_iterable(reader.read(tree) for reader in readers)))


class _Scales:
    """Gives every byte of the tree's files away once."""

    def __init__(self, tree: FileTree) -> None:
        self._tree = tree
        self._left: dict[str, int] = {}

    def weigh(self, package: Package) -> Package:
        taken = sum(self._take(path, package.unpacked_bytes) for path in package.paths)
        return replace(package, unpacked_bytes=taken)

    def _take(self, path: str, part_bytes: int) -> int:
        """A part of a file, or all that is left of it where none is said."""
        left = self._left.get(path)
        if left is None:
            left = self._tree.nodes[path].entry.size_bytes
        taken = min(part_bytes, left) if part_bytes else left
        self._left[path] = left - taken
        return taken
