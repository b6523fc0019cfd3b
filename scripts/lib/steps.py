"""One step of a set-up: its line on the terminal, and the sentence when it fails. Syntax of Python 3.8."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent


class SetupError(Exception):
    """A step failed; the message says which, and what to do."""


def finish(main: Callable[[], int]) -> NoReturn:
    """Run a script and exit with its status. Ctrl-C and SIGTERM raise KeyboardInterrupt in it, once: nothing
    interrupts the clearing up. Its argument is the signal's number."""

    def interrupt(number: int, frame: object) -> NoReturn:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt(number)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, interrupt)
    try:
        sys.exit(main())
    except SetupError as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit(130)


@contextmanager
def step(title: str) -> Iterator[None]:
    """One line of progress on stderr: the title at once, the seconds when done."""
    print(f"  {title:<44}", end="", file=sys.stderr, flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed", file=sys.stderr, flush=True)
        raise
    print(f"{time.monotonic() - started:6.1f} s", file=sys.stderr, flush=True)


def run(command: Iterable[str], advice: str, env: Mapping[str, str] | None = None) -> None:
    """Run a command quietly. Raises SetupError with the end of its output and the advice when it fails."""
    words = list(command)
    try:
        done = subprocess.run(
            words, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        raise SetupError(f"{words[0]} could not be started: {error}. {advice}") from error
    if done.returncode:
        tail = "\n".join(done.stdout.decode(errors="replace").splitlines()[-15:])
        raise SetupError("{}\n\n`{}` failed. {}".format(tail, " ".join(words), advice))
