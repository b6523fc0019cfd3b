"""Node packages: every package.json directly in a directory of some node_modules.

Source: https://nodejs.org/api/modules.html#loading-from-node_modules-folders
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import short
from fleet.image.packages.package import Package

_PACKAGE = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@][^/]*/package\.json")
_INSTALLED = "node_modules/"


def read(tree: FileTree) -> Iterator[Package]:
    manifests = [path for path in sorted(tree.texts) if _PACKAGE.fullmatch(path)]
    files = _files_by_package(tree, {path.rpartition("/")[0] for path in manifests})
    for path in manifests:
        directory = path.rpartition("/")[0]
        package = _package(tree.texts[path], tree.nodes[path].layer, tuple(files[directory]))
        if package:
            yield package


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


def _package(content: bytes, layer: int, paths: tuple[str, ...]) -> Package | None:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict):
        return None
    name, version, depends = (manifest.get(key) for key in ("name", "version", "dependencies"))
    if not isinstance(name, str) or not isinstance(version, str) or not name:
        return None
    names = tuple(short(key) for key in depends) if isinstance(depends, dict) else ()
    return Package("npm", short(name), short(version), 0, layer, paths, names)
