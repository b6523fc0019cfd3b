"""Tests that Python packages install along with themselves.

Only what a test runner alone loads: ``test_*.py`` and ``conftest.py`` in directories named ``tests`` or ``test``, and
the data beside them where no other module lives there. ``numpy.testing`` and ``astropy/tests/runner.py`` are imported
by programs and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey
from fleet.image.filetree import Node

_ROOT = re.compile(r"(?:.*?/)?(?:site|dist)-packages/[^/]+/(?:[^/]+/)*?tests?/", re.DOTALL)
_TEST = re.compile(r"(?:test_.*|.*_test|conftest)\.(?:py|[\w-]+(?:\.opt-[12])?\.pyc)", re.DOTALL)


def _claims(survey: Survey) -> Iterator[Claim]:
    roots: dict[str, list[Node]] = {}
    for directory, nodes in survey.directories.items():
        if "-packages/" in directory and (match := _ROOT.match(f"{directory}/")):
            roots.setdefault(match.group().rstrip("/"), []).extend(nodes)
    for root, nodes in roots.items():
        tests = [node for node in nodes if _TEST.fullmatch(_name(node))]
        if tests:
            for node in tests if any(_is_helper(node) for node in nodes) else nodes:
                yield Claim(node.entry, node.layer, root)


def _is_helper(node: Node) -> bool:
    name = _name(node)
    return name.endswith((".py", ".so")) and name != "__init__.py" and not _TEST.fullmatch(name)


def _name(node: Node) -> str:
    return node.entry.path.rpartition("/")[2]


PYTHON_TESTS = Rule(
    "python-tests",
    "Tests of installed Python packages",
    "Delete them in the build stage after installing: `find /venv -type d -name tests -prune -exec rm -r {} +` where "
    "no module imports them.",
    _claims,
)
