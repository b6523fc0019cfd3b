"""Packages that only developers use: linters, type checkers, test runners.

Where a lock file or the language's database says so (npm's ``dev``, composer's ``dev-package-names``) that holds.
Python records nothing of the kind: there a few well-known tools are told by name, with what only they require, unless
another package requires them or the command runs one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey
from fleet.image.packages.package import Package

# fmt: off
_TOOLS = frozenset({
    "autopep8", "bandit", "black", "coverage", "factory-boy", "faker", "flake8", "hypothesis", "ipdb", "ipython",
    "isort", "jupyter", "jupyterlab", "locust", "mypy", "nose", "nox", "pdbpp", "pre-commit", "pyflakes", "pylint",
    "pyright", "pytest", "pytest-asyncio", "pytest-cov", "pytest-django", "pytest-mock", "pytest-xdist", "responses",
    "ruff", "selenium", "sphinx", "tox", "twine", "yapf",
})
# fmt: on
_SEPARATORS = re.compile(r"[-_.]+")


def _claims(survey: Survey) -> Iterator[Claim]:
    unneeded = [package for package in survey.packages if package.development]
    unneeded += _of_python([package for package in survey.packages if package.ecosystem == "pypi"], survey)
    shared = _shared(survey, unneeded)
    for package in unneeded:
        if survey.in_use.isdisjoint(package.paths):
            for path in package.paths:
                node = survey.tree.nodes.get(path)
                if node is not None and path not in shared:
                    yield Claim(node.entry, node.layer)


def _of_python(packages: list[Package], survey: Survey) -> list[Package]:
    """The tools that no other package requires, and what only they do."""
    tools = [package for package in packages if _is_tool(package, survey)]
    if not tools:
        return []
    by_name = {normalised(package.name): package for package in packages}
    # What is no tool and required by nothing is the application's, or what it asked for.
    required = {normalised(name) for package in packages for name in package.depends}
    roots = [p for p in packages if p not in tools and (normalised(p.name) not in required)]
    kept = _reached(roots, by_name)
    wanted = _reached(tools, by_name)
    return [package for name, package in by_name.items() if name in wanted and name not in kept]


def _is_tool(package: Package, survey: Survey) -> bool:
    name = normalised(package.name)
    return name in _TOOLS and name not in survey.words and name.replace("-", "_") not in survey.words


def _reached(roots: Iterable[Package], by_name: dict[str, Package]) -> set[str]:
    reached: set[str] = set()
    waiting = [normalised(package.name) for package in roots]
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in reached:
            reached.add(name)
            waiting += map(normalised, by_name[name].depends)
    return reached


def _shared(survey: Survey, unneeded: list[Package]) -> set[str]:
    keys = {id(package) for package in unneeded}
    return {path for package in survey.packages if id(package) not in keys for path in package.paths}


def normalised(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return _SEPARATORS.sub("-", name).lower()


DEVELOPMENT_PACKAGES = Rule(
    "development-packages",
    "Packages for development alone",
    "Install without them in the final stage: npm ci --omit=dev, composer install --no-dev, uv sync --no-dev, or a "
    "requirements file of its own.",
    _claims,
)
