"""Values put into a Dockerfile so that every builder reads back exactly what was meant.

Spec: https://docs.docker.com/reference/dockerfile/ (environment replacement, exec form, COPY with white space). A
Dockerfile has no way to write a line break inside a value, so control characters are refused, never dropped.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Sequence

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+=,~-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_GLOB = re.compile(r"[\[*?]")
_SECOND = 1_000_000_000
_UNITS = (("h", 3600 * _SECOND), ("m", 60 * _SECOND), ("s", _SECOND))


class Unwritable(ValueError):
    """A value that a Dockerfile cannot express. The message is a sentence without the value itself."""


def check(value: str, what: str = "A value") -> str:
    """The value itself, or Unwritable when it holds a control character or bytes that are not UTF-8."""
    if _CONTROL.search(value):
        raise Unwritable(f"{what} holds a line break or another control character, which a Dockerfile cannot express.")
    return value


def word(value: str) -> str:
    """One word of ENV, LABEL, WORKDIR, USER and the like, where the builder would expand ``$`` and strip quotes."""
    if _PLAIN.fullmatch(check(value)):
        return value
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def exec_form(words: Sequence[str]) -> str:
    """The JSON array of CMD and ENTRYPOINT, which the builder does not expand. Line breaks survive here, as \\n."""
    if any("\0" in item for item in words):
        raise Unwritable("A command holds a NUL character, which no program can be given.")
    text = json.dumps(list(words), ensure_ascii=False)
    if re.search(r"[\ud800-\udfff]", text):
        raise Unwritable("A command holds bytes that are not UTF-8, which a Dockerfile cannot express.")
    return text.replace("\x7f", "\\u007f")


def expanded_array(words: Sequence[str]) -> str:
    """A JSON array whose items the builder expands as it does words (VOLUME, COPY)."""
    return json.dumps([re.sub(r"([\\$])", r"\\\1", check(item, "A path")) for item in words], ensure_ascii=False)


def copy_paths(sources: Sequence[str], destination: str) -> str:
    """What follows the flags of COPY: plain where every path is simple, else the array form. Sources are patterns to
    the builder, so their glob characters are escaped; a backslash cannot be escaped in all of them and is refused."""
    paths = [*sources, destination]
    if any("\\" in check(path, "A path") for path in paths):
        raise Unwritable("A path holds a backslash, which builders read differently in COPY.")
    if all(_PLAIN.fullmatch(path) for path in paths):
        return " ".join(paths)
    return expanded_array([*(_GLOB.sub(lambda found: f"[{found[0]}]", path) for path in sources), destination])


def shell_word(value: str) -> str:
    """One word of a RUN line in shell form."""
    return shlex.quote(check(value, "A path"))


def absolute(path: str) -> str:
    """A path of a file tree as containers write it."""
    return f"/{path}"


def quoted(paths: Iterable[str], lost: list[str], write: Callable[[str], str] = absolute) -> list[str]:
    """Paths as words of a RUN line, as ``write`` writes each; a sentence is added to ``lost`` for one that cannot be a
    word."""
    words: list[str] = []
    for path in paths:
        try:
            words.append(shell_word(write(path)))
        except Unwritable as error:
            lost.append(str(error))
    return words


def comment(text: str) -> str:
    """Text that stays on its comment line, whatever it holds."""
    return "# " + "".join(char if char.isprintable() else " " for char in text).strip()


def duration(nanoseconds: int) -> str:
    """A time as HEALTHCHECK takes it: hours, minutes or seconds where they are whole, else a fraction of seconds."""
    for unit, length in _UNITS:
        if nanoseconds % length == 0:
            return f"{nanoseconds // length}{unit}"
    whole, rest = divmod(nanoseconds, _SECOND)
    return f"{whole}.{rest:09d}".rstrip("0") + "s"
