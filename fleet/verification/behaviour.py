"""What an image did when it was run: values that are stored, shown and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fleet.analysis.redaction import redact
from fleet.oci.wording import shown

FIRST_LINES = 20
LINE_CHARACTERS = 300
_READ_BYTES = 32_768
_ROOT = ("", "0", "root")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. ``content_type`` is in lower case, without parameters; ``lines`` are the first of its body, none
    where that is no text."""

    status: int
    content_type: str = ""
    location: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """``refusal`` is what the engine said when it could not start it, empty where it started. ``running`` is whether it
    ran when the probe ended, ``exit_code`` how it ended before that. ``port_open`` and ``answer`` are None where nobody
    asked. ``stdout`` and ``stderr`` are their first lines, fit to show. ``seconds`` until it answered, or ended."""

    refusal: str = ""
    running: bool = False
    exit_code: int | None = None
    out_of_memory: bool = False
    port_open: bool | None = None
    answer: Answer | None = None
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()
    user: str = ""
    seconds: float = 0.0

    @property
    def is_root(self) -> bool:
        return self.user.partition(":")[0] in _ROOT

    @property
    def said(self) -> tuple[str, ...]:
        """All that tells why it failed, the engine's word first."""
        return (*((self.refusal,) if self.refusal else ()), *self.stderr, *self.stdout)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Hidden:
    """Words that must not be shown: values of variables that a person set for the probe."""

    words: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Hidden:
        """Short ones are no secrets, and would be found everywhere."""
        return cls(tuple(sorted((value for value in environment.values() if len(value) >= 6), key=len, reverse=True)))

    def line(self, text: str) -> str:
        """A line from a container or a builder, fit to show."""
        for word in self.words:
            text = text.replace(word, "…")
        return redact(text.expandtabs(4))

    def lines(self, content: bytes, most: int = FIRST_LINES) -> tuple[str, ...]:
        """The first lines of an output, cut, without those that are empty."""
        text = content[:_READ_BYTES].decode("utf-8", "replace")
        found = (self.line(line.rstrip()) for line in text.replace("\r\n", "\n").split("\n") if line.strip())
        return tuple(_cut(line) for line, _ in zip(found, range(most), strict=False))


def parse_answer(content: bytes, hidden: Hidden) -> Answer | None:
    """An HTTP/1 answer as it came, perhaps cut short; None for what is none."""
    head, _, body = content.partition(b"\r\n\r\n")
    first, *rest = head.split(b"\r\n")
    words = first.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not (words[1].isdigit() and len(words[1]) == 3):
        return None
    headers: dict[str, str] = {}
    for line in rest[:200]:
        name, colon, value = line.partition(b":")
        if colon:
            headers.setdefault(name.strip().lower().decode("latin-1"), value.strip().decode("latin-1"))
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_text = kind.startswith("text/") or kind.endswith(("json", "xml", "javascript"))
    if is_text and headers.get("transfer-encoding", "").lower() == "chunked":
        body = _joined(body)
    readable = is_text and not headers.get("content-encoding")
    return Answer(
        int(words[1]),
        shown(kind),
        hidden.line(headers.get("location", ""))[:LINE_CHARACTERS],
        hidden.lines(body) if readable else (),
    )


def _joined(body: bytes) -> bytes:
    """A chunked body in one piece, as far as it can be read."""
    whole = b""
    while body and len(whole) < _READ_BYTES:
        size, _, body = body.partition(b"\r\n")
        try:
            length = int(size.partition(b";")[0][:16], 16)
        except ValueError:
            break
        if length <= 0:
            break
        whole += body[:length]
        body = body[length + 2 :]
    return whole


def _cut(line: str) -> str:
    return line if len(line) <= LINE_CHARACTERS else line[: LINE_CHARACTERS - 1] + "…"
