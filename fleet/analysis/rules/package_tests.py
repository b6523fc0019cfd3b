"""Tests that packages of Python, Node and Ruby install along with themselves.

Of Python only what a test runner alone loads: ``test_*.py`` and ``conftest.py`` in directories named ``tests`` or
``test``, and the data beside them where no other module lives there. ``numpy.testing`` and ``astropy/tests/runner.py``
are imported by programs and stay. Of Node packages the directories that are named for tests at the top of a package,
unless its package.json or a file beside them is in there; of gems ``spec`` and ``test`` at the top, likewise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey
from fleet.image.filetree import Node

_PYTHON = re.compile(r"(?:.*?/)?(?:site|dist)-packages/[^/]+/(?:[^/]+/)*?tests?/", re.DOTALL)
_PYTHON_TEST = re.compile(r"(?:test_.*|.*_test|conftest)\.(?:py|[\w-]+(?:\.opt-[12])?\.pyc)", re.DOTALL)
_NODE = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@][^/]*/(?:tests?|__tests__)/", re.DOTALL)
_GEM = re.compile(r"(?:.*?/)?gems/[^/]+-\d[^/]*/(?:spec|test)/", re.DOTALL)


def _claims(survey: Survey) -> Iterator[Claim]:
    yield from _of_python(survey)
    named = _entry_points(survey)
    for directory, nodes in survey.directories.items():
        match = _node_root(directory) or _GEM.match(f"{directory}/")
        if match is not None and match.group().rstrip("/") not in named:
            for node in nodes:
                yield Claim(node.entry, node.layer, match.group().rstrip("/"))


def _node_root(directory: str) -> re.Match[str] | None:
    return _NODE.match(f"{directory}/") if "node_modules/" in directory else None


def _entry_points(survey: Survey) -> set[str]:
    """Test directories of packages that start there: their package.json names a file within as main."""
    found: set[str] = set()
    for path, text in survey.tree.texts.items():
        if path.endswith("/package.json") and (b'"main"' in text or b'"exports"' in text or b'"bin"' in text):
            directory = path.removesuffix("package.json")
            found.update(f"{directory}{name}" for name in ("test", "tests", "__tests__") if _names(text, name))
    return found


def _names(text: bytes, directory: str) -> bool:
    """Whether a manifest mentions a file of the directory outside of its scripts' free text: better once too often."""
    return re.search(rb'"(?:\./)?' + directory.encode() + rb"/[^\"]{1,200}\"", text) is not None


def _of_python(survey: Survey) -> Iterator[Claim]:
    roots: dict[str, list[Node]] = {}
    for directory, nodes in survey.directories.items():
        if "-packages/" in directory and (match := _PYTHON.match(f"{directory}/")):
            roots.setdefault(match.group().rstrip("/"), []).extend(nodes)
    for root, nodes in roots.items():
        tests = [node for node in nodes if _PYTHON_TEST.fullmatch(_name(node))]
        if tests:
            for node in tests if any(_is_helper(node) for node in nodes) else nodes:
                yield Claim(node.entry, node.layer, root)


def _is_helper(node: Node) -> bool:
    name = _name(node)
    return name.endswith((".py", ".so")) and name != "__init__.py" and not _PYTHON_TEST.fullmatch(name)


def _name(node: Node) -> str:
    return node.entry.path.rpartition("/")[2]


PACKAGE_TESTS = Rule(
    "package-tests",
    "Tests of installed packages",
    "Delete them in the build stage after installing: `find /venv -type d -name tests -prune -exec rm -r {} +` where "
    "no module imports them. Packages of Node and Ruby are read by no program from there.",
    _claims,
)
