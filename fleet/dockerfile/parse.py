"""Dockerfiles read line by line and given back byte for byte.

Spec: https://docs.docker.com/reference/dockerfile/. BuildKit's parser is the measure: comments and empty lines may
stand between continued lines, the escape character may be set by a directive, and RUN, COPY and ADD may carry heredocs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_DIRECTIVES = {"syntax", "escape", "check"}
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:\\.|[^"\\])*"|'[^']*'|["'\\])+""")
_HEREDOC = re.compile(r"""\d*<<(-?)(["']?)([^<"'\s]+)\2""")
_FLAG = re.compile(r"--[a-z][a-z-]*(=\S*)?$")
_HEREDOCS_IN = {"RUN", "COPY", "ADD"}
_LONGEST_BYTES = 1 << 20
_KNOWN_WORDS = (
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER "
    "VOLUME WORKDIR"
)
KNOWN = frozenset(_KNOWN_WORDS.split())


class InvalidDockerfile(ValueError):
    """The text is not a Dockerfile. The message names the line."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of the file as they stand: a comment, an empty line or a directive. ``line`` counts from 1."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Instruction(Part):
    """``text`` is the source with its line ends. ``name`` is in upper case; ``flags`` are the leading ``--x=y`` words;
    ``value`` is the rest on one line, continuations joined; ``heredocs`` the bodies in order."""

    name: str = ""
    flags: tuple[str, ...] = ()
    value: str = ""
    heredocs: tuple[str, ...] = ()

    @property
    def array(self) -> tuple[str, ...] | None:
        """The words of the exec form, or None when the value is no JSON array of strings."""
        try:
            words = json.loads(self.value)
        except ValueError:
            return None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            return None
        return tuple(words)

    def flag(self, name: str) -> str | None:
        """What ``--name=`` says; empty when it is given without a value, None when it is not given."""
        for flag in self.flags:
            if flag == f"--{name}":
                return ""
            if flag.startswith(f"--{name}="):
                return flag.partition("=")[2]
        return None


@dataclass(frozen=True, slots=True)
class Stage:
    """``parts[0]`` is its FROM. ``base`` is the word as written, ``name`` what AS says, or empty."""

    parts: tuple[Part, ...]
    base: str
    name: str
    platform: str

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        return tuple(part for part in self.parts if isinstance(part, Instruction))


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """``head`` holds what stands before the first FROM: directives, comments, global ARGs."""

    head: tuple[Part, ...]
    stages: tuple[Stage, ...]
    escape: str = "\\"

    def __str__(self) -> str:
        return "".join(part.text for part in (*self.head, *(part for stage in self.stages for part in stage.parts)))

    @property
    def arguments(self) -> dict[str, str]:
        """Global ARGs that have a default, which FROM may use."""
        found: dict[str, str] = {}
        for part in self.head:
            if isinstance(part, Instruction) and part.name == "ARG":
                for name, value in re.findall(r"([A-Za-z_]\w*)=(\"[^\"]*\"|'[^']*'|\S*)", part.value):
                    found[name] = value.strip("\"'")
        return found


def parse_dockerfile(text: str) -> Dockerfile:
    """The stages of a Dockerfile. Raises InvalidDockerfile with the line that is wrong."""
    if len(text) > _LONGEST_BYTES:
        raise InvalidDockerfile("The Dockerfile is longer than 1 MiB: check that it is the right file.")
    lines = _LINE.findall(text)
    escape, start = _directives(lines)
    parts = [Part(line, number) for number, line in enumerate(lines[:start], 1)]
    parts += _parts(lines, start, escape)
    heads = [index for index, part in enumerate(parts) if isinstance(part, Instruction) and part.name == "FROM"]
    if not heads:
        raise InvalidDockerfile("The Dockerfile has no FROM line, so it names no image to start from.")
    _check_head(parts[: heads[0]])
    bounds = [*heads, len(parts)]
    stages = tuple(_stage(tuple(parts[first:last])) for first, last in pairwise(bounds))
    return Dockerfile(tuple(parts[: heads[0]]), stages, escape)


def _directives(lines: list[str]) -> tuple[str, int]:
    """The escape character and the number of directive lines, which stand first and unbroken."""
    escape = "\\"
    for index, line in enumerate(lines):
        found = _DIRECTIVE.match(line.removeprefix("\ufeff"))
        if found is None or found[1].lower() not in _DIRECTIVES:
            return escape, index
        if found[1].lower() == "escape":
            if found[2] not in ("\\", "`"):
                raise InvalidDockerfile(f"Line {index + 1}: the escape directive takes \\ or `.")
            escape = found[2]
    return escape, len(lines)


def _parts(lines: list[str], start: int, escape: str) -> Iterator[Part]:
    index = start
    while index < len(lines):
        bare = lines[index].strip().removeprefix("\ufeff")
        if not bare or bare.startswith("#"):
            yield Part(lines[index], index + 1)
            index += 1
            continue
        end, joined = _join(lines, index, escape)
        instruction, end = _instruction(lines, index, end, joined)
        yield instruction
        index = end


def _join(lines: list[str], index: int, escape: str) -> tuple[int, str]:
    """The line after a logical line, and that line on one. Comments within it vanish, as they do for the builder."""
    joined: list[str] = []
    while index < len(lines):
        line = lines[index].rstrip("\r\n")
        index += 1
        if joined and (not line.strip() or line.lstrip().startswith("#")):
            continue
        tail = line.rstrip()
        if not tail.endswith(escape):
            return index, "".join([*joined, line])
        joined.append(tail[: -len(escape)])
    return index, "".join(joined)


def _instruction(lines: list[str], start: int, end: int, joined: str) -> tuple[Instruction, int]:
    name, rest = [*joined.strip().split(None, 1), ""][:2]
    name = name.upper()
    if name not in KNOWN:
        raise InvalidDockerfile(f"Line {start + 1}: {name[:40]!r} is not a Dockerfile instruction.")
    flags, value = _flags(rest.strip())
    if not value and name != "RUN":
        raise InvalidDockerfile(f"Line {start + 1}: {name} says nothing after its name.")
    heredocs: list[str] = []
    inner = value.split(None, 1)[0].upper() if name == "ONBUILD" else name
    if inner in _HEREDOCS_IN:
        for opening in filter(None, map(_HEREDOC.fullmatch, _WORD.findall(value))):
            body, end = _heredoc(lines, start, end, opening[3], strip_tabs=bool(opening[1]))
            heredocs.append(body)
    return Instruction("".join(lines[start:end]), start + 1, name, flags, value, tuple(heredocs)), end


def _heredoc(lines: list[str], start: int, end: int, mark: str, *, strip_tabs: bool) -> tuple[str, int]:
    for index in range(end, len(lines)):
        line = lines[index].rstrip("\r\n")
        if (line.lstrip("\t") if strip_tabs else line) == mark:
            return "".join(lines[end:index]), index + 1
    raise InvalidDockerfile(f"Line {start + 1}: the heredoc {mark} is never closed.")


def _flags(rest: str) -> tuple[tuple[str, ...], str]:
    flags: list[str] = []
    while rest.startswith("--"):
        flag, _, tail = rest.partition(" ")
        if not _FLAG.match(flag):
            break
        flags.append(flag)
        rest = tail.lstrip()
    return tuple(flags), rest


def _check_head(parts: list[Part]) -> None:
    for part in parts:
        if isinstance(part, Instruction) and part.name != "ARG":
            raise InvalidDockerfile(f"Line {part.line}: only ARG may stand before the first FROM, not {part.name}.")


def _stage(parts: tuple[Part, ...]) -> Stage:
    head = parts[0]
    assert isinstance(head, Instruction)
    words = head.value.split()
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise InvalidDockerfile(f"Line {head.line}: FROM takes an image and, if wanted, AS and a name.")
    return Stage(parts, words[0], words[2].lower() if len(words) == 3 else "", head.flag("platform") or "")
