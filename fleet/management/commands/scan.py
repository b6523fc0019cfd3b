"""``manage.py scan REGISTRY|SERVICE``: one scan in this process, for a first look, cron jobs and pipelines."""

from __future__ import annotations

import difflib
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import pluralize
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fleet import scanning
from fleet.models import Registry, Scan, ScanError, Service

NOT_DONE = 1
UNKNOWN = 2


class Command(BaseCommand):
    help = (
        "Scans a registry, or one service by its repository, and prints what was found. "
        "Exit status: 0 done, 1 done with errors or failed, 2 no such registry or service."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="REGISTRY|SERVICE", help="a registry's name, or a service's repository")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        registry, service = _find(name)
        scan = scanning.start(registry, Scan.Trigger.COMMAND, service)
        self._run(scan)
        self._report(scan)
        if scan.status != Scan.Status.DONE:
            sys.exit(NOT_DONE)

    def _run(self, scan: Scan) -> None:
        """A bar for people; a line a service where the output is a file or a pipe."""
        if not self.stdout.isatty():
            scanning.run_scan(scan, self._print_line)
            return
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(f"Reading {scan.registry}", total=None)
            scanning.run_scan(
                scan, lambda done, total, next_: bar.update(task, completed=done, total=total, description=next_)
            )

    def _print_line(self, done: int, total: int, repository: str) -> None:
        if repository:
            self.stdout.write(f"{done + 1}/{total} {repository}")

    def _report(self, scan: Scan) -> None:
        if scan.status in (Scan.Status.QUEUED, Scan.Status.RUNNING):
            self.stderr.write(f"Another process is scanning {scan.registry}; it was left to it.")
            return
        for error in scan.errors.all():
            where = ":".join(part for part in (error.repository, error.tag) if part)
            stream = self.stderr if error.level == ScanError.Level.ERROR else self.stdout
            stream.write(f"{where}: {error.message}" if where else error.message)
        if scan.message:
            self.stderr.write(scan.message)
        counts = (
            (scan.services, "service"),
            (scan.tags, "tag"),
            (scan.snapshots, "new snapshot"),
            (scan.layers_indexed, "indexed layer"),
            (scan.requests, "request"),
            (scan.received_bytes, "received byte"),
            (scan.error_count, "error"),
        )
        counted = ", ".join(f"{count} {noun}{pluralize(count)}" for count, noun in counts)
        self.stdout.write(f"{scan.get_status_display()}: {counted}, {scan.duration_seconds or 0:.1f} s")


def _find(name: str) -> tuple[Registry, Service | None]:
    registry = Registry.objects.filter(name=name).first()
    if registry:
        return registry, None
    services = list(Service.objects.select_related("registry").filter(repository=name, gone_at__isnull=True)[:2])
    if len(services) == 1:
        return services[0].registry, services[0]
    if services:
        raise CommandError(f"Several registries hold {name}. Scan one of them whole.", returncode=UNKNOWN)
    raise CommandError(f"No registry or service is called {name}. {_near(name)}", returncode=UNKNOWN)


def _near(name: str) -> str:
    registries = list(Registry.objects.values_list("name", flat=True))
    services = Service.objects.filter(gone_at__isnull=True).values_list("repository", flat=True)[:10_000]
    near = difflib.get_close_matches(name, [*registries, *services], n=5, cutoff=0.5)
    if near:
        return f"Did you mean {', '.join(near)}?"
    if registries:
        return f"The registries are {', '.join(registries[:20])}."
    return "No registry is configured yet: add one in the admin."
