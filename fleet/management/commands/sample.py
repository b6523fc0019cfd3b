"""``manage.py sample``: serve the sample fleet, and enter its registry here."""

from __future__ import annotations

import signal
import socket
import threading
from argparse import ArgumentParser
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django_celery_beat.models import IntervalSchedule

from fleet.models import Registry, Service, SizePolicy
from fleet.sample.fleet import BASES
from fleet.sample.services.python_services import CHECKOUT_DOCKERFILE
from fleet.sample.serving import sample_date, sample_registry
from fleet.schedule import sync_schedule

NAME = "Sample fleet"
MINUTES = 5
MB = 1_000_000


class Command(BaseCommand):
    help = "Serves the sample fleet (serve) and enters its registry in the database (register)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        serve = actions.add_parser("serve", help="serve the sample fleet until interrupted")
        serve.add_argument("--host", default="127.0.0.1")
        serve.add_argument("--port", type=int, default=5555, help="0 takes a free one")
        serve.add_argument("--cache", type=Path, default=settings.VAR_DIR / "sample", help="where sizes are remembered")
        serve.add_argument("--as-of", type=date.fromisoformat, help="YYYY-MM-DD that the releases lead up to")
        register = actions.add_parser("register", help="enter the sample registry, its schedule and its size policies")
        register.add_argument("--url", required=True, help="what `sample serve` printed")

    def handle(self, *, action: str, **options: Any) -> None:
        if action == "serve":
            self._serve(options["host"], options["port"], options["cache"], options["as_of"])
        else:
            self._register(options["url"])

    def _serve(self, host: str, port: int, cache: Path, asked: date | None) -> None:
        # Until it serves there is nothing to close: both signals end it at once.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        as_of = sample_date(cache, asked, datetime.now(UTC).date())
        try:
            socket.create_server((host, port)).close()  # Said now, not after the layers were composed.
            registry = sample_registry(cache, as_of, host=host, port=port)
        except OSError as fault:
            raise CommandError(
                f"The sample registry cannot listen on {host}:{port}: {fault}. Choose another --port."
            ) from fault
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        with registry:
            self.stdout.write(f"Sample fleet of {as_of} at {registry.url}")
            self.stdout.flush()
            stop.wait()

    def _register(self, url: str) -> None:
        address = urlsplit(url).netloc
        if not address:
            raise CommandError(f"{url!r} is no URL. Give the one that `manage.py sample serve` printed.")
        sample = Registry.objects.filter(is_sample=True).first()
        if sample is None and Registry.objects.exists():
            raise CommandError(
                "This installation has registries of its own, so the sample fleet was not added: it is never mixed "
                "into a real installation. Use another database (DATABASE_URL or PLIMSOLL_VAR)."
            )
        with transaction.atomic():
            sample = _enter(sample or Registry(name=NAME, is_sample=True), url, address)
        self.stdout.write(f"{sample.name} at {url}, scanned every {MINUTES} minutes.")


def _enter(registry: Registry, url: str, address: str) -> Registry:
    registry.url = url
    registry.exclude = f"{BASES}/*"
    registry.base_mirrors = f"docker.io/{BASES}={address}/{BASES}"
    if registry.interval_id is None and registry.crontab_id is None:
        registry.interval, _ = IntervalSchedule.objects.get_or_create(every=MINUTES, period=IntervalSchedule.MINUTES)
    registry.save()
    sync_schedule(registry)
    _policies(registry)
    Service.objects.filter(registry=registry, repository="shop/checkout-api", dockerfile="").update(
        dockerfile=CHECKOUT_DOCKERFILE
    )
    return registry


def _policies(registry: Registry) -> None:
    """Limits that some of the fleet breaks, so that flags are seen; an admin's changes to them stay."""
    SizePolicy.objects.get_or_create(
        name="Sample: every service",
        defaults={"registry": registry, "warn_compressed_bytes": 350 * MB, "fail_compressed_bytes": 600 * MB},
    )
    SizePolicy.objects.get_or_create(
        name="Sample: platform services",
        defaults={"registry": registry, "repository_glob": "platform/*", "fail_compressed_bytes": 100 * MB},
    )
