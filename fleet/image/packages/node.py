"""Node packages: every package.json directly in a directory of some node_modules.

Those of pnpm's store (node_modules/.pnpm) are such, and the links to them are no packages of their own; what Yarn keeps
in archives for Plug'n'Play is not looked into. Which ones development alone needs is npm's to say: in the lock file
that it hides in node_modules, as it installed them, else in the one beside it. Other lock files do not tell.
Source: https://nodejs.org/api/modules.html#loading-from-node_modules-folders and
https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import short
from fleet.image.packages.objects import Object, as_object, as_text, parse_object
from fleet.image.packages.package import Package

_PACKAGE = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@][^/]*/package\.json")
_INSTALLED = "node_modules/"
_HIDDEN_LOCK = "node_modules/.package-lock.json"
_LOCK = "package-lock.json"
_LONGEST_PATH = 4096  # as in the kernel


def read(tree: FileTree) -> Iterator[Package]:
    manifests = [path for path in sorted(tree.texts) if _PACKAGE.fullmatch(path)]
    directories = {path.rpartition("/")[0] for path in manifests}
    files = _files_by_package(tree, directories)
    development = directories.intersection(_of_development(tree))
    for path in manifests:
        directory = path.rpartition("/")[0]
        manifest = parse_object(tree.texts[path])
        name, version = as_text(manifest.get("name")), as_text(manifest.get("version"))
        if name and version:
            yield Package(
                ecosystem="npm",
                name=short(name),
                version=short(version),
                unpacked_bytes=0,
                layer=tree.nodes[path].layer,
                paths=tuple(files[directory]),
                depends=tuple(map(short, as_object(manifest.get("dependencies")))),
                development=directory in development,
            )


def _files_by_package(tree: FileTree, directories: set[str]) -> dict[str, list[str]]:
    """A file belongs to the innermost package around it."""
    files: dict[str, list[str]] = defaultdict(list)
    for path, node in tree.nodes.items():
        start = path.rfind(_INSTALLED)
        if start >= 0 and node.entry.kind != "directory":
            directory = _package_directory(path, start + len(_INSTALLED))
            if directory in directories:
                files[directory].append(path)
    return files


def _package_directory(path: str, start: int) -> str:
    """The part of ``path`` up to the package's name, which stands at ``start`` and may have a scope."""
    end = path.find("/", start)
    if path[start : start + 1] == "@" and end >= 0:
        end = path.find("/", end + 1)
    return path[:end] if end >= 0 else path


def _of_development(tree: FileTree) -> Iterator[str]:
    """The directories of the packages that lock files mark."""
    for path in tree.texts:
        project = _project_of(path, _HIDDEN_LOCK)
        if project is None and (project := _project_of(path, _LOCK)) is not None:
            project = None if f"{project}{_HIDDEN_LOCK}" in tree.texts else project
        if project is not None:
            lock = parse_object(tree.texts[path])
            yield from (f"{project}{directory}" for directory in _marked(lock))


def _project_of(path: str, lock: str) -> str | None:
    """The directory whose lock file stands at ``path``, "" or with a slash at its end; None for another file."""
    project = path.removesuffix(lock)
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
