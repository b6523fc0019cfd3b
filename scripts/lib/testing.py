"""What scripts/test does once .venv is there: servers, static checks, the suite on both databases, one total. Runs in
.venv."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import peers
from .processes import Processes
from .servers import Servers, clear_mounts
from .steps import ROOT, SetupError

SECONDS_TO_END = 30.0  # a pytest run with its fixtures, an engine with its containers
BIN = Path(sys.executable).parent
SCRIPTS = ["scripts/demo", "scripts/test"]
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


@dataclass(frozen=True)
class Options:
    """``arguments`` go to pytest; with any the run is a quick one: no static checks, one database."""

    require_all: bool
    postgres: bool
    peers: bool
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
    servers.start_redis()
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
    env = _environment(options, directory, servers)
    postgres = {"DATABASE_URL": servers.env.get("PLIMSOLL_TEST_POSTGRES_URL", "")}
    if options.arguments:
        if options.postgres and not postgres["DATABASE_URL"]:
            raise SetupError(" ".join(["There is no PostgreSQL to run these tests on.", *servers.missing]))
        _pytest("pytest", options.arguments, env | postgres if options.postgres else env, directory, totals)
        return
    for name, command in CHECKS.items():
        _check(name, command, env, totals)
    _pytest("pytest on SQLite", ["--durations=10"], env, directory, totals)
    if postgres["DATABASE_URL"]:
        _pytest("pytest on PostgreSQL", ["-m", ON_ANY_DATABASE], env | postgres, directory, totals)
    else:
        servers.missing.append("PostgreSQL is not installed: the suite ran on SQLite alone.")
        totals.counts["failed" if options.require_all else "skipped"] += 1


def _environment(options: Options, directory: Path, servers: Servers) -> dict[str, str]:
    """Nothing of an installation that the shell may point to reaches the tests."""
    (directory / "var").mkdir()
    foreign = ("DEBUG", "SECRET_KEY", "PLIMSOLL_SECRET_KEYS", "PLIMSOLL_PLAIN_HTTP", "ALLOWED_HOSTS", "BEHIND_PROXY")
    env = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in foreign}
    return (
        env
        | servers.env
        | {
            "PLIMSOLL_VAR": str(directory / "var"),
            "DATABASE_URL": f"sqlite:///{directory / 'var' / 'plimsoll.sqlite3'}",
            "REDIS_URL": servers.env["PLIMSOLL_TEST_REDIS_URL"],
            "PLIMSOLL_TEST_REQUIRE_ALL": "1" if options.require_all else "",
            "PLIMSOLL_TEST_PEERS": str(peers.DIRECTORY) if options.peers else "",
            "PLIMSOLL_TEST_TOTALS": str(directory / "totals.json"),
            "PYTEST_DEBUG_TEMPROOT": str(directory),
        }
    )


def _check(name: str, command: Sequence[str], env: Mapping[str, str], totals: Totals) -> None:
    _headline(name)
    passed = _wait(subprocess.Popen(command, cwd=ROOT, env=env)) == 0
    totals.counts["passed" if passed else "failed"] += 1


def _pytest(name: str, arguments: Sequence[str], env: Mapping[str, str], directory: Path, totals: Totals) -> None:
    """A run that ends without telling its counts (a crash, a usage error) is one failure."""
    _headline(name)
    told = directory / "totals.json"
    told.unlink(missing_ok=True)
    status = _wait(subprocess.Popen([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=env))
    counts = json.loads(told.read_text()) if told.exists() else {}
    counts["failed"] = counts.get("failed", 0) + counts.pop("error", 0)
    counts["passed"] = counts.get("passed", 0) + counts.pop("xpassed", 0)
    if status not in (0, NOTHING_COLLECTED) and not counts["failed"]:
        counts["failed"] = 1
    totals.counts.update(counts)


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


def _headline(name: str) -> None:
    print(f"\n== {name}", flush=True)
