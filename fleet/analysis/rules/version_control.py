"""Version control history and editors' settings that a COPY of the whole project brought along."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey, below

_ROOTS = re.compile(r"(?:.*?/)?\.(?:git|svn|hg|bzr|idea|vscode)/", re.DOTALL)


def _claims(survey: Survey) -> Iterator[Claim]:
    return below(survey, _ROOTS)


VERSION_CONTROL = Rule(
    "version-control",
    "Version control and editor files",
    "List them in .dockerignore. History often holds secrets that were removed from the files.",
    _claims,
)
