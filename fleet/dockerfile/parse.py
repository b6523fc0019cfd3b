"""Dockerfiles read line by line and given back byte for byte.

Spec: https://docs.docker.com/reference/dockerfile/. BuildKit's parser is the measure: comments and empty lines may
stand between continued lines, the escape character may be set by a directive, and RUN, COPY and ADD may carry heredocs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

# As Go trims them; Python takes four control characters for blanks too.
_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_DIRECTIVES = {"syntax", "escape", "check"}
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_WORD = re.compile(r"""[\t\n\v\f\r ]*((?:[^\t\n\v\f\r "'\\]|\\.|"(?:\\.|[^"\\])*"|'[^']*'|\\$)+)""")
_HEREDOC = re.compile(r"""\d*<<(-?)(["']?)([^<"'\s]+)\2""")
_FLAG = re.compile(r"""(--(?:[^\t\n\v\f\r "'\\]|\\.|"(?:\\.|[^"\\])*"|'[^']*'|["'\\])*)(?:[\t\n\v\f\r \x85\xa0]+|$)""")
_NAME = re.compile(r"([^\t\v\f\r ]*)[\t\v\f\r ]*(.*)", re.DOTALL)
_QUOTED = re.compile(r"""\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'""")
_HEREDOCS_IN = {"RUN", "COPY", "ADD"}
_PAIRS_IN = {"ENV", "LABEL"}
_ARRAYS_IN = {"ADD", "CMD", "COPY", "ENTRYPOINT", "HEALTHCHECK", "RUN", "SHELL", "VOLUME"}
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
        words = _array(self.value)
        if words is None:
            return None
        strings = tuple(word for word in words if isinstance(word, str))
        return strings if len(strings) == len(words) else None

    def flag(self, name: str) -> str | None:
        """What ``--name=`` says; empty when it is given without a value, None when it is not given."""
        for flag in self.flags:
            if flag == f"--{name}":
                return ""
            if flag.startswith(f"--{name}="):
                return flag.partition("=")[2]
        return None


def _array(value: str) -> list[object] | None:
    """The JSON array that a value begins with; what follows it is nobody's, as for the builder."""
    if not value.startswith("["):
        return None
    try:
        words: list[object] = _JSON.raw_decode(value)[0]
    except (ValueError, RecursionError):
        return None
    return words


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_JSON = json.JSONDecoder(parse_constant=_no_constant)


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
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    lines = _LINE.findall(text.removeprefix(mark))
    escape, start = _directives(lines)
    parts = [Part(line, number) for number, line in enumerate(lines[:start], 1)]
    parts += _parts(lines, start, escape)
    if mark and parts:
        # It belongs to the text, and to nothing that the text says.
        parts[0] = replace(parts[0], text=mark + parts[0].text)
    heads = [index for index, part in enumerate(parts) if isinstance(part, Instruction) and part.name == "FROM"]
    if not heads:
        raise InvalidDockerfile("The Dockerfile has no FROM line, so it names no image to start from.")
    _check_head(parts[: heads[0]])
    bounds = [*heads, len(parts)]
    stages = tuple(_stage(tuple(parts[first:last])) for first, last in pairwise(bounds))
    return Dockerfile(tuple(parts[: heads[0]]), stages, escape)


def _directives(lines: list[str]) -> tuple[str, int]:
    """The escape character and the number of directive lines, which stand first and unbroken."""
    escape, has_escape = "\\", False
    for index, line in enumerate(lines):
        found = _DIRECTIVE.match(line)
        if found is None or found[1].lower() not in _DIRECTIVES:
            return escape, index
        if found[1].lower() == "escape":
            if has_escape:
                raise InvalidDockerfile(f"Line {index + 1}: there is one escape directive already.")
            has_escape = True
            if found[2] not in ("\\", "`"):
                raise InvalidDockerfile(f"Line {index + 1}: the escape directive takes \\ or `.")
            escape = found[2]
    return escape, len(lines)


def _parts(lines: list[str], start: int, escape: str) -> Iterator[Part]:
    index = start
    while index < len(lines):
        bare = lines[index].strip(_BLANKS)
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
    # An escape that is escaped itself continues nothing.
    continued = re.compile(rf"(?:^|[^{re.escape(escape)}]){re.escape(escape)}[ \t]*$").search
    while index < len(lines):
        line = lines[index].rstrip("\r\n")
        index += 1
        if joined and (not line.strip(_BLANKS) or line.lstrip(_BLANKS).startswith("#")):
            continue
        if not continued(line):
            return index, "".join([*joined, line])
        joined.append(line.rstrip(" \t")[: -len(escape)])
    return index, "".join(joined)


def _instruction(lines: list[str], start: int, end: int, joined: str) -> tuple[Instruction, int]:
    found = _NAME.match(joined.strip(_BLANKS))
    assert found is not None
    name = found[1].upper()
    if not name:
        raise InvalidDockerfile(f"Line {start + 1}: there is nothing before the end of the continued line.")
    if name not in KNOWN:
        raise InvalidDockerfile(f"Line {start + 1}: {name[:40]!r} is not a Dockerfile instruction.")
    flags, value = _flags(found[2].strip(_BLANKS))
    if not value and name != "RUN":
        raise InvalidDockerfile(f"Line {start + 1}: {name} says nothing after its name.")
    if name in _PAIRS_IN and (wrong := _no_pair(value)):
        raise InvalidDockerfile(f"Line {start + 1}: {name} takes name=value, not {wrong[:40]!r}.")
    inner, rest = name, value
    while inner == "ONBUILD":
        inner, rest = [*rest.split(None, 1), "", ""][:2]
        inner = inner.upper()
    _check_array(inner, rest, start)
    heredocs: list[str] = []
    if inner in _HEREDOCS_IN:
        words, unclosed = _words(value)
        # The builder looks for none where it cannot tell the words apart.
        for opening in filter(None, map(_HEREDOC.fullmatch, () if unclosed else words)):
            body, end = _heredoc(lines, start, end, opening[3], strip_tabs=bool(opening[1]))
            heredocs.append(body)
    return Instruction("".join(lines[start:end]), start + 1, name, flags, value, tuple(heredocs)), end


def _words(value: str) -> tuple[list[str], str]:
    """The words of a shell's line with their quotes, and the rest from a word on whose quote is never closed."""
    words: list[str] = []
    at = 0
    while found := _WORD.match(value, at):
        words.append(found[1])
        at = found.end()
    unclosed = value[at:]
    if words and unclosed[:1].strip():
        unclosed = words.pop() + unclosed
    return words, unclosed.strip()


def _check_array(name: str, value: str, start: int) -> None:
    if name == "HEALTHCHECK":
        _, _, value = value.partition(" ")
    words = _array(value.strip(_BLANKS)) if name in _ARRAYS_IN else None
    if words is not None and not all(isinstance(word, str) for word in words):
        raise InvalidDockerfile(f"Line {start + 1}: the array of {name} holds something else than strings.")


def _no_pair(value: str) -> str | None:
    """The first word that is no ``name=value`` where all have to be; the old form ``name value`` has one pair."""
    words, unclosed = _words(value)
    words += [unclosed] if unclosed else []
    if words and "=" not in words[0]:
        return None if len(words) > 1 else words[0]
    return next((word for word in words if "=" not in word), None)


def _heredoc(lines: list[str], start: int, end: int, mark: str, *, strip_tabs: bool) -> tuple[str, int]:
    for index in range(end, len(lines)):
        line = lines[index].rstrip("\r\n")
        if (line.lstrip("\t") if strip_tabs else line) == mark:
            return "".join(lines[end:index]), index + 1
    raise InvalidDockerfile(f"Line {start + 1}: the heredoc {mark} is never closed.")


def _flags(rest: str) -> tuple[tuple[str, ...], str]:
    """The leading words that begin with two dashes, without quotes and escapes, and what follows them. Two dashes alone
    end them."""
    flags: list[str] = []
    at = 0
    while (found := _FLAG.match(rest, at)) is not None:
        at = found.end()
        flag = _unquoted(found[1])
        if flag == "--":
            break
        flags.append(flag)
    return tuple(flags), rest[at:]


def _unquoted(word: str) -> str:
    return _QUOTED.sub(lambda found: found[1] or found[2] or found[3] or "", word)


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
