"""What hadolint says of a suggestion, where it is installed: one more check by somebody else's rules.

Source: https://github.com/hadolint/hadolint. It is a program of its own, asked over its standard input.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace

from fleet.dockerfile.suggestion import Gate, Suggestion

NAME = "hadolint agrees"
# Beside errors: shell form, no tag, latest, and pip's cache. What a team wrote itself is its own affair.
_FAILING = frozenset({"DL3006", "DL3007", "DL3025", "DL3042"})
_SECONDS = 20
_SHOWN = 3


def linted(suggestion: Suggestion, program: str | None = None) -> Suggestion:
    """The suggestion with hadolint's word among its gates; as it is where hadolint is not installed or does not
    answer."""
    program = program or shutil.which("hadolint")
    if program is None:
        return suggestion
    try:
        answer = subprocess.run(
            [program, "--no-fail", "--format", "json", "-"],
            input=suggestion.dockerfile.encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
        remarks = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return suggestion
    faults = list(_faults(remarks, _own_line(suggestion)))
    detail = f"It finds no error{_where(suggestion)}."
    if faults:
        more = f", and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        detail = "; ".join(faults[:_SHOWN]) + more + "."
    return replace(suggestion, gates=(*suggestion.gates, Gate(NAME, not faults, detail)))


def _own_line(suggestion: Suggestion) -> int:
    """The first line that is ours: all of a repack, the final stage of a rebuild."""
    if suggestion.mode == "repack":
        return 1
    return suggestion.dockerfile.rpartition("\nFROM ")[0].count("\n") + 2


def _where(suggestion: Suggestion) -> str:
    return "" if suggestion.mode == "repack" else " in the final stage"


def _faults(remarks: object, first_line: int) -> Iterator[str]:
    for remark in remarks if isinstance(remarks, list) else ():
        line, code, level = remark.get("line"), remark.get("code"), remark.get("level")
        if isinstance(line, int) and line >= first_line and (level == "error" or code in _FAILING):
            yield f"line {line}: {code} {str(remark.get('message', '')).rstrip('.')}"
