"""Version control history, editors' files and checkers' caches that a COPY of the whole project brought along."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey, below

_ROOTS = re.compile(
    r"(?:.*?/)?\.(?:git|svn|hg|bzr|idea|vscode|vs|settings|hypothesis|pytest_cache|mypy_cache|ruff_cache|tox|nox"
    r"|nyc_output|terraform)/",
    re.DOTALL,
)
_FILES = re.compile(r"(?:\.DS_Store|Thumbs\.db|desktop\.ini|\.coverage(?:\.[^/]*)?|\.[^/]+\.sw[a-p]|[^/]+~)", re.DOTALL)
_SYSTEM = ("usr/lib/", "usr/share/", "var/lib/dpkg/", "etc/")


def _claims(survey: Survey) -> Iterator[Claim]:
    yield from below(survey, _ROOTS)
    for directory, nodes in survey.directories.items():
        if f"{directory}/".startswith(_SYSTEM):
            continue
        for node in nodes:
            path = node.entry.path
            if node.entry.kind == "file" and _FILES.fullmatch(path.rpartition("/")[2]):
                yield Claim(node.entry, node.layer)


VERSION_CONTROL = Rule(
    "version-control",
    "Version control and editor files",
    "List them in .dockerignore. History often holds secrets that were removed from the files.",
    _claims,
)
