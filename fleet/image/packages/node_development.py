"""Which Node packages development alone needs.

npm says it of each: in the lock file that it hides in node_modules, as it installed them, else in the one beside it.
Yarn and pnpm do not. Where they installed, the manifests do: what a project's devDependencies lead to and the
dependencies of no project do. Packages that neither leads to are not judged.
Source: https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json and
https://nodejs.org/api/modules.html#loading-from-node_modules-folders
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from fleet.image.filetree import FileTree
from fleet.image.packages.objects import Object, as_object, parse_object

_INSTALLED = "node_modules/"
_MANIFEST = "package.json"
_HIDDEN_LOCK = "node_modules/.package-lock.json"
_LOCK = "package-lock.json"
_LONGEST_PATH = 4096  # as in the kernel
_RUNNING = ("dependencies", "optionalDependencies", "peerDependencies")
_DEVELOPING = ("devDependencies",)
# Hundreds of times what large projects take; beyond it nothing is said.
_MOST_LOOKUPS = 5_000_000


def for_development(tree: FileTree, installed: Set[str]) -> frozenset[str]:
    """Those of the ``installed`` packages' directories that are there for development alone."""
    return _by_manifests(tree, installed).union(_by_npm(tree, installed))


def _by_npm(tree: FileTree, installed: Set[str]) -> Iterator[str]:
    for path in tree.texts:
        project = _project_of(path, _HIDDEN_LOCK)
        if project is None and (project := _project_of(path, _LOCK)) is not None:
            project = None if f"{project}{_HIDDEN_LOCK}" in tree.texts else project
        if project is not None:
            directories = (f"{project}{directory}" for directory in _marked(parse_object(tree.texts[path])))
            yield from filter(installed.__contains__, directories)


def _project_of(path: str, name: str) -> str | None:
    """The directory in which a file of that ``name`` stands at ``path``, "" or with a slash at its end; None for
    another file."""
    project = path.removesuffix(name)
    return project if project != path and project[-1:] in ("", "/") else None


def _marked(lock: Object) -> Iterator[str]:
    """Paths of marked packages below the project, as lock files name them since version 2, or as version 1 nests
    them."""
    for directory, entry in as_object(lock.get("packages")).items():
        if as_object(entry).get("dev") is True:
            yield directory
    waiting = [("", as_object(lock.get("dependencies")))] if "packages" not in lock else []
    while waiting:
        outer, entries = waiting.pop()
        for name, value in entries.items():
            entry = as_object(value)
            directory = f"{outer}{_INSTALLED}{name}"
            if entry.get("dev") is True:
                yield directory
            if len(directory) < _LONGEST_PATH:
                waiting.append((f"{directory}/", as_object(entry.get("dependencies"))))


def _by_manifests(tree: FileTree, installed: Set[str]) -> frozenset[str]:
    projects = {
        project.rstrip("/"): parse_object(tree.texts[path])
        for path in tree.texts
        if _INSTALLED not in path and (project := _project_of(path, _MANIFEST)) is not None
    }
    developing = {project: manifest for project, manifest in projects.items() if not _has_lock(tree, project)}
    if not any(manifest.get("devDependencies") for manifest in developing.values()):
        return frozenset()
    resolving = _Resolving(tree, installed)
    developed = resolving.reached(_asked(developing, _DEVELOPING))
    running = resolving.reached(_asked(projects, _RUNNING))
    return frozenset() if resolving.is_exhausted else developed - running


def _has_lock(tree: FileTree, project: str) -> bool:
    prefix = f"{project}/" if project else ""
    return any(f"{prefix}{lock}" in tree.texts for lock in (_HIDDEN_LOCK, _LOCK))


def _asked(manifests: Mapping[str, Object], keys: Iterable[str]) -> list[tuple[str, str]]:
    """Directory and name, for each package that a manifest asks for under one of ``keys``."""
    return [
        (directory, name)
        for directory, manifest in manifests.items()
        for key in keys
        for name in as_object(manifest.get(key))
    ]


class _Resolving:
    """Finds packages as Node does: in the node_modules of a directory or of the nearest one above it."""

    def __init__(self, tree: FileTree, installed: Set[str]) -> None:
        self._tree = tree
        self._installed = installed
        self._lookups_left = _MOST_LOOKUPS

    @property
    def is_exhausted(self) -> bool:
        return self._lookups_left <= 0

    def reached(self, asked: list[tuple[str, str]]) -> frozenset[str]:
        """The directories of the packages that are asked for, and of those that these ask for in turn."""
        found: set[str] = set()
        while asked and not self.is_exhausted:
            directory = self._resolve(*asked.pop())
            if directory is not None and directory not in found:
                found.add(directory)
                manifest = parse_object(self._tree.texts[f"{directory}/{_MANIFEST}"])
                asked += _asked({directory: manifest}, _RUNNING)
        return frozenset(found)

    def _resolve(self, directory: str, name: str) -> str | None:
        while self._lookups_left > 0:
            self._lookups_left -= 1
            place = f"{directory}/{_INSTALLED}{name}" if directory else f"{_INSTALLED}{name}"
            node = self._tree.nodes.get(place)
            if node is not None and node.entry.kind == "symlink":
                place = self._tree.resolve(place) or place
            if place in self._installed:
                return place
            if not directory:
                return None
            directory = directory.rpartition("/")[0]
        return None
