"""Node packages: every package.json directly in a directory of some node_modules.

Those of pnpm's store (node_modules/.pnpm) are such, and the links to them are no packages of their own; what Yarn keeps
in archives for Plug'n'Play is not looked into.
Source: https://nodejs.org/api/modules.html#loading-from-node_modules-folders
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import short
from fleet.image.packages.node_development import for_development
from fleet.image.packages.objects import as_object, as_text, parse_object
from fleet.image.packages.package import Package

_PACKAGE = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@][^/]*/package\.json")
_INSTALLED = "node_modules/"


def read(tree: FileTree) -> Iterator[Package]:
    manifests = [path for path in sorted(tree.texts) if _PACKAGE.fullmatch(path)]
    directories = {path.rpartition("/")[0] for path in manifests}
    files = _files_by_package(tree, directories)
    development = for_development(tree, directories)
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
