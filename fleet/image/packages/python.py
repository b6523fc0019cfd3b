"""Python distributions: \\*.dist-info with its RECORD, \\*.egg-info, or an unpacked \\*.egg with its EGG-INFO.

An editable installation leaves a \\*.dist-info that points to the sources, and beside these the \\*.egg-info that its
build wrote: both are the one distribution, whose modules lie with the sources. Zipped eggs are not looked into.
Spec: https://packaging.python.org/en/latest/specifications/recording-installed-packages/ and
https://packaging.python.org/en/latest/specifications/direct-url/
"""

from __future__ import annotations

import csv
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import Locator, files_by_directory, read_lines, short
from fleet.image.packages.objects import as_object, as_text, parse_object
from fleet.image.packages.package import Package
from fleet.image.packages.python_locks import canonical, for_development

_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_METADATA = ("METADATA", "PKG-INFO")
_EGG_INFO = ".egg/EGG-INFO"
# A name such as ".." would claim the whole installation.
_MODULE = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)*")
# How the interpreter describes itself where Debian packages it.
_INTERPRETER = "Python"


@dataclass(frozen=True, slots=True)
class _Distribution:
    """``info`` is the directory of its metadata, or for the oldest the one file that it is."""

    metadata: str
    info: str
    fields: tuple[tuple[str, str], ...]

    def first(self, key: str) -> str:
        return next((value for name, value in self.fields if name == key), "")

    @property
    def canonical(self) -> str:
        return canonical(self.first("Name"))


def read(tree: FileTree) -> Iterator[Package]:
    found = list(_distributions(tree))
    sources = _Sources(tree, found)
    installed = [distribution for distribution in found if distribution.info not in sources.merged]
    roots = _roots(tree, installed, sources)
    files = files_by_directory(tree, {root for own in roots.values() for root in own})
    locator, bytecode, development = Locator(tree), _Bytecode(tree), for_development(tree)
    for distribution in installed:
        listed = [distribution.metadata, *_recorded(tree, distribution.info)]
        for root in roots[distribution.info]:
            listed += (f"{root}.py", *files.get(root, ()))
        present = locator.present(listed)
        yield Package(
            ecosystem="pypi",
            name=short(distribution.first("Name")),
            version=short(distribution.first("Version")),
            unpacked_bytes=0,
            layer=tree.nodes[distribution.metadata].layer,
            paths=tuple(dict.fromkeys((*present, *bytecode.of(present)))),
            depends=tuple(dict.fromkeys(_requirements(distribution.fields))),
            development=distribution.canonical in development,
        )


def _distributions(tree: FileTree) -> Iterator[_Distribution]:
    for path in sorted(tree.texts):
        directory, _, name = path.rpartition("/")
        is_metadata = name in _METADATA and directory.endswith((".dist-info", ".egg-info", _EGG_INFO))
        if is_metadata or name.endswith(".egg-info"):
            fields = tuple(_fields(read_lines(tree, path)))
            distribution = _Distribution(path, directory if is_metadata else path, fields)
            if short(distribution.first("Name")) and distribution.first("Name") != _INTERPRETER:
                yield distribution


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
    """What the installer noted: in RECORD below the installation, in installed-files.txt below the metadata."""
    site = posixpath.dirname(info)
    try:
        for row in csv.reader(read_lines(tree, f"{info}/RECORD")):
            if row:
                yield posixpath.normpath(posixpath.join("/", site, row[0]))
    except csv.Error:
        return
    for line in read_lines(tree, f"{info}/installed-files.txt"):
        if line:
            yield posixpath.normpath(posixpath.join("/", info, line))


def _roots(tree: FileTree, installed: Iterable[_Distribution], sources: _Sources) -> Mapping[str, tuple[str, ...]]:
    """The directories that are a distribution's as a whole, by its ``info``. Of several that ask for one the first has
    it."""
    claimed: set[str] = set()
    roots = {}
    for distribution in installed:
        own = [root for root in _asked(tree, distribution, sources) if root not in claimed]
        claimed.update(own)
        roots[distribution.info] = tuple(dict.fromkeys(own))
    return roots


def _asked(tree: FileTree, distribution: _Distribution, sources: _Sources) -> Iterator[str]:
    info = distribution.info
    if info.endswith(_EGG_INFO):
        yield posixpath.dirname(info)
        return
    for egg_info in sources.of(distribution):
        yield from (egg_info, *_modules(tree, distribution, egg_info))
    if not any(f"{info}/{name}" in tree.texts for name in ("RECORD", "installed-files.txt")):
        yield from (info, *_modules(tree, distribution, info))


def _modules(tree: FileTree, distribution: _Distribution, info: str) -> Iterator[str]:
    """The modules that top_level.txt names, else one of the distribution's own name."""
    name = distribution.first("Name")
    named = [line.strip() for line in read_lines(tree, f"{info}/top_level.txt") if line.strip()]
    for module in named or (name, name.lower().replace("-", "_")):
        if _MODULE.fullmatch(module):
            yield posixpath.join(posixpath.dirname(info), module)


class _Sources:
    """Where the sources of editable installations lie. ``merged`` are the \\*.egg-info beside them, which are no
    distributions of their own."""

    def __init__(self, tree: FileTree, found: Iterable[_Distribution]) -> None:
        self._beside: dict[str, tuple[str, ...]] = {}
        builds: dict[str, list[str]] = defaultdict(list)
        for distribution in found:
            if distribution.info.endswith(".egg-info"):
                builds[distribution.canonical].append(distribution.info)
        for distribution in found:
            project = _project(tree, distribution.info)
            if project is not None:
                infos = builds.pop(distribution.canonical, ())
                self._beside[distribution.info] = tuple(info for info in infos if f"/{info}".startswith(project))
        self.merged = frozenset(info for infos in self._beside.values() for info in infos)

    def of(self, distribution: _Distribution) -> tuple[str, ...]:
        return self._beside.get(distribution.info, ())


def _project(tree: FileTree, info: str) -> str | None:
    """The directory that an editable installation was made from, with slashes at both ends."""
    origin = parse_object(tree.texts.get(f"{info}/direct_url.json", b""))
    if as_object(origin.get("dir_info")).get("editable") is not True:
        return None
    try:
        url = urlsplit(as_text(origin.get("url")))
    except ValueError:
        return None
    return f"/{unquote(url.path).strip('/')}/" if url.scheme == "file" else None


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
