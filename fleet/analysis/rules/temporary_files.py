"""Logs, crash dumps and temporary files that a build step left."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey, below

_ROOTS = re.compile(r"(?:tmp|var/tmp|var/log)/")
_DUMPS = re.compile(r"core(?:\.\d+)?|hs_err_pid\d+\.log|npm-debug\.log|yarn-error\.log|.*\.hprof", re.DOTALL)


def _claims(survey: Survey) -> Iterator[Claim]:
    homes = {"", "root", survey.config.working_dir.strip("/")}
    dumps = (
        Claim(node.entry, node.layer)
        for home in homes
        for node in survey.directories.get(home, ())
        if _DUMPS.fullmatch(node.entry.path.rpartition("/")[2])
    )
    for claim in (*below(survey, _ROOTS), *dumps):
        # A link such as access.log -> /dev/stdout is there on purpose.
        if claim.entry.kind == "file" and not _is_home_of_program(survey, claim.root):
            yield claim


def _is_home_of_program(survey: Survey, root: str) -> bool:
    places = (survey.config.working_dir.strip("/"), *survey.in_use)
    return bool(root) and any(f"{place}/".startswith(f"{root}/") for place in places)


TEMPORARY_FILES = Rule(
    "temporary-files",
    "Logs, dumps and temporary files",
    "Delete them in the step that makes them, or mount /tmp with RUN --mount=type=tmpfs.",
    _claims,
)
