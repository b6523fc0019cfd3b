"""The text of a Dockerfile: paragraphs of instructions, each under the comment that explains it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from fleet.dockerfile.quoting import comment

_WIDTH = 100


class Page:
    """Collects paragraphs; empty ones vanish with their comment."""

    def __init__(self) -> None:
        self._paragraphs: list[str] = []

    def add(self, explanation: str, lines: Iterable[str] = ()) -> None:
        body = [line for line in lines if line]
        if body:
            self._paragraphs.append("\n".join([*explain(explanation), *body]))

    def remark(self, text: str) -> None:
        self._paragraphs.append("\n".join(explain(text)))

    def __str__(self) -> str:
        return "\n\n".join(self._paragraphs) + "\n"


def explain(text: str) -> list[str]:
    """Comment lines of a bounded width, none for no text."""
    return [comment(line) for line in textwrap.wrap(text, _WIDTH)]


def run(commands: Sequence[str]) -> str:
    """One RUN for several commands, one a line; empty for none."""
    return "RUN " + " \\\n && ".join(dict.fromkeys(commands)) if commands else ""


def remove(paths: Sequence[str]) -> str:
    """A command that deletes quoted paths, one a line."""
    return "rm -rf \\\n      " + " \\\n      ".join(paths) if paths else ""


def install(packages: Sequence[str], *, with_apk: bool = False) -> str:
    """One RUN that installs system packages and leaves no lists behind."""
    if not packages:
        return ""
    if with_apk:
        return "RUN apk add --no-cache " + " ".join(sorted(packages))
    names = " \\\n      ".join(sorted(packages))
    return (
        "RUN apt-get update \\\n && apt-get install -y --no-install-recommends \\\n"
        f"      {names} \\\n && apt-get clean \\\n && rm -rf /var/lib/apt/lists/*"
    )
