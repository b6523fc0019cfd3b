"""What scripts/demo does once .venv is there: serve until Ctrl-C, or try everything once. Runs in .venv."""

from __future__ import annotations

import fcntl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .installation import USER, Installation, Ports, sample_progress, sample_size
from .processes import Processes
from .smoke import Visitor, walk
from .steps import ROOT, SetupError, step

FIRST_WEB_PORT = 8000
SCAN_SECONDS = 180.0  # a minute is the aim; a busy machine gets more before we call it broken


def serve() -> int:
    """Run until Ctrl-C, SIGTERM, or the end of a process that should not end."""
    var = ROOT / "var"
    with _only_one(var):
        installation = Installation(var, Ports.choose(var / "demo.json", first_web=FIRST_WEB_PORT))
        try:
            with Processes(var / "log", installation.env) as processes:
                password = installation.start(processes)
                print(_welcome(installation, password), flush=True)
                _watch(processes)
        except KeyboardInterrupt:
            print("\nStopped. The data stays in var/.", flush=True)
    return 0


def smoke() -> int:
    """Everything once, in a directory of its own; one summary line on stdout."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="plimsoll-smoke-") as directory:
        var = Path(directory)
        installation = Installation(var, Ports.choose(var / "demo.json"))
        with Processes(var / "log", installation.env) as processes:
            password = installation.start(processes)
            with step("Scan of the sample by the worker"):
                _wait_for_sample(processes)
            services, snapshots = sample_size()
            with step("Every main page"):
                pages = _visit(installation, processes, password or "")
            processes.check()
    seconds = time.monotonic() - started
    print(f"smoke: {services} services, {snapshots} snapshots, {pages} pages in {seconds:.0f} s")
    return 0


def _visit(installation: Installation, processes: Processes, password: str) -> int:
    visitor = Visitor(installation.url)
    try:
        visitor.sign_in(USER, password)
        return walk(visitor)
    except SetupError as error:
        web = next(child for child in processes.children if child.name == "web")
        raise SetupError(f"{error} The end of the web server's log:\n{web.tail()}") from error


def _wait_for_sample(processes: Processes) -> None:
    processes.wait_until(lambda: sample_progress().over, "The sample's scan", SCAN_SECONDS)
    progress = sample_progress()
    if progress.failed:
        raise SetupError(f"The sample's scan failed: {progress.message}\n{processes.tails()}")


def _watch(processes: Processes) -> None:
    """Tell once when the sample is scanned, then only look whether every process lives."""
    told = False
    while True:
        processes.check()
        if not told and (progress := sample_progress()).over:
            told = True
            counts = "{} services, {} snapshots".format(*sample_size())
            print(f"The sample's scan failed: {progress.message}" if progress.failed else f"Scanned: {counts}.")
        time.sleep(0.5)


def _welcome(installation: Installation, password: str | None) -> str:
    kept = installation.var / "demo-password.txt"
    lines = [
        f"Plimsoll      {installation.url}",
        f"user          {USER}",
        f"password      {password or 'the one that you set; .venv/bin/python manage.py changepassword ' + USER}",
        "",
        f"Data and logs are in {installation.var.relative_to(ROOT)}/, the password in {kept.relative_to(ROOT)}.",
        "Ctrl-C stops everything.",
    ]
    width = max(map(len, lines))
    rule = "+-" + "-" * width + "-+"
    return "\n".join(["", rule, *(f"| {line:<{width}} |" for line in lines), rule])


@contextmanager
def _only_one(var: Path) -> Iterator[None]:
    with (var / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SetupError("A demo of this checkout is running already. Stop it first.") from error
        yield
