"""Packages moved from the system's Python into a virtual environment, on paper: which paths land where.

Spec: https://docs.python.org/3/library/venv.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fleet.dockerfile.build_stage import VENV
from fleet.dockerfile.distributions import Settled, canonical, places
from fleet.dockerfile.estimate import VENV_SETUPTOOLS, VENV_SKELETON
from fleet.dockerfile.interpreter import Interpreter
from fleet.dockerfile.keeping import Kept, below, everything_below, minimal_roots
from fleet.dockerfile.request import Request
from fleet.dockerfile.selection import Selection
from fleet.image.entries import Entry
from fleet.image.filetree import Node
from fleet.image.sizes import Sizes

_ROOT = VENV.lstrip("/")
# The minor since which `python -m venv` brings no setuptools.
_BARE_SINCE = (3, 12)


@dataclass(frozen=True, slots=True)
class Venv:
    """``moved`` are paths of the original that land in the environment."""

    interpreter: Interpreter
    moved: frozenset[str]
    has_setuptools: bool

    def place(self, path: str) -> str:
        """Where a path of the original lies afterwards."""
        return _ROOT + path[len(self.interpreter.prefix) :] if path in self.moved else path

    def nodes(self) -> Mapping[str, Node]:
        """What making the environment adds: its marker and links to the interpreter."""
        program = f"/{self.interpreter.program}"
        names = ("python", "python3", f"python{self.interpreter.minor}")
        links = {f"{_ROOT}/bin/{name}": program for name in names}
        found = {path: Node(Entry(path, "symlink", 0, 0, 0o777, link=target), 0) for path, target in links.items()}
        marker = f"{_ROOT}/pyvenv.cfg"
        return found | {marker: Node(Entry(marker, "file", 0, 0, 0o644), 0)}

    @property
    def extra(self) -> Sizes:
        """What the environment weighs beside the packages that are moved."""
        major, minor = (int(part) for part in self.interpreter.minor.split("."))
        brings_setuptools = (major, minor) < _BARE_SINCE and not self.has_setuptools
        return VENV_SKELETON + VENV_SETUPTOOLS if brings_setuptools else VENV_SKELETON


def move_to_venv(request: Request, interpreter: Interpreter, selection: Selection) -> tuple[Selection, Venv]:
    """The selection without what moves, and what moves: distributions that our layers brought, with their programs."""
    tree, kept = request.tree, selection.kept
    inside = {path for path, _ in tree.under(interpreter.site_packages)}
    packages = [
        package
        for package in request.analysis.packages
        if package.ecosystem == "pypi" and any(path in inside for path in package.paths)
    ]
    ours = [package for package in packages if package.layer >= request.base_layers]
    elsewhere = {path for package in packages for path in package.paths if path.startswith(f"{interpreter.prefix}/")}
    theirs = {place for package in packages if package not in ours for place in places(package, interpreter)}
    theirs -= {place for package in ours for place in places(package, interpreter)}
    moved = (kept.paths & (inside | elsewhere)) - everything_below(tree, theirs)

    paths = kept.paths - inside - elsewhere
    roots = minimal_roots(tree, paths, everything_below(tree, kept.waste))
    copied = everything_below(tree, roots)
    waste = tuple(path for path in kept.waste if path in copied)
    everything = (
        below(tree, roots, waste)
        | moved
        | {*selection.libraries, *selection.linked}
        | below(tree, selection.system, ())
    )
    reduced = replace(selection, settled=Settled((), ()), kept=Kept(paths, roots, waste), copied=frozenset(everything))
    has_setuptools = any(canonical(package.name) == "setuptools" for package in ours)
    return reduced, Venv(interpreter, frozenset(moved), has_setuptools)
