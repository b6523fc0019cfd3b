"""Interpreters of the system that nothing in the image runs: Debian's Perl in an image for Node, its Python beside the
one in /usr/local.

An interpreter is a family of packages (``python3``, ``python3.11-minimal``, ``libpython3.11-stdlib``). It counts as
unused only where all of this holds: the command names a program, and another one, since nobody sees what a start script
calls; no script outside the family names it in its first line; no package outside requires it; no program outside loads
its library; and nobody asked for it by name, but for a Python beside a compiler, as node-gyp wants it. What is
essential never counts (Debian's perl-base), nor do packages of languages, as pip installs them.

With the family goes nothing else: modules such as python3-yaml require it, and keep it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fleet.analysis.command import SHELLS, find_program
from fleet.analysis.rules.rule import Claim, Rule, Survey
from fleet.image.packages.graph import Graph
from fleet.image.packages.package import Package

_SYSTEMS = frozenset({"deb", "apk", "rpm"})
_COMPILERS = frozenset({"make", "gcc", "g++", "build-essential", "build-base", "gcc-c++"})
_WRAPPERS = SHELLS | {"busybox", "env", "tini", "tini-static", "dumb-init", "catatonit", "gosu", "su-exec", "setpriv"}


@dataclass(frozen=True, slots=True)
class _Family:
    """What its packages and its programs are called, and whether compiling wants it, as node-gyp wants Python."""

    packages: re.Pattern[str]
    programs: re.Pattern[str]
    builds: bool = False


_FAMILIES = tuple(
    _Family(re.compile(packages), re.compile(programs), builds)
    for packages, programs, builds in (
        (
            r"python3?(?:[.\d]+)?(?:-minimal|-libs|-pyc)?|(?:lib)?python3?[.\d]*-(?:stdlib|minimal|distutils|lib2to3)"
            r"|libpython3?[.\d]*|pyc",
            r"python[.\d]*",
            True,
        ),
        (r"perl(?:-modules-[.\d]+|-libs)?|libperl[.\d]+", r"perl[.\d]*", False),
        (r"ruby[.\d]*|libruby[.\d]*|rubygems-integration", r"ruby[.\d]*", False),
        (r"tcl[.\d]*|libtcl[.\d]*|tk[.\d]*|libtk[.\d]*", r"(?:tclsh|wish|expect)[.\d]*", False),
        (r"nodejs(?:-current)?|libnode\d+", r"node(?:js)?", False),
        (r"php[.\d]*(?:-(?:cli|common))?", r"php[.\d]*", False),
        (r"lua5\.\d|liblua5\.\d-0", r"lua(?:jit)?[.\d]*", False),
    )
)


def _claims(survey: Survey) -> Iterator[Claim]:
    systems = [package for package in survey.packages if package.ecosystem in _SYSTEMS]
    if not systems or not _names_program(survey):
        return
    graph = Graph(systems)
    calls = _calls(survey, systems)
    compiles = any(package.name in _COMPILERS for package in systems)
    for family in _FAMILIES:
        members = [package for package in systems if family.packages.fullmatch(package.name) and not package.essential]
        asked_for = any(package.automatic is False for package in members) and not (compiles and family.builds)
        if asked_for or _is_required(graph, members):
            continue
        paths = {path for package in members for path in package.paths}
        if not calls.reach(family, paths) and not _is_loaded(survey, paths):
            shared = {path for package in systems if package not in members for path in package.paths}
            for path in sorted(paths - shared):
                node = survey.tree.nodes.get(path)
                if node is not None:
                    yield Claim(node.entry, node.layer)


def _names_program(survey: Survey) -> bool:
    """Whether the command says what runs in the end, and not only a shell or a script."""
    return any(path in survey.tree.elf and path.rpartition("/")[2] not in _WRAPPERS for path in survey.in_use)


@dataclass(frozen=True, slots=True)
class _Calls:
    """Programs that something starts, as real paths. ``by_packages`` holds those of scripts that packages brought, by
    script: what these need the packages require. ``by_others`` those of the command and all other scripts."""

    by_packages: Mapping[str, str]
    by_others: frozenset[str]
    owned: frozenset[str]

    def reach(self, family: _Family, paths: set[str]) -> bool:
        """Whether something outside the ``paths`` of a family starts it. Debian keeps /usr/bin/perl in an essential
        package: a script of ours that runs it may want the rest of the family too."""
        if any(script not in paths and program in paths for script, program in self.by_packages.items()):
            return True
        return any(
            program in paths or (program in self.owned and family.programs.fullmatch(program.rpartition("/")[2]))
            for program in self.by_others
        )


def _calls(survey: Survey, systems: list[Package]) -> _Calls:
    owned = frozenset(path for package in systems for path in package.paths)
    words = {path: _interpreter(line) for path, line in survey.tree.shebangs.items()}
    real = {word: find_program(survey.tree, survey.config, word) for word in set(words.values())}
    started = {path: program for path, word in words.items() if (program := real[word])}
    return _Calls(
        {path: program for path, program in started.items() if path in owned},
        survey.in_use.union(program for path, program in started.items() if path not in owned),
        owned,
    )


def _is_required(graph: Graph, members: list[Package]) -> bool:
    keys = {id(package) for package in members}
    return any(id(other) not in keys for package in members for other in graph.needing(package))


def _is_loaded(survey: Survey, paths: set[str]) -> bool:
    """Whether a program elsewhere is linked against the interpreter's library."""
    sonames = {facts.soname for path in paths if (facts := survey.tree.elf.get(path)) and facts.soname}
    return bool(sonames) and any(
        not sonames.isdisjoint(facts.needed) for path, facts in survey.tree.elf.items() if path not in paths
    )


def _interpreter(line: str) -> str:
    """``#!/usr/bin/env -S python3 -u`` → ``python3``."""
    words = line.removeprefix("#!").split()[:4]
    if words and words[0].rpartition("/")[2] == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return words[0] if words else ""


UNUSED_INTERPRETERS = Rule(
    "unused-interpreters",
    "Interpreters that nothing runs",
    "Remove the packages in the step that brought them, or start from a base without them: nothing in the image "
    "names this interpreter.",
    _claims,
)
