"""Static libraries and C headers that no package database knows of, for example of an interpreter built from source."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey, below

_ROOTS = re.compile(r"usr/(?:local/)?include/|usr/(?:local/)?(?:lib|share)/(?:[^/]{1,60}/)?pkgconfig/")
_STATIC = re.compile(r"lib[^/]*\.l?a")


def _claims(survey: Survey) -> Iterator[Claim]:
    yield from below(survey, _ROOTS)
    for directory, nodes in survey.directories.items():
        if "lib" in directory:
            for node in nodes:
                if node.entry.path.endswith((".a", ".la")) and _STATIC.fullmatch(node.entry.path.rpartition("/")[2]):
                    yield Claim(node.entry, node.layer)


DEVELOPMENT_FILES = Rule(
    "development-files",
    "Static libraries and headers",
    "Leave them in the build stage: programs are linked against them, they are not loaded at run time.",
    _claims,
)
