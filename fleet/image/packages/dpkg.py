"""Debian packages: /var/lib/dpkg/status with info/*.list, or status.d/* as distroless images have it.

Source: dpkg(1), deb-control(5) and apt-mark(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import Locator, first_names, read_lines, short, stanzas
from fleet.image.packages.package import Package

_STATUS = "var/lib/dpkg/status"
_STATUS_D = "var/lib/dpkg/status.d/"
_INFO = "var/lib/dpkg/info"
_EXTENDED_STATES = "var/lib/apt/extended_states"
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{0,200}")
# Whose files are there. A package that could not be configured is no less heavy.
_PRESENT = ("installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending")
_NO_ARCHITECTURE = ("", "all")

Fields = dict[str, str]


def read(tree: FileTree) -> Iterator[Package]:
    locator = Locator(tree)
    automatic = _Automatic(tree)
    for fields in stanzas(read_lines(tree, _STATUS)):
        name = fields.get("Package", "")
        if fields.get("Status", "").rpartition(" ")[2] in _PRESENT and _NAME.fullmatch(name):
            source, listed = _list_of(tree, name, fields.get("Architecture", ""))
            yield _package(tree, locator.present(listed), fields, source, automatic.of(fields))
    for path in sorted(tree.texts):
        if path.startswith(_STATUS_D) and not path.endswith(".md5sums"):
            for fields in stanzas(read_lines(tree, path)):
                if _NAME.fullmatch(fields.get("Package", "")):
                    yield _package(tree, locator.present(_summed(tree, path)), fields, path, None)


def _package(tree: FileTree, paths: tuple[str, ...], fields: Fields, source: str, automatic: bool | None) -> Package:
    requires = tuple(_requirements(",".join(fields[key] for key in ("Pre-Depends", "Depends") if key in fields)))
    return Package(
        ecosystem="deb",
        name=fields["Package"],
        version=short(fields.get("Version", "")),
        unpacked_bytes=0,
        layer=tree.nodes[source].layer,
        paths=paths,
        depends=first_names(requires),
        requires=requires,
        provides=tuple(dict.fromkeys(_names(fields.get("Provides", ""), ","))),
        automatic=automatic,
        essential=_is_essential(fields),
    )


def _requirements(depends: str) -> Iterator[tuple[str, ...]]:
    """``libc6 (>= 2.36) | libc6.1, dpkg`` → ``("libc6", "libc6.1")``, ``("dpkg",)``."""
    for dependency in depends.split(","):
        names = tuple(dict.fromkeys(_names(dependency, "|")))
        if names:
            yield names


def _names(relations: str, separator: str) -> Iterator[str]:
    """The names in a list of relations, without versions and architectures."""
    for relation in relations.split(separator):
        match = _NAME.match(relation.strip())
        if match:
            yield match[0]


def _is_essential(fields: Fields) -> bool:
    """Important is what apt called Protected before dpkg knew it."""
    flagged = any(fields.get(key) == "yes" for key in ("Essential", "Protected", "Important"))
    return flagged or fields.get("Priority") == "required"


class _Automatic:
    """What apt notes of packages that it installed for the sake of others."""

    def __init__(self, tree: FileTree) -> None:
        self._is_known = _EXTENDED_STATES in tree.texts
        self._marked: set[tuple[str, str]] = set()
        for fields in stanzas(read_lines(tree, _EXTENDED_STATES)):
            if fields.get("Auto-Installed") == "1":
                name = fields.get("Package", "")
                # Packages for all architectures are noted under the machine's.
                self._marked.update(((name, fields.get("Architecture", "")), (name, "all")))

    def of(self, fields: Fields) -> bool | None:
        """None where apt left no notes: nobody can tell then."""
        if not self._is_known:
            return None
        architecture = fields.get("Architecture", "")
        return (fields["Package"], "all" if architecture in _NO_ARCHITECTURE else architecture) in self._marked


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
