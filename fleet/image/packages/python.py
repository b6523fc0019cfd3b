"""Python distributions: \\*.dist-info with its RECORD, or \\*.egg-info.

Spec: https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

from __future__ import annotations

import csv
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import Locator, read_lines, short
from fleet.image.packages.package import Package

_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_METADATA = ("METADATA", "PKG-INFO")


def read(tree: FileTree) -> Iterator[Package]:
    locator = Locator(tree)
    bytecode = _Bytecode(tree)
    claimed: set[str] = set()
    for path in sorted(tree.texts):
        directory, _, name = path.rpartition("/")
        if name in _METADATA and directory.endswith((".dist-info", ".egg-info")):
            package = _package(tree, locator, bytecode, path, directory, claimed)
        elif name.endswith(".egg-info"):
            package = _package(tree, locator, bytecode, path, path, claimed)
        else:
            continue
        if package.name:
            yield package


def _package(
    tree: FileTree, locator: Locator, bytecode: _Bytecode, metadata: str, info: str, claimed: set[str]
) -> Package:
    fields = list(_fields(read_lines(tree, metadata)))
    named = dict(reversed(fields))
    if f"{info}/RECORD" in tree.texts:
        listed = list(_recorded(tree, info))
    else:
        listed = list(_guessed(tree, info, named.get("Name", ""), claimed))
    present = locator.present([*listed, metadata])
    return Package(
        ecosystem="pypi",
        name=short(named.get("Name", "")),
        version=short(named.get("Version", "")),
        unpacked_bytes=0,
        layer=tree.nodes[metadata].layer,
        paths=tuple(dict.fromkeys((*present, *bytecode.of(present)))),
        depends=tuple(dict.fromkeys(_requirements(fields))),
    )


def _fields(lines: list[str]) -> Iterator[tuple[str, str]]:
    """The header of a METADATA file; the description follows a blank line."""
    for line in lines:
        if not line.strip():
            return
        key, colon, value = line.partition(":")
        if colon and line[0] not in " \t":
            yield key, value.strip()


def _requirements(fields: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Names of what is always required; extras are not."""
    for key, value in fields:
        match = _REQUIREMENT.match(value)
        if key == "Requires-Dist" and match and "extra" not in value.partition(";")[2]:
            yield match[0]


def _recorded(tree: FileTree, info: str) -> Iterator[str]:
    site = posixpath.dirname(info)
    try:
        for row in csv.reader(read_lines(tree, f"{info}/RECORD")):
            if row:
                yield posixpath.normpath(posixpath.join("/", site, row[0]))
    except csv.Error:
        return


def _guessed(tree: FileTree, info: str, name: str, claimed: set[str]) -> Iterator[str]:
    """Without a RECORD: the modules that top_level.txt names, else one of the distribution's own name. What is in
    ``claimed`` is another's already, and is not walked again."""
    site = posixpath.dirname(info)
    top_level = [line.strip() for line in read_lines(tree, f"{info}/top_level.txt") if line.strip()]
    for module in top_level or [name, name.lower().replace("-", "_")]:
        # A name such as ".." would claim the whole installation.
        if not re.fullmatch(r"\w[\w.-]*(?:/\w[\w.-]*)*", module):
            continue
        root = posixpath.join(site, module)
        if root not in claimed:
            claimed.add(root)
            yield f"{root}.py"
            yield from (path for path, _ in tree.under(root))
    yield from (path for path, _ in tree.under(info))


class _Bytecode:
    """Compiled modules belong to their source, whether or not they were there when the RECORD was written."""

    def __init__(self, tree: FileTree) -> None:
        self._compiled: dict[str, list[str]] = defaultdict(list)
        for path in tree.nodes:
            if path.endswith(".pyc") and "__pycache__/" in path:
                directory, _, name = path.rpartition("__pycache__/")
                self._compiled[f"{directory}{name.partition('.')[0]}.py"].append(path)

    def of(self, sources: Iterable[str]) -> Iterator[str]:
        for source in sources:
            yield from self._compiled.get(source, ())
