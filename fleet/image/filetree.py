"""Layers applied to one another: the files a container sees, and the bytes that no longer count.

Spec: https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from fleet.image.entries import ElfFacts, Entry

Cause = Literal["deleted", "overwritten", "metadata"]


@dataclass(frozen=True, slots=True)
class Node:
    """A path of the final tree and the position of the layer that its version comes from."""

    entry: Entry
    layer: int


@dataclass(frozen=True, slots=True)
class Hidden:
    """A version of a path that a later layer hides: ``layer`` brought it, ``hidden_by`` covers it."""

    entry: Entry
    layer: int
    hidden_by: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class FileTree:
    """``nodes`` by path without leading slash. Every version of every path is in ``nodes`` or in ``hidden``."""

    nodes: Mapping[str, Node]
    hidden: tuple[Hidden, ...]
    texts: Mapping[str, bytes]
    elf: Mapping[str, ElfFacts]
    shebangs: Mapping[str, str]

    def under(self, directory: str) -> Iterator[tuple[str, Node]]:
        """Every path below a directory, not the directory itself."""
        raise NotImplementedError

    def resolve(self, path: str) -> str | None:
        """The real path after symlinks in every component (as the kernel does, at most 40), or None."""
        raise NotImplementedError

    def text(self, path: str) -> str | None:
        """The captured content of a file that survives, symlinks followed, undecodable bytes replaced."""
        raise NotImplementedError
