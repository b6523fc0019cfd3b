"""Python bytecode that no interpreter of the image can load.

Bytecode that is in use is not waste: without it every start of every container compiles the modules again, and a
read-only file system never keeps the result. What counts is a ``__pycache__`` file whose source is gone (Python then
ignores it), or one made for a version or an optimisation level that the image does not run.
See https://peps.python.org/pep-3147/ and pep-0488.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey

_BYTECODE = re.compile(r"(.+?)\.cpython-(\d)(\d+)(\.opt-[12])?\.pyc", re.DOTALL)
_INTERPRETER = re.compile(r"(?:.*/)?(?:bin/python|libpython)(\d)\.(\d+)(?:t|\.so[\d.]*)?", re.DOTALL)

_OPTIMISE = re.compile(r"-[a-zA-Z]*O[a-zA-Z]*")


def _claims(survey: Survey) -> Iterator[Claim]:
    versions = {match.groups() for path in survey.tree.nodes if (match := _INTERPRETER.fullmatch(path))}
    optimised = survey.config.variable("PYTHONOPTIMIZE") or any(_OPTIMISE.fullmatch(word) for word in survey.words)
    for directory, nodes in survey.directories.items():
        if directory.rpartition("/")[2] != "__pycache__":
            continue
        parent = directory.removesuffix("__pycache__")
        for node in nodes:
            match = _BYTECODE.fullmatch(node.entry.path[len(directory) + 1 :])
            if match is None:
                continue
            module, major, minor, level = match.groups()
            orphaned = f"{parent}{module}.py" not in survey.tree.nodes
            foreign = bool(versions) and (major, minor) not in versions
            if orphaned or foreign or (level and not optimised):
                yield Claim(node.entry, node.layer)


DEAD_BYTECODE = Rule(
    "dead-bytecode",
    "Python bytecode that nothing loads",
    "Compile in the build stage with the interpreter that runs, after the last change to the sources. Bytecode in use "
    "is not counted: it makes every start faster.",
    _claims,
)
