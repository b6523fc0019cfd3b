"""File trees made of texts, for the readers of package databases."""

from __future__ import annotations

import tarfile

from fleet.image.filetree import FileTree, apply_layers
from fleet.image.packages import read_packages
from fleet.image.packages.package import Package
from tests.image.archives import directory, layer, member, symlink


def tree_of(*layers: dict[str, str]) -> FileTree:
    """A layer of contents by path each; ``-> x`` is a symlink."""
    return apply_layers([layer(*(_member(path, text) for path, text in files.items())) for files in layers])


def only(tree: FileTree) -> Package:
    (package,) = read_packages(tree)
    return package


def by_name(tree: FileTree) -> dict[str, Package]:
    return {package.name: package for package in read_packages(tree)}


def _member(path: str, text: str) -> tuple[tarfile.TarInfo, bytes]:
    if path.endswith("/"):
        return directory(path)
    return symlink(path, text[3:]) if text.startswith("-> ") else member(path, text.encode(errors="surrogateescape"))
