"""Who follows a verification, how long it may take, and the log that is kept of it."""

from __future__ import annotations

import time
from typing import Protocol

from fleet.verification.behaviour import Hidden

LOG_CHARACTERS = 64_000
_HEAD_CHARACTERS = 16_000
_CUT = "… lines were left out here …"


class Watch(Protocol):
    """Hears how a verification goes on. Any of them may raise, which ends it."""

    def follows(self, log: Log) -> None:
        """The log that is being written from here on."""
        ...

    def step(self, sentence: str) -> None:
        """What is done from here on."""
        ...

    def beat(self) -> None:
        """It goes on; called several times a second."""
        ...


class Unwatched:
    """Nobody follows it."""

    def follows(self, log: Log) -> None: ...

    def step(self, sentence: str) -> None: ...

    def beat(self) -> None: ...


class TimeOver(Exception):
    """A part took longer than its limit."""


class Deadline:
    """A point in time that parts of the work must not pass."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self._at - time.monotonic())

    @property
    def is_over(self) -> bool:
        return self.left <= 0

    def within(self, seconds: float) -> Deadline:
        """An earlier one, for a part."""
        return Deadline(min(seconds, self.left))


class Log:
    """Lines that are fit to show, of which the first and the last are kept: at most 64,000 characters."""

    def __init__(self, hidden: Hidden) -> None:
        self._hidden = hidden
        self._head: list[str] = []
        self._tail: list[str] = []
        self._head_characters = self._tail_characters = 0
        self._is_cut = False

    def add(self, text: str) -> None:
        for line in text.replace("\r", "\n").split("\n"):
            if line.strip():
                self._add(self._hidden.line(line.rstrip()))

    @property
    def text(self) -> str:
        return "\n".join([*self._head, *([_CUT] if self._is_cut else []), *self._tail])

    @property
    def last_lines(self) -> tuple[str, ...]:
        return tuple((self._head + self._tail)[-40:])

    def _add(self, line: str) -> None:
        if not self._tail and self._head_characters + len(line) < _HEAD_CHARACTERS:
            self._head.append(line)
            self._head_characters += len(line) + 1
            return
        self._tail.append(line)
        self._tail_characters += len(line) + 1
        while self._tail_characters > LOG_CHARACTERS - _HEAD_CHARACTERS - len(_CUT) - 2:
            self._tail_characters -= len(self._tail.pop(0)) + 1
            self._is_cut = True
