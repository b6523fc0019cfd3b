"""Python distributions that a new base has its own of, so that copying them would only add or mix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fleet.dockerfile.final_stage import facts_of
from fleet.dockerfile.interpreter import Interpreter
from fleet.dockerfile.request import Request
from fleet.dockerfile.suggestion import BaseImage
from fleet.image.filetree import FileTree
from fleet.image.packages import read_packages
from fleet.image.packages.package import Package

_DIST_INFO = re.compile(r"(?P<name>[^/]+?)-(?P<version>[^/-]+)\.(?:dist|egg)-info")
_INSTALLERS = frozenset({"pip", "setuptools", "wheel"})
# The minor from which the official images come without setuptools and wheel.
_BARE_SINCE = (3, 12)


@dataclass(frozen=True, slots=True)
class Settled:
    """``dropped`` are the original's paths that stay behind, ``cleared`` the base's that must go first because the
    original has another version. Both without leading slashes; directories stand for all below them."""

    dropped: tuple[str, ...]
    cleared: tuple[str, ...]


def settle(request: Request, interpreter: Interpreter, base: BaseImage) -> Settled:
    """Which of each distribution's two versions the final stage keeps."""
    held = _held_by(base, interpreter)
    dropped: list[str] = []
    replaced: set[str] = set()
    for package in request.analysis.packages:
        if package.ecosystem != "pypi" or not _is_global(package, interpreter):
            continue
        name = canonical(package.name)
        from_base = package.layer < request.base_layers
        if name == "pip" or held.get(name) == package.version or (name in _INSTALLERS and from_base and name in held):
            dropped += places(package, interpreter)
        elif name in held:
            replaced.add(name)
    return Settled(tuple(sorted(set(dropped))), tuple(_places_in_base(base, interpreter, replaced)))


def places(package: Package, interpreter: Interpreter) -> Iterator[str]:
    """The paths that make up a distribution: its top names in site-packages, and single files elsewhere."""
    inside = f"{interpreter.site_packages}/"
    for path in package.paths:
        if path.startswith(inside):
            top = path[len(inside) :].partition("/")[0]
            if top != "__pycache__":
                yield inside + top
        else:
            yield path


def canonical(name: str) -> str:
    """The name as PyPI compares it: https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_global(package: Package, interpreter: Interpreter) -> bool:
    return any(path.startswith(f"{interpreter.site_packages}/") for path in package.paths)


def _held_by(base: BaseImage, interpreter: Interpreter) -> dict[str, str]:
    """Names and versions of what the base has installed; versions are empty where only the table knows."""
    if base.tree is not None:
        return dict(_metadata(base.tree, interpreter))
    facts = facts_of(base)
    if facts is None or facts.minor != interpreter.minor:
        return {}
    major, minor = (int(part) for part in interpreter.minor.split("."))
    return {"pip": ""} if (major, minor) >= _BARE_SINCE else dict.fromkeys(_INSTALLERS, "")


def _metadata(tree: FileTree, interpreter: Interpreter) -> Iterator[tuple[str, str]]:
    start = f"{interpreter.site_packages}/"
    for path, _ in tree.under(interpreter.site_packages):
        found = _DIST_INFO.match(path, len(start)) if "-info" in path else None
        if found:
            yield canonical(found["name"]), found["version"]


def _places_in_base(base: BaseImage, interpreter: Interpreter, names: set[str]) -> list[str]:
    if not names:
        return []
    if base.tree is None:
        return []
    packages = (p for p in read_packages(base.tree) if p.ecosystem == "pypi" and canonical(p.name) in names)
    return sorted({place for package in packages for place in places(package, interpreter)})
