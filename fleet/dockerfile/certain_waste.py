"""What rules claim of an image that is certain enough to act on: nothing that a running container reads."""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import lru_cache

from fleet.analysis.claims import claim_all
from fleet.analysis.findings import Analysis
from fleet.analysis.rules import RULES
from fleet.analysis.rules.rule import survey
from fleet.dockerfile.estimate import weigh
from fleet.dockerfile.keeping import everything_below, minimal_roots
from fleet.image.filetree import FileTree
from fleet.image.libraries import library_closure
from fleet.image.loading import LoadedImage

_CERTAIN = frozenset(
    {
        "package-manager-cache", "language-cache", "version-control", "toolchain", "development-packages",
        "development-files", "documentation", "temporary-files", "dead-bytecode",
    }
)  # fmt: skip
_MOST = 120
_PLACES = ("var/log", "var/spool", "run/", "var/lib/nginx")


def certain_waste(image: LoadedImage, analysis: Analysis) -> frozenset[str]:
    """Paths that containers see and do not need. The rungs of a ladder ask for the same ones, so they are kept."""
    return _claimed(_Asked(image, analysis))


def topmost(tree: FileTree, paths: Set[str]) -> tuple[str, ...]:
    """The fewest paths that stand for ``paths``, of these the ones that weigh most: the long tail is not worth a list
    that nobody reads."""
    roots = [part for root in minimal_roots(tree, paths, frozenset()) for part in _parts(tree, root)]
    weights = {
        root: weigh(tree, [p for p in everything_below(tree, [root]) if p in tree.nodes]).unpacked_bytes
        for root in roots
    }
    largest = sorted(roots, key=lambda root: -weights[root])[:_MOST]
    return tuple(sorted(root for root in largest if weights[root]))


def _parts(tree: FileTree, root: str) -> Iterator[str]:
    """A root, or the files below it where its directories are places that programs write to."""
    if not root.startswith(_PLACES) or tree.nodes[root].entry.kind != "directory":
        yield root
        return
    yield from (path for path, node in tree.under(root) if node.entry.kind != "directory")


def waste_roots(image: LoadedImage, analysis: Analysis) -> tuple[str, ...]:
    """The fewest paths that stand for most of it."""
    return _roots(_Asked(image, analysis))


def deletable(image: LoadedImage, analysis: Analysis) -> tuple[str, ...]:
    """The topmost paths that can go while all else stays: those that weigh most, less what others need."""
    return _deletable(_Asked(image, analysis))


class _Asked:
    """An image by identity: to compare two by what they hold would take longer than to ask the rules again."""

    def __init__(self, image: LoadedImage, analysis: Analysis) -> None:
        self.image, self.analysis = image, analysis

    def __hash__(self) -> int:
        return id(self.image)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and other.image is self.image and other.analysis is self.analysis


@lru_cache(maxsize=1)
def _claimed(asked: _Asked) -> frozenset[str]:
    surveyed = survey(asked.image.tree, asked.image.config, asked.analysis.packages)
    return frozenset(
        claim.entry.path
        for rule, claims in claim_all(surveyed, RULES)
        if rule.name in _CERTAIN
        for claim in claims
        if claim.removes(surveyed)
    )


@lru_cache(maxsize=1)
def _roots(asked: _Asked) -> tuple[str, ...]:
    return topmost(asked.image.tree, _claimed(asked))


@lru_cache(maxsize=1)
def _deletable(asked: _Asked) -> tuple[str, ...]:
    tree, claimed = asked.image.tree, set(_claimed(asked))
    while True:
        roots = topmost(tree, claimed)
        gone = everything_below(tree, roots)
        # What stays of a package needs its libraries, though nobody starts it.
        needed = gone.intersection(library_closure(tree, [path for path in tree.elf if path not in gone]).found)
        if not needed:
            return roots
        claimed -= needed
