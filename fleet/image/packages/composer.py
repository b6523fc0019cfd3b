"""Composer packages of PHP: vendor/composer/installed.json, a list as version 1 wrote it or an object around one.

Source: https://getcomposer.org/doc/07-runtime.md and composer's InstalledRepository
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import files_by_directory, short
from fleet.image.packages.objects import Object, as_object, as_text, as_texts, objects_in, parse
from fleet.image.packages.package import Package

_INSTALLED = "composer/installed.json"


def read(tree: FileTree) -> Iterator[Package]:
    found = [
        (path, entry, _directory(tree, path, entry), development)
        for path in sorted(tree.texts)
        if path == _INSTALLED or path.endswith(f"/{_INSTALLED}")
        for entry, development in _entries(tree.texts[path])
    ]
    files = files_by_directory(tree, {directory for _, _, directory, _ in found if directory})
    for path, entry, directory, development in found:
        yield Package(
            ecosystem="composer",
            name=short(as_text(entry.get("name"))),
            version=short(as_text(entry.get("version"))),
            unpacked_bytes=0,
            layer=tree.nodes[path].layer,
            paths=tuple(files.get(directory, ())),
            depends=tuple(_packages_in(entry)),
            development=development,
        )


def _entries(content: bytes) -> Iterator[tuple[Object, bool]]:
    """The packages with a name and version, and whether each is there for development alone."""
    document = parse(content)
    fields = as_object(document)
    development = frozenset(as_texts(fields.get("dev-package-names")))
    for entry in objects_in(fields.get("packages") if fields else document):
        if as_text(entry.get("name")) and as_text(entry.get("version")):
            yield entry, as_text(entry.get("name")) in development


def _directory(tree: FileTree, installed: str, entry: Object) -> str:
    """The package's directory, "" for one that has none. Version 1 named none: its packages lie below vendor/."""
    place = as_text(entry.get("install-path")) if "install-path" in entry else f"../{as_text(entry.get('name'))}"
    directory = posixpath.normpath(posixpath.join("/", posixpath.dirname(installed), place)).strip("/")
    # What holds the list itself is the project and not a package.
    if not place or installed.startswith(f"{directory}/"):
        return ""
    return tree.resolve(directory) or ""


def _packages_in(entry: Object) -> Iterator[str]:
    """Names without a vendor are PHP itself, its extensions and libraries of the system."""
    return (short(name) for name in as_object(entry.get("require")) if "/" in name)
