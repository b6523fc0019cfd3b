"""Colours for a Dockerfile: spans that a template escapes, so that no markup is ever built from its text.

Grammar: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Literal

Kind = Literal["comment", "instruction", "flag", "string", "variable", "plain"]

# A quote or brace that nothing closes runs to the end of its line: to give up and look again would be quadratic.
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\.)*+"?|'[^'\n]*+'?)
      |(?P<variable>\$\{[^}\n]*+\}?|\$\w++)
      |(?P<flag>(?<=\s)--[\w-]+)
      |(?P<plain>[^"'$\s-]+|\s+|.)""",
    re.VERBOSE | re.DOTALL,
)
_INSTRUCTION = re.compile(r"(\s*)([A-Za-z]+)(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Span:
    kind: Kind
    text: str


def dockerfile_spans(text: str) -> list[Span]:
    """The text cut into spans; joined, they are exactly the text."""
    return list(_merged(_spans(text)))


def _spans(text: str) -> Iterator[Span]:
    continued = False
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith("#"):
            yield Span("comment", line)
            continue
        start = None if continued else _INSTRUCTION.match(line)
        if start:
            yield Span("plain", start[1])
            yield Span("instruction", start[2])
        yield from _words(line[start.end() :] if start else line)
        continued = line.rstrip().endswith("\\")


def _words(line: str) -> Iterator[Span]:
    for token in _TOKEN.finditer(line):
        yield Span(token.lastgroup, token[0])  # type: ignore[arg-type]


def _merged(spans: Iterator[Span]) -> Iterator[Span]:
    """Neighbours of one kind as one span: a page of single words would be large."""
    for kind, group in groupby(spans, key=attrgetter("kind")):
        text = "".join(span.text for span in group)
        if text:
            yield Span(kind, text)
