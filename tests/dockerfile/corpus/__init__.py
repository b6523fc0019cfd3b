"""Small Dockerfiles for the parser, several to a file, each behind a line ``%% name``.

What editors would not keep is said by the last word of the name: ``crlf``, ``bom``, ``noeol``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_HEADING = re.compile(r"^%% (.+)\n", re.MULTILINE)


def _read() -> Iterator[tuple[str, str]]:
    for path in sorted(Path(__file__).parent.glob("*.txt")):
        _, *parts = _HEADING.split(path.read_text())
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            yield f"{path.stem}: {name}", _as_named(name.rpartition(" ")[2], text)


def _as_named(kind: str, text: str) -> str:
    if kind == "crlf":
        return text.replace("\n", "\r\n")
    if kind == "bom":
        return "\ufeff" + text
    return text.removesuffix("\n") if kind == "noeol" else text


CORPUS: Mapping[str, str] = dict(_read())
LINES = sorted({line for text in CORPUS.values() for line in text.split("\n")})
