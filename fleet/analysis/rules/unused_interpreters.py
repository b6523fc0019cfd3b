"""Interpreters of the system that nothing in the image runs: Debian's Perl in an image for Node, its Python beside the
one in /usr/local.

An interpreter is a family of packages (``python3``, ``python3.11-minimal``, ``libpython3.11-stdlib``). It counts as
unused only where all of this holds: neither the command nor the first line of a script outside the family leads to it;
no package outside the family requires it; and no program outside loads its library. What is
essential never counts (Debian's perl-base), nor do packages of languages, as pip installs them.

With the family goes nothing else: modules such as python3-yaml require it, and keep it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.command import find_program
from fleet.analysis.rules.rule import Claim, Rule, Survey
from fleet.image.packages.graph import Graph
from fleet.image.packages.package import Package

_SYSTEMS = frozenset({"deb", "apk", "rpm"})
_FAMILIES = tuple(
    re.compile(names)
    for names in (
        r"python3?(?:[.\d]+)?(?:-minimal|-libs|-pyc)?|(?:lib)?python3?[.\d]*-(?:stdlib|minimal|distutils|lib2to3)"
        r"|libpython3?[.\d]*|pyc",
        r"perl(?:-modules-[.\d]+|-libs)?|libperl[.\d]+",
        r"ruby[.\d]*|libruby[.\d]*|rubygems-integration",
        r"tcl[.\d]*|libtcl[.\d]*|tk[.\d]*|libtk[.\d]*",
        r"nodejs(?:-current)?|libnode\d+",
        r"php[.\d]*(?:-(?:cli|common))?",
        r"lua5\.\d|liblua5\.\d-0",
    )
)


def _claims(survey: Survey) -> Iterator[Claim]:
    systems = [package for package in survey.packages if package.ecosystem in _SYSTEMS]
    graph = Graph(systems)
    for names in _FAMILIES:
        family = [package for package in systems if names.fullmatch(package.name) and not package.essential]
        if family and not _is_used(survey, graph, family):
            shared = {path for package in systems if package not in family for path in package.paths}
            for path in sorted({path for package in family for path in package.paths} - shared):
                node = survey.tree.nodes.get(path)
                if node is not None:
                    yield Claim(node.entry, node.layer)


def _is_used(survey: Survey, graph: Graph, family: list[Package]) -> bool:
    owned = {path for package in family for path in package.paths}
    members = {id(package) for package in family}
    if any(id(other) not in members for package in family for other in graph.needing(package)):
        return True
    lines = {line for path, line in survey.tree.shebangs.items() if path not in owned}
    programs = (find_program(survey.tree, survey.config, word) for word in {_interpreter(line) for line in lines})
    if not owned.isdisjoint({*survey.in_use, *filter(None, programs)}):
        return True
    sonames = {facts.soname for path in owned if (facts := survey.tree.elf.get(path)) and facts.soname}
    return bool(sonames) and any(
        not sonames.isdisjoint(facts.needed) for path, facts in survey.tree.elf.items() if path not in owned
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
