"""Layers applied to one another: the files a container sees, and the bytes that no longer count.

Spec: https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from fleet.image.children import Children
from fleet.image.entries import Component, ElfFacts, Entry, LayerIndex

Cause = Literal["deleted", "overwritten", "metadata"]
_Captured = TypeVar("_Captured")

_MOST_SYMLINKS = 40  # as in the kernel


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
    """``nodes`` by path without leading slash. Every version of every path is in ``nodes`` or in ``hidden``.

    Directories that no layer lists, but that hold files, exist without a node. ``texts``, ``elf``, ``shebangs``
    and ``components`` are those of surviving versions.
    """

    nodes: Mapping[str, Node]
    hidden: tuple[Hidden, ...]
    texts: Mapping[str, bytes]
    elf: Mapping[str, ElfFacts]
    shebangs: Mapping[str, str]
    components: Mapping[str, tuple[Component, ...]] = field(default_factory=dict)
    _children: Children = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        children = Children()
        for path in self.nodes:
            children.add(path)
        object.__setattr__(self, "_children", children)

    def under(self, directory: str) -> Iterator[tuple[str, Node]]:
        """Every path below a directory, not the directory itself."""
        nodes = self.nodes
        return ((path, nodes[path]) for path in self._children.below(directory) if path in nodes)

    def resolve(self, path: str) -> str | None:
        """The real path after symlinks in every component (as the kernel does, at most 40), or None."""
        trail = self.trace(path)
        return trail[-1] if trail else None

    def trace(self, path: str) -> tuple[str, ...]:
        """The symlinks that lead from a path to the real one, in their order, and the real path last.

        A copy of exactly these paths can be opened under ``path``. Empty when nothing is there.
        """
        links: list[str] = []
        todo = path.split("/")[::-1]
        real = ""
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                real = real.rpartition("/")[0]
                continue
            here = f"{real}/{part}" if real else part
            node = self.nodes.get(here)
            if node is not None and node.entry.kind == "symlink":
                links.append(here)
                target = node.entry.link
                if len(links) > _MOST_SYMLINKS or not target:
                    return ()
                if target.startswith("/"):
                    real = ""
                todo.extend(target.split("/")[::-1])
            elif here in self._children or (node is not None and (node.entry.kind == "directory" or not any(todo))):
                real = here
            else:
                return ()
        return (*links, real)

    def text(self, path: str) -> str | None:
        """The captured content of a file that survives, symlinks followed, undecodable bytes replaced."""
        real = self.resolve(path)
        content = None if real is None else self.texts.get(real)
        return None if content is None else content.decode(errors="replace")


EMPTY = FileTree(nodes={}, hidden=(), texts={}, elf={}, shebangs={})


def apply_layers(layers: Sequence[LayerIndex]) -> FileTree:
    """The tree that the layers make, first to last, and every version of a path that another hides.

    Whiteouts hide what lower layers brought, wherever in their layer they stand; they are no versions themselves.
    Of a path that one layer holds twice the last one counts. When the file that hard links share is hidden but a
    link to it survives, the link takes over its bytes: they still have to be there.
    """
    stack = _Stack()
    for position, layer in enumerate(layers):
        stack.apply(position, layer)
    texts = stack.surviving([layer.texts for layer in layers])
    elf = stack.surviving([layer.elf for layer in layers])
    shebangs = stack.surviving([layer.shebangs for layer in layers])
    components = stack.surviving([layer.components for layer in layers])
    stack.hand_over_to_links()
    return FileTree(stack.nodes, tuple(stack.hidden), texts, elf, shebangs, components)


_Version = tuple[int, int]  # layer, and id() of the entry: equal entries may be two versions


class _Stack:
    """The tree while layers are put onto it."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.hidden: list[Hidden] = []
        self._children = Children()
        self._owners: dict[_Version, Node] = {}
        self._links: dict[_Version, tuple[str, list[Entry]]] = {}

    def apply(self, position: int, layer: LayerIndex) -> None:
        entries = tuple(layer.entries)  # made once: versions are told apart by their identity
        for entry in entries:
            if entry.kind == "whiteout":
                self._hide(entry.path, position, "deleted")
                self._hide_below(entry.path, position)
                self._children.remove(entry.path)
            elif entry.kind == "opaque":
                self._hide_below(entry.path, position)
        for entry in entries:
            if entry.kind not in ("whiteout", "opaque"):
                self._add(entry, position)

    def _hide(self, path: str, position: int, cause: Cause) -> None:
        node = self.nodes.pop(path, None)
        if node is not None:
            self.hidden.append(Hidden(node.entry, node.layer, position, cause))

    def _hide_below(self, directory: str, position: int) -> None:
        for path in self._children.below(directory):
            self._hide(path, position, "deleted")
        self._children.clear(directory)

    def _add(self, entry: Entry, position: int) -> None:
        path = entry.path
        before = self.nodes.get(path)
        if before is None:
            self._make_parents(path, position)
        else:
            self.hidden.append(Hidden(before.entry, before.layer, position, _cause(before.entry, entry)))
        if entry.kind != "directory" and path in self._children:
            self._hide_below(path, position)
            self._children.remove(path)
            self._children.add(path)
        self.nodes[path] = Node(entry, position)
        if entry.kind == "hardlink":
            self._join(entry, position)

    def _make_parents(self, path: str, position: int) -> None:
        parent = path.rpartition("/")[0]
        while parent not in self._children:
            node = self.nodes.get(parent)
            if node is not None and node.entry.kind != "directory":
                self._hide(parent, position, "overwritten")
            parent = parent.rpartition("/")[0]
        self._children.add(path)

    def _join(self, link: Entry, position: int) -> None:
        """Remember whose bytes a hard link shares."""
        target = self.nodes.get(link.link)
        if target is None or target.entry is link:
            return
        owner = self._owners.get(_version(target), target)
        self._owners[position, id(link)] = owner
        self._links.setdefault(_version(owner), (owner.entry.path, []))[1].append(link)

    def hand_over_to_links(self) -> None:
        """Where the first name of a file is hidden and another survives, the bytes are the other's."""
        for number, hidden in enumerate(self.hidden):
            _, links = self._links.get((hidden.layer, id(hidden.entry)), ("", []))
            alive = [link for link in links if self._survives(link)]
            if not alive:
                continue
            heir, *others = alive
            layer, entry = self.nodes[heir.path].layer, hidden.entry
            self.nodes[heir.path] = Node(entry._replace(path=heir.path), layer)
            self.hidden[number] = Hidden(
                heir._replace(path=entry.path, link=heir.path), hidden.layer, hidden.hidden_by, hidden.cause
            )
            for other in others:
                self.nodes[other.path] = Node(other._replace(link=heir.path), layer)

    def surviving(self, captured: Sequence[Mapping[str, _Captured]]) -> dict[str, _Captured]:
        """What was captured, layer by layer, of the versions that survive; hard links included."""
        found = {
            path: content
            for position, contents in enumerate(captured)
            for path, content in contents.items()
            if (node := self.nodes.get(path)) is not None and node.layer == position
        }
        for (layer, _), (owner, links) in self._links.items():
            content = captured[layer].get(owner)
            if content is not None:
                found.update((link.path, content) for link in links if self._survives(link))
        return found

    def _survives(self, entry: Entry) -> bool:
        node = self.nodes.get(entry.path)
        return node is not None and node.entry is entry


def _version(node: Node) -> _Version:
    return node.layer, id(node.entry)


def _cause(before: Entry, after: Entry) -> Cause:
    """Small files have no fingerprint: another mode or owner of theirs at the same size is taken for chmod or chown."""
    if before.kind != after.kind or before.size_bytes != after.size_bytes or before.link != after.link:
        return "overwritten"
    if before.fingerprint != after.fingerprint:
        return "overwritten"
    if after.kind == "directory" or before[4:7] != after[4:7]:
        return "metadata"
    return "overwritten"
