"""Child processes that end with us: after the last line, an error, Ctrl-C, SIGTERM, and on Linux even SIGKILL.

Each child leads a process group of its own, so that Ctrl-C reaches this script alone and the children end in order,
last started first: SIGTERM, then SIGKILL to the whole group for what has not gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .steps import ROOT, SetupError

PR_SET_PDEATHSIG = 1  # prctl(2)
TAIL_LINES = 20


@dataclass(frozen=True)
class Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        """The last lines of its log, indented."""
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines)


@dataclass
class Processes:
    """Children of one script, as a context manager. ``log_dir`` takes one ``NAME.log`` each, new on every start;
    after ``grace_seconds`` SIGTERM becomes SIGKILL."""

    log_dir: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    grace_seconds: float = 10.0
    children: list[Child] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str], user: str | None = None) -> Child:
        """Start a child in the checkout, with nothing on its stdin. Raises SetupError when it cannot be."""
        log = self.log_dir / f"{name}.log"
        try:
            with log.open("wb") as output:
                process = subprocess.Popen(
                    command,
                    cwd=ROOT if user is None else "/",
                    env=self.env,
                    user=user,
                    extra_groups=None if user is None else [],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=_end_with_parent,
                )
        except OSError as error:
            raise SetupError(f"{name} could not be started: {error}.") from error
        self.children.append(child := Child(name, process, log))
        return child

    def wait_until(self, ready: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait for something that a child does. Raises SetupError when one ends first or the time is up."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise SetupError(f"{what} did not get ready within {seconds:.0f} seconds.\n{self.tails()}")
            time.sleep(0.1)

    def check(self) -> None:
        """Raise SetupError with the end of its log when a child is gone."""
        for child in self.children:
            if (status := child.process.poll()) is not None:
                raise SetupError(f"{child.name} ended with status {status}. The end of its log:\n{child.tail()}")

    def tails(self) -> str:
        return "\n".join(f"  {child.name}:\n{child.tail()}" for child in self.children)

    def stop(self, child: Child) -> None:
        self.children.remove(child)
        child.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(self.grace_seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()

    def __enter__(self) -> Processes:
        self.log_dir.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self.children[1:]):
            child.process.terminate()  # all at once; the first, which the others talk to, outlives them
        for child in reversed(self.children[:]):
            self.stop(child)


def free_port(first: int = 0) -> int:
    """A free TCP port on loopback: any, or the first from ``first`` on."""
    for port in range(first, first + 100) if first else [0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise SetupError(f"The ports {first} to {first + 99} of 127.0.0.1 are all taken.")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
