"""The file system of a final stage as far as it is known: the base's, less what is cleared, and what is copied."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from fleet.dockerfile.base_table import KnownBase, known_base
from fleet.dockerfile.keeping import everything_below
from fleet.dockerfile.suggestion import BaseImage
from fleet.image.filetree import EMPTY, FileTree, Node

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class FinalStage:
    """``tree`` is what the final image shows; ``copied`` the paths of it that come from the original,
    ``sources`` the same as the original names them. ``facts`` is what
    the table says of a base whose files are unknown, None where they are known or the table says nothing."""

    base: BaseImage
    tree: FileTree
    copied: frozenset[str]
    sources: frozenset[str]
    facts: KnownBase | None

    @property
    def is_known(self) -> bool:
        return self.base.tree is not None

    @property
    def glibc(self) -> tuple[int, int] | None:
        return self.facts.glibc if self.facts else None


def facts_of(base: BaseImage) -> KnownBase | None:
    """What the table says of a base whose files are not known."""
    return None if base.tree is not None else known_base(base.reference)


def assemble_stage(
    base: BaseImage,
    original: FileTree,
    copied: Collection[str],
    *,
    moved: Callable[[str], str] = lambda path: path,
    cleared: Collection[str] = (),
    added: Mapping[str, Node] | None = None,
) -> FinalStage:
    """The base less what is ``cleared``, with some of the original's paths over it at the place that ``moved`` says,
    and ``added`` nodes that no image had before."""
    under = base.tree or EMPTY
    gone = everything_below(under, cleared)
    renamed = {path: moved(path) for path in copied}
    nodes: dict[str, Node] = {path: node for path, node in under.nodes.items() if path not in gone}
    nodes |= {new: original.nodes[old] for old, new in renamed.items()}
    nodes |= added or {}
    tree = FileTree(
        nodes=nodes,
        hidden=(),
        texts={**under.texts, **_renamed(original.texts, renamed)},
        elf={**under.elf, **_renamed(original.elf, renamed)},
        shebangs={**under.shebangs, **_renamed(original.shebangs, renamed)},
    )
    return FinalStage(
        base, tree, frozenset(renamed.values()) | frozenset(added or ()), frozenset(copied), facts_of(base)
    )


def _renamed(values: Mapping[str, _T], renamed: Mapping[str, str]) -> dict[str, _T]:
    return {renamed[path]: value for path, value in values.items() if path in renamed}
