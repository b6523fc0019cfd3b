"""What scripts/test does once .venv is there: servers, static checks, the suite on both databases, one total. Runs in
.venv.

Most tests wait for one another's servers and not for a processor, so that two runs beside each other take the time of
one: the suite on SQLite is told as it goes; the static checks and then PostgreSQL's part run beside it, with a Redis of
their own, and are told at its end in one piece.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from . import peers
from .processes import Processes
from .servers import Servers, clear_mounts
from .steps import ROOT, SetupError

SECONDS_TO_END = 30.0  # a pytest run with its fixtures, an engine with its containers
BIN = Path(sys.executable).parent
SCRIPTS = ["scripts/demo", "scripts/seed", "scripts/test"]
MYPY = ["--explicit-package-bases", "fleet", "dashboard", "scripts/lib"]
CHECKS: Mapping[str, Sequence[str]] = {
    "ruff check": [str(BIN / "ruff"), "check", ".", *SCRIPTS],
    "ruff format": [str(BIN / "ruff"), "format", "--check", ".", *SCRIPTS],
    "mypy": [str(BIN / "mypy"), *MYPY],
    "import contract": [str(BIN / "lint-imports")],
    "deployment check": [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
    "migrations": [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
    "demo": [sys.executable, "scripts/demo", "--smoke"],
}
# tests/conftest.py marks what touches the database: nothing else needs a second run on another one, and neither does
# what registries answer (``once``).
ON_ANY_DATABASE = "database and not engine and not browser and not once"
NOTHING_COLLECTED = 5
# What waits for other processes most of its time, and has servers of its own, runs beside the rest.
PATIENT = ("tests/browser", "tests/survival", "tests/seed", "tests/applications")
# The last one would have every process that a test starts compile for half a second what has not changed.
FOREIGN = (
    "DEBUG",
    "SECRET_KEY",
    "PLIMSOLL_SECRET_KEYS",
    "PLIMSOLL_PLAIN_HTTP",
    "ALLOWED_HOSTS",
    "BEHIND_PROXY",
    "PYTHONDONTWRITEBYTECODE",
)


@dataclass(frozen=True)
class Options:
    """``arguments`` go to pytest; with any the run is a quick one: no static checks, one database."""

    require_all: bool
    postgres: bool
    peers: bool
    applications: bool
    arguments: list[str]


@dataclass
class Totals:
    counts: Counter[str] = field(default_factory=Counter)

    def line(self) -> str:
        shown = {name: self.counts[name] for name in ("passed", "failed")}
        shown |= {name: self.counts[name] for name in ("skipped", "xfailed") if self.counts[name]}
        return ", ".join(f"{count} {name}" for name, count in shown.items())


def run(options: Options) -> int:
    """Returns 0 when everything passed. The last line on stdout is the total."""
    totals = Totals()
    with tempfile.TemporaryDirectory(prefix="plimsoll-test-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o711)  # PostgreSQL runs as a user of its own
        try:
            with Processes(directory / "log", grace_seconds=SECONDS_TO_END) as processes:
                servers = Servers(directory, processes)
                if options.peers:
                    servers.missing += peers.build()
                _start(servers, options)
                _run_all(options, directory, servers, totals)
        finally:
            clear_mounts(directory)
    for sentence in servers.missing:
        print(sentence)
    print(totals.line(), flush=True)
    return 1 if totals.counts["failed"] else 0


def _start(servers: Servers, options: Options) -> None:
    servers.install()
    servers.env["PLIMSOLL_TEST_REDIS_URL"] = servers.start_redis()
    servers.start_postgres()
    servers.find_chromium()
    if _asks_for_engine(options.arguments):
        servers.start_engine()


def _asks_for_engine(arguments: Sequence[str]) -> bool:
    """A quick run starts an engine only when a file it names speaks of one."""
    paths = [ROOT / argument.partition("::")[0] for argument in arguments if not argument.startswith("-")]
    files = [
        file for path in paths if path.exists() for file in ([path] if path.is_file() else path.rglob("test_*.py"))
    ]
    return not files or any("mark.engine" in file.read_text() for file in files)


def _run_all(options: Options, directory: Path, servers: Servers, totals: Totals) -> None:
    postgres = {"DATABASE_URL": servers.env.get("PLIMSOLL_TEST_POSTGRES_URL", "")}
    if options.arguments:
        if options.postgres and not postgres["DATABASE_URL"]:
            raise SetupError(" ".join(["There is no PostgreSQL to run these tests on.", *servers.missing]))
        chosen = _environment(options, directory / "alone", servers) | (postgres if options.postgres else {})
        Run(totals).pytest("pytest", options.arguments, chosen, directory / "alone")
        return
    env = _environment(options, directory / "sqlite", servers)
    beside = _Beside(directory / "beside.log")
    beside_env = _environment(options, directory / "beside", servers) | {
        "REDIS_URL": servers.start_redis("redis-beside")
    }
    beside_env["PLIMSOLL_TEST_REDIS_URL"] = beside_env["REDIS_URL"]
    with beside:
        beside.start(lambda run: _beside(run, beside_env, postgres, directory / "beside"))
        others = [f"--ignore={path}" for path in PATIENT]
        Run(totals).pytest("pytest on SQLite", [*others, "--durations=25"], env, directory / "sqlite")
    totals.counts.update(beside.totals.counts)
    if not postgres["DATABASE_URL"]:
        servers.missing.append("PostgreSQL is not installed: the suite ran on SQLite alone.")
        totals.counts["failed" if options.require_all else "skipped"] += 1


def _beside(run: Run, env: Mapping[str, str], postgres: Mapping[str, str], directory: Path) -> None:
    for name, command in CHECKS.items():
        run.check(name, command, env)
    if postgres["DATABASE_URL"]:
        run.pytest("pytest on PostgreSQL", ["-m", ON_ANY_DATABASE, "--durations=10"], {**env, **postgres}, directory)
    run.pytest("browser, killed workers and engines on SQLite", [*PATIENT, "--durations=10"], env, directory)


def _environment(options: Options, directory: Path, servers: Servers) -> dict[str, str]:
    """Nothing of an installation that the shell may point to reaches the tests. ``directory`` is of this run alone."""
    (directory / "var").mkdir(parents=True)
    env = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in FOREIGN}
    return (
        env
        | servers.env
        | {
            "PLIMSOLL_VAR": str(directory / "var"),
            "DATABASE_URL": f"sqlite:///{directory / 'var' / 'plimsoll.sqlite3'}",
            "REDIS_URL": servers.env["PLIMSOLL_TEST_REDIS_URL"],
            "PLIMSOLL_TEST_REQUIRE_ALL": "1" if options.require_all else "",
            "PLIMSOLL_TEST_APPLICATIONS": "all" if options.applications else "",
            "PLIMSOLL_TEST_PEERS": str(peers.DIRECTORY) if options.peers else "",
            "PLIMSOLL_TEST_TOTALS": str(directory / "totals.json"),
            "PYTEST_DEBUG_TEMPROOT": str(directory),
        }
    )


class Interrupted(Exception):
    """Another part of the run was interrupted, and this one with it."""


class Run:
    """Commands one after the other, with what they say on ``output``, this script's own where it is None."""

    def __init__(self, totals: Totals, output: IO[bytes] | None = None) -> None:
        self.totals = totals
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._interrupted = False

    def check(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        passed = self._run(name, command, env) == 0
        self.totals.counts["passed" if passed else "failed"] += 1

    def pytest(self, name: str, arguments: Sequence[str], env: Mapping[str, str], directory: Path) -> None:
        """A run that ends without telling its counts (a crash, a usage error) is one failure."""
        told = directory / "totals.json"
        told.unlink(missing_ok=True)
        status = self._run(name, [sys.executable, "-m", "pytest", *arguments], env)
        counts = json.loads(told.read_text()) if told.exists() else {}
        counts["failed"] = counts.get("failed", 0) + counts.pop("error", 0)
        counts["passed"] = counts.get("passed", 0) + counts.pop("xpassed", 0)
        if status not in (0, NOTHING_COLLECTED) and not counts["failed"]:
            counts["failed"] = 1
        self.totals.counts.update(counts)

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """What runs hears of it as Ctrl-C, and nothing runs after it."""
        self._interrupted = True
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _run(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> int:
        if self._interrupted:
            raise Interrupted
        self._write(f"\n== {name}\n")
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdout=self._output,
            stderr=subprocess.STDOUT if self._output else None,
            # A terminal's Ctrl-C goes to the whole group in front. What is told of it by us stands aside.
            process_group=0 if self._output else None,
        )
        return _wait(self._process)

    def _write(self, text: str) -> None:
        if self._output is None:
            print(text, end="", flush=True)
        else:
            self._output.write(text.encode())
            self._output.flush()


class _Beside:
    """A run on a thread of its own. What it says is told when both are done; an interrupted one is waited for."""

    def __init__(self, log: Path) -> None:
        self.totals = Totals()
        self._log = log
        self._output = log.open("wb")
        self._run = Run(self.totals, self._output)
        self._thread = threading.Thread(target=lambda: None)

    def start(self, work: Callable[[Run], None]) -> None:
        self._thread = threading.Thread(target=self._work, args=(work,), name="beside")
        self._thread.start()

    def _work(self, work: Callable[[Run], None]) -> None:
        try:
            work(self._run)
        except Interrupted:
            pass
        except Exception:
            self.totals.counts["failed"] += 1
            self._output.write(traceback.format_exc().encode())

    def __enter__(self) -> _Beside:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None:
                self._end()
            self._thread.join()
        except KeyboardInterrupt:
            self._end()
            raise
        finally:
            self._output.close()
            print(self._log.read_text(errors="replace"), flush=True)

    def _end(self) -> None:
        self._run.interrupt()
        self._thread.join(SECONDS_TO_END)
        self._run.interrupt(signal.SIGKILL)
        self._thread.join()


def _wait(process: subprocess.Popen[bytes]) -> int:
    """However we are interrupted, the child hears of it once, as Ctrl-C, and gets time to clear up."""
    try:
        return process.wait()
    except KeyboardInterrupt as interrupt:
        heard_already = interrupt.args == (signal.SIGINT,) and sys.stdin.isatty()
        if not heard_already:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
