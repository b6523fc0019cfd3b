"""NuGet packages of .NET programs and shared frameworks: NAME.deps.json beside the assemblies.

A file is listed under its path in the package (lib/net8.0/A.dll), while publishing puts it beside the program, below
the name of its language, or, if it is for one of several platforms, under the path it had.
Spec: https://github.com/dotnet/cli/blob/rel/1.0.0/Documentation/specs/runtime-configuration-file.md
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import Locator, below, short
from fleet.image.packages.objects import Object, as_object, as_text, parse_object
from fleet.image.packages.package import Package

_SUFFIX = ".deps.json"
_TYPES = ("package", "runtimepack")
_ASSETS = ("runtime", "native", "resources", "runtimeTargets")
_CLAIMS = (*_ASSETS, "compile")
_IN_PACKAGE = re.compile(r"(?:runtimes/[^/]+/)?lib/[^/]+/")


def read(tree: FileTree) -> Iterator[Package]:
    locator = Locator(tree)
    for path in sorted(tree.texts):
        if path.endswith(_SUFFIX):
            yield from _packages(tree, locator, path)


def _packages(tree: FileTree, locator: Locator, path: str) -> Iterator[Package]:
    document = parse_object(tree.texts[path])
    libraries = as_object(document.get("libraries"))
    targets = _targets(document)
    for library in _with_files(targets):
        name, _, version = library.partition("/")
        if name and version and as_object(libraries.get(library)).get("type") in _TYPES:
            yield Package(
                ecosystem="nuget",
                name=short(name),
                version=short(version),
                unpacked_bytes=0,
                layer=tree.nodes[path].layer,
                paths=locator.present(_places(posixpath.dirname(path), targets[library])),
                depends=tuple(map(short, as_object(targets[library].get("dependencies")))),
            )


def _targets(document: Object) -> Mapping[str, Object]:
    """What each library brings, by NAME/VERSION, for the target that runs here."""
    targets = as_object(document.get("targets"))
    runtime = as_object(document.get("runtimeTarget")).get("name") or document.get("runtimeTarget")
    chosen = as_object(targets.get(as_text(runtime))) or as_object(next(iter(targets.values()), None))
    return {library: as_object(target) for library, target in chosen.items()}


def _with_files(targets: Mapping[str, Object]) -> Iterable[str]:
    """Libraries that say they bring files, and those that are there to require such ones. The others are names that
    were needed to build: nothing of them is left."""
    needed_by: dict[str, list[str]] = defaultdict(list)
    for library, target in targets.items():
        for name, version in as_object(target.get("dependencies")).items():
            needed_by[f"{name}/{as_text(version)}"].append(library)
    waiting = [library for library, target in targets.items() if any(as_object(target.get(key)) for key in _CLAIMS)]
    found = set(waiting)
    while waiting:
        fresh = [library for library in needed_by.pop(waiting.pop(), ()) if library not in found]
        found.update(fresh)
        waiting += fresh
    return sorted(found)


def _places(directory: str, target: Object) -> Iterator[str]:
    """Where the files of a library may have been put."""
    for key in _ASSETS:
        for asset, facts in as_object(target.get(key)).items():
            name = posixpath.basename(asset)
            places = (asset, _IN_PACKAGE.sub("", asset, count=1), name)
            language = as_text(as_object(facts).get("locale"))
            for place in (f"{language}/{name}",) if language else places:
                yield below(directory, place)
