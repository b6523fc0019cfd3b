"""Packages that only developers use: linters, type checkers, test runners.

Where a lock file or the language's database says so (npm's ``dev``, composer's ``dev-package-names``) that holds,
unless the command runs one of them, itself or through a script of package.json: then all of that language stay, since
they need one another. Of Python a few well-known tools are told by name besides, in images that hold more than tools:
they go unless another package requires them or the command runs them. What only they require goes along where the
installer noted who asked for what (REQUESTED), and no package that stays names it, not even as an extra.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from fleet.analysis.command import command_words
from fleet.analysis.package_scripts import script_words
from fleet.analysis.rules.rule import Claim, Rule, Survey
from fleet.image.packages.package import Package
from fleet.image.packages.python_locks import canonical

_TOOLS = re.compile(
    r"autopep8|bandit|black|coverage|flake8(?:-.*)?|hypothesis|ipdb|ipython|isort|mypy|nose2?|nox|pdbpp|pre-commit"
    r"|pycodestyle|pyflakes|pylint(?:-.*)?|pyright|pytest(?:-.*)?|ruff|tox|yapf|types-.*|.*-stubs"
)
_INSTALLERS = frozenset({"pip", "setuptools", "wheel", "uv", "poetry", "pipenv", "virtualenv", "distribute"})
_REQUIREMENT = re.compile(rb"^Requires-Dist:\s{0,10}([A-Za-z0-9._-]{1,200})", re.MULTILINE)
_SEPARATOR = re.compile(r"[=\s]+")


def _claims(survey: Survey) -> Iterator[Claim]:
    named = _named(survey)
    unneeded = [*_marked(survey, named), *_python_tools(survey, named)]
    keys = {id(package) for package in unneeded}
    shared = {path for package in survey.packages if id(package) not in keys for path in package.paths}
    for path in (path for package in unneeded for path in package.paths if path not in shared):
        node = survey.tree.nodes.get(path)
        if node is not None:
            yield Claim(node.entry, node.layer)


def _named(survey: Survey) -> frozenset[str] | None:
    """Whatever the command and its scripts name, None where nobody can read what they do."""
    scripts = script_words(survey.tree, survey.config)
    if scripts is None:
        return None
    options = (survey.config.variable("NODE_OPTIONS") or "")[:1000]
    words = (*command_words(survey.config), *scripts, options)
    return frozenset(part for word in words for part in _SEPARATOR.split(word))


def _marked(survey: Survey, named: frozenset[str] | None) -> Iterator[Package]:
    by_ecosystem: dict[str, list[Package]] = {}
    for package in survey.packages:
        if package.development:
            by_ecosystem.setdefault(package.ecosystem, []).append(package)
    for packages in by_ecosystem.values():
        if not any(_is_run(survey, package, named) for package in packages):
            yield from packages


def _is_run(survey: Survey, package: Package, named: frozenset[str] | None) -> bool:
    """Whether the command starts a file of the package, or loads it by its name: ``-r ts-node/register``."""
    if not survey.in_use.isdisjoint(package.paths):
        return True
    if package.ecosystem == "npm":
        return named is None or any(f"{word}/".startswith(f"{package.name}/") for word in named)
    name = canonical(package.name)
    return any(canonical(word.partition(".")[0]) == name for word in named or ())


def _python_tools(survey: Survey, named: frozenset[str] | None) -> Iterator[Package]:
    packages = [package for package in survey.packages if package.ecosystem == "pypi"]
    is_tool = {id(p): _TOOLS.fullmatch(canonical(p.name)) and not _is_run(survey, p, named) for p in packages}
    tools = [package for package in packages if is_tool[id(package)]]
    if not tools:
        return
    brought = _reached(tools, {canonical(p.name): set(map(canonical, p.depends)) for p in packages})
    requested = {id(package) for package in packages if _is_requested(survey, package)}
    stays = [p for p in packages if canonical(p.name) not in brought or (id(p) in requested and not is_tool[id(p)])]
    if all(canonical(package.name) in _INSTALLERS for package in stays):
        return
    kept = _reached(stays, _requirements(survey, packages))
    is_noted = any(id(package) in requested for package in tools)
    for package in packages:
        name = canonical(package.name)
        if name in brought - kept and (is_noted or is_tool[id(package)]):
            yield package


def _requirements(survey: Survey, packages: Iterable[Package]) -> Mapping[str, set[str]]:
    """What packages of a name may require, extras and all."""
    requires: dict[str, set[str]] = {}
    for package in packages:
        names = requires.setdefault(canonical(package.name), set())
        names.update(map(canonical, package.depends))
        for path in package.paths:
            if path.endswith("/METADATA"):
                found = _REQUIREMENT.findall(survey.tree.texts.get(path, b""))
                names.update(canonical(name.decode()) for name in found)
    return requires


def _is_requested(survey: Survey, package: Package) -> bool:
    """https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-requested-file"""
    return any(path.endswith(".dist-info/REQUESTED") for path in package.paths)


def _reached(roots: Iterable[Package], requires: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [canonical(package.name) for package in roots]
    while waiting:
        name = waiting.pop()
        if name in requires and name not in reached:
            reached.add(name)
            waiting += requires[name]
    return reached


DEVELOPMENT_PACKAGES = Rule(
    "development-packages",
    "Packages for development alone",
    "Install without them in the final stage: npm ci --omit=dev, composer install --no-dev, uv sync --no-dev, or a "
    "requirements file of its own.",
    _claims,
)
