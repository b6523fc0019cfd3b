"""What a rule is, and what it looks at.

A rule is a function from a ``Survey`` to claims: versions of paths that the running container does not need. It
never counts bytes and never looks at other rules; ``fleet.analysis.claims`` gives each version to the first rule.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from fleet.analysis.command import command_words, named_files
from fleet.analysis.package_scripts import script_programs, script_words
from fleet.image.entries import Entry
from fleet.image.filetree import FileTree, Node
from fleet.image.packages.package import Package
from fleet.image.sizes import Sizes
from fleet.oci.manifest import ImageConfig


class Claim(NamedTuple):
    """One version of a path. ``root`` is the highest directory that may stand for it where all below is claimed;
    empty allows any. ``part`` is what of the file is claimed, where that is not the whole of it: debug sections of a
    program. The version is taken all the same, so that no byte is claimed twice."""

    entry: Entry
    layer: int
    root: str = ""
    part: Sizes | None = None

    @property
    def version(self) -> tuple[int, int]:
        """An entry is one version of a path; a blob that an image has twice may share its entries."""
        return self.layer, id(self.entry)

    @property
    def sizes(self) -> Sizes:
        return self.part or Sizes(self.entry.size_bytes, self.entry.compressed_bytes)

    def is_live(self, survey: Survey) -> bool:
        """Whether containers see this version: no later layer hides it."""
        node = survey.tree.nodes.get(self.entry.path)
        return node is not None and node.entry is self.entry and node.layer == self.layer

    def removes(self, survey: Survey) -> bool:
        """Whether containers lose the file: a hidden version is none of theirs, and what loses a part stays."""
        return self.part is None and self.is_live(survey)


@dataclass(frozen=True, slots=True)
class Survey:
    """An image as rules see it. ``directories`` holds what is no directory itself by the directory it lies in,
    ``totals`` how many such paths there are anywhere below a directory. ``words`` are the base names of the words of
    the command, and of the scripts of package.json that it starts; ``in_use`` the real paths that they name. ``taken``
    are the versions that rules before this one claimed, as (layer, id of the entry): for a rule that must know which
    copy stays."""

    tree: FileTree
    config: ImageConfig
    packages: tuple[Package, ...]
    directories: Mapping[str, Sequence[Node]]
    totals: Counter[str]
    words: frozenset[str]
    in_use: frozenset[str]
    taken: AbstractSet[tuple[int, int]] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Rule:
    """``advice`` is a sentence on how to mend it in the team's own build."""

    name: str
    title: str
    advice: str
    claims: Callable[[Survey], Iterable[Claim]]


def survey(tree: FileTree, config: ImageConfig, packages: tuple[Package, ...]) -> Survey:
    directories: dict[str, list[Node]] = {}
    for path, node in tree.nodes.items():
        if node.entry.kind != "directory":
            directories.setdefault(path.rpartition("/")[0], []).append(node)
    scripts = script_words(tree, config) or ()
    words = frozenset(posixpath.basename(word) for word in (*command_words(config), *scripts))
    in_use = named_files(tree, config) | script_programs(tree, config)
    totals = count_below({directory: len(nodes) for directory, nodes in directories.items()})
    return Survey(tree, config, packages, directories, totals, words, in_use)


def count_below(counts: Mapping[str, int]) -> Counter[str]:
    """From what lies directly in directories to what lies anywhere below them and their parents."""
    totals: Counter[str] = Counter()
    for directory, count in counts.items():
        totals[directory] += count
        while directory:
            directory = directory.rpartition("/")[0]
            totals[directory] += count
    return totals


def below(survey: Survey, roots: re.Pattern[str]) -> Iterator[Claim]:
    """Everything in directories whose path, with a slash at its end, starts with a match; the match is the root."""
    for directory, nodes in survey.directories.items():
        match = roots.match(f"{directory}/")
        if match is not None:
            root = match.group().rstrip("/")
            for node in nodes:
                yield Claim(node.entry, node.layer, root)
