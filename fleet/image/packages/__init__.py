"""Package databases of systems and languages, read from the file tree."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from fleet.image.filetree import FileTree
from fleet.image.packages import apk, composer, conda, dpkg, gems, node, nuget, python, rpm
from fleet.image.packages.package import Package

__all__ = ["Package", "read_packages"]


def read_packages(tree: FileTree) -> tuple[Package, ...]:
    """Every package that a database in the tree names, system packages first.

    A path may be listed by several (Debian packages Python distributions too); its bytes count for the first one, so
    that the weights add up to no more than the tree. Damaged databases yield what can be read of them.
    """
    weighed: set[str] = set()
    packages = []
    readers = (dpkg, apk, rpm, conda, python, node, gems, nuget, composer)
    for package in chain.from_iterable(reader.read(tree) for reader in readers):
        fresh = [path for path in package.paths if path not in weighed]
        weighed.update(fresh)
        packages.append(replace(package, unpacked_bytes=sum(tree.nodes[path].entry.size_bytes for path in fresh)))
    return tuple(packages)
