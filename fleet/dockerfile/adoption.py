"""What takes a suggestion into a team's repository: a patch of its Dockerfile, and a summary for a pull request.

Patches: https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html
Markdown: https://github.github.com/gfm/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from fleet.image.sizes import Sizes

CONTEXT_LINES = 3
NO_NEWLINE = "\\ No newline at end of file"

LineKind = Literal["head", "hunk", "same", "removed", "added", "mark"]
_SIGNS: dict[LineKind, str] = {"same": " ", "removed": "-", "added": "+"}

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&])")
_BLOCK_START = re.compile(r"^(?:([#+=>-])|(\d{1,9})([.)])(?=\s|$))")
# What a forge would make a link, a mention or a reference of.
_LINKED = re.compile(r"[@#]|://|\bwww\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a patch, its sign included, without what ends it."""

    kind: LineKind
    text: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure before and after, each a short text."""

    name: str
    now: str
    after: str
    less: str = ""


def patch(old: str, new: str, name: str = "Dockerfile") -> str:
    """A unified diff that ``patch -p1`` and ``git apply`` apply to a file that holds exactly ``old``, giving ``new``.

    Where every line of ``old`` ends in CRLF, so do those of the outcome. Empty where nothing would change.
    """
    return "".join(f"{line.text}\n" for line in diff(old, new, name))


def diff(old: str, new: str, name: str = "Dockerfile") -> list[DiffLine]:
    """The lines of ``patch``."""
    before, after = _lines(old), _lines(_line_ends(old, new))
    groups = list(SequenceMatcher(None, before, after).get_grouped_opcodes(CONTEXT_LINES))
    if not groups:
        return []
    found = [DiffLine("head", f"--- a/{name}"), DiffLine("head", f"+++ b/{name}")]
    for group in groups:
        first, last = group[0], group[-1]
        spans = f"-{_range(first[1], last[2])} +{_range(first[3], last[4])}"
        found.append(DiffLine("hunk", f"@@ {spans} @@"))
        for what, i1, i2, j1, j2 in group:
            if what == "equal":
                found += _marked("same", before[i1:i2])
            else:
                found += _marked("removed", before[i1:i2])
                found += _marked("added", after[j1:j2])
    return found


def _lines(text: str) -> list[str]:
    """Cut at newlines alone: a form feed or U+2028 ends no line for patch."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _line_ends(old: str, new: str) -> str:
    ends = old.count("\n")
    if ends == 0 or old.count("\r\n") < ends:
        return new
    return re.sub(r"(?<!\r)\n", "\r\n", new)


def _range(start: int, stop: int) -> str:
    """As diff counts: from 1, from the line before where there is none, the count left out where it is 1."""
    count = stop - start
    if count == 1:
        return str(start + 1)
    return f"{start + 1 if count else start},{count}"


def _marked(kind: LineKind, lines: Sequence[str]) -> Iterator[DiffLine]:
    for line in lines:
        yield DiffLine(kind, _SIGNS[kind] + line.removesuffix("\n"))
        if not line.endswith("\n"):
            yield DiffLine("mark", NO_NEWLINE)


def matches(text: str, suggested: str) -> bool:
    """Whether two Dockerfiles are the same but for comments, empty lines and the space around lines."""
    return bool(_bare(text)) and _bare(text) == _bare(suggested)


def _bare(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def fell_as_promised(real: Sizes, promised: Sizes) -> bool:
    """Whether each size fell by at least half of what was promised of it. One of which nothing was promised says
    nothing; the compressed one has to be promised."""
    kinds = ((real.compressed_bytes, promised.compressed_bytes), (real.unpacked_bytes, promised.unpacked_bytes))
    return promised.compressed_bytes > 0 and all(2 * fell >= promise for fell, promise in kinds if promise > 0)


def summary(
    title: str,
    figures: Iterable[Figure],
    sections: Iterable[tuple[str, Sequence[str]]],
    dockerfile: str,
    *,
    introduction: str = "",
) -> str:
    """Markdown for a pull request. Texts may come from images: none of them can be more than text."""
    parts = [f"# {inline(title)}"]
    if introduction:
        parts.append(inline(introduction))
    rows = [f"| {' | '.join(map(cell, (row.name, row.now, row.after, row.less)))} |" for row in figures]
    parts.append("\n".join(["| | now | after | less |", "| --- | ---: | ---: | ---: |", *rows]))
    for heading, sentences in sections:
        if sentences:
            parts.append(f"## {inline(heading)}")
            parts.append("\n".join(f"- {inline(sentence)}" for sentence in sentences))
    parts += ["## Dockerfile", fenced(dockerfile, "dockerfile")]
    return "\n\n".join(parts) + "\n"


def inline(text: str) -> str:
    """Text within a paragraph, a heading or a list: one line, nothing in it is markup, a link or a mention."""
    return _BLOCK_START.sub(_unblocked, " ".join(map(_word, text.split())))


def _word(word: str) -> str:
    return code(word) if _LINKED.search(word) else _MARKDOWN.sub(r"\\\1", word)


def _unblocked(start: re.Match[str]) -> str:
    return f"\\{start[1]}" if start[1] else f"{start[2]}\\{start[3]}"


def cell(text: str) -> str:
    """Text within a table: there, a pipe ends a cell even in code."""
    return inline(text.replace("|", " "))


def code(text: str) -> str:
    """A code span of one line, which no backtick in it can end."""
    ticks = "`" * (_longest(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{' '.join(text.split())}{space}{ticks}"


def fenced(text: str, language: str = "") -> str:
    """A block of code, which nothing in it can end."""
    ticks = "`" * max(_longest(text) + 1, 3)
    return f"{ticks}{language}\n{text.removesuffix(chr(10))}\n{ticks}"


def _longest(text: str) -> int:
    """The length of the longest row of backticks."""
    return max(map(len, re.findall(r"`+", text)), default=0)
