"""Debian packages: /var/lib/dpkg/status with info/*.list, or status.d/* as distroless images have it.

Source: dpkg(1) and deb-control(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import Locator, read_lines, short, stanzas
from fleet.image.packages.package import Package

_STATUS = "var/lib/dpkg/status"
_STATUS_D = "var/lib/dpkg/status.d/"
_INFO = "var/lib/dpkg/info"
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{0,200}")


def read(tree: FileTree) -> Iterator[Package]:
    locator = Locator(tree)
    for fields in stanzas(read_lines(tree, _STATUS)):
        name = fields.get("Package", "")
        if fields.get("Status", "").endswith(" installed") and _NAME.fullmatch(name):
            yield _package(tree, locator, fields, *_list_of(tree, name, fields.get("Architecture", "")))
    for path in sorted(tree.texts):
        if path.startswith(_STATUS_D) and not path.endswith(".md5sums"):
            for fields in stanzas(read_lines(tree, path)):
                if _NAME.fullmatch(fields.get("Package", "")):
                    yield _package(tree, locator, fields, path, _summed(tree, path))


def _package(tree: FileTree, locator: Locator, fields: dict[str, str], source: str, listed: list[str]) -> Package:
    depends = ",".join(fields[key] for key in ("Pre-Depends", "Depends") if key in fields)
    return Package(
        ecosystem="deb",
        name=fields["Package"],
        version=short(fields.get("Version", "")),
        unpacked_bytes=0,
        layer=tree.nodes[source].layer,
        paths=locator.present(listed),
        depends=tuple(filter(None, (_first_name(alternatives) for alternatives in depends.split(",")))),
    )


def _list_of(tree: FileTree, name: str, architecture: str) -> tuple[str, list[str]]:
    """The package's list of files and its lines. Unlike the status file, the list stays in the layer that installed
    the package."""
    for path in (f"{_INFO}/{name}.list", f"{_INFO}/{name}:{architecture}.list"):
        if path in tree.texts:
            return path, _without_parents(read_lines(tree, path))
    return _STATUS, []


def _without_parents(listed: list[str]) -> list[str]:
    """Lists name every directory; where one is a symlink now (/lib), it is no file of the package."""
    parents = {path.rpartition("/")[0] for path in listed}
    return [path for path in listed if path not in parents]


def _summed(tree: FileTree, path: str) -> list[str]:
    """The files of a distroless package: lines of a checksum, two spaces and a path."""
    return [line.partition("  ")[2] for line in read_lines(tree, f"{path}.md5sums")]


def _first_name(alternatives: str) -> str:
    """``libc6 (>= 2.36) | libc6.1`` → ``libc6``: what apt installs unless told otherwise."""
    match = _NAME.match(alternatives.strip())
    return match[0] if match else ""
