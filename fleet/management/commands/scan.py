"""``manage.py scan REGISTRY|SERVICE``: one scan in this process, for a first look, cron jobs and pipelines."""

from __future__ import annotations

import difflib
import sys
import time
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.template.defaultfilters import pluralize
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from fleet import scanning
from fleet.management.terminal import bytes_for_people
from fleet.models import Registry, Scan, ScanError, Service

NOT_DONE = 1
UNKNOWN = 2


class Command(BaseCommand):
    help = (
        "Scans a registry, or one service by its repository, and prints what was found. "
        "Exit status: 0 done; 1 not all done: with errors, failed, paused, cancelled, or left to another process that "
        "is at it; 2 no such registry or service."
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
        """A bar that moves for people; a line a service where the output is a file or a pipe."""
        if not self.stdout.isatty():
            scanning.run_scan(scan, _Lines(self.stdout))
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(f"Reading {scan.registry}", total=None, counts="")
            began = time.monotonic()

            def show(progress: scanning.Progress) -> None:
                bar.update(
                    task,
                    completed=progress.done,
                    total=progress.total,
                    description=progress.resting or progress.repository,
                    counts=_counts(progress, time.monotonic() - began),
                )

            scanning.run_scan(scan, show)

    def _report(self, scan: Scan) -> None:
        if scan.status in (Scan.Status.QUEUED, Scan.Status.RUNNING):
            self.stderr.write(f"Another process is scanning {scan.registry}; it was left to it.")
            return
        if scan.status == Scan.Status.PAUSED and scan.resume_at:
            when = _moment(scan.resume_at)
            self.stderr.write(f"{scan.message} Call this again after {when}, or leave it to the workers.")
            return
        for error in scan.errors.all():
            where = ":".join(part for part in (error.repository, error.tag) if part)
            stream = self.stderr if error.level == ScanError.Level.ERROR else self.stdout
            stream.write(f"{where}: {error.message}" if where else error.message)
        if scan.message:
            self.stderr.write(scan.message)
        counts = (
            # Some may have come after the listing.
            (max(scan.services, scan.services_done), "service"),
            (scan.tags, "tag"),
            (scan.snapshots, "new snapshot"),
            (scan.layers_indexed, "indexed layer"),
            (scan.requests, "request"),
            (scan.received_bytes, "received byte"),
            (scan.error_count, "error"),
        )
        counted = ", ".join(f"{count} {noun}{pluralize(count)}" for count, noun in counts)
        self.stdout.write(f"{scan.get_status_display()}: {counted}, {scan.duration_seconds or 0:.1f} s")


class _Lines:
    """A line for each service, and for each pause."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out = out
        self._told = ""

    def __call__(self, progress: scanning.Progress) -> None:
        line = progress.resting or f"{progress.done + 1}/{progress.total} {progress.repository}"
        if progress.repository and line != self._told:
            self._told = line
            self._out.write(line)


def _moment(when: datetime) -> str:
    """A time of day, rounded up to the minute, with its date unless that is today's."""
    local = timezone.localtime(when + timedelta(minutes=1))
    return f"{local:%H:%M}" if local.date() == timezone.localdate() else f"{local:%H:%M} on {local.day} {local:%B}"


def _counts(progress: scanning.Progress, seconds: float) -> str:
    rate = progress.received_bytes / seconds if seconds else 0
    return (
        f"{progress.tags} tag{pluralize(progress.tags)}, {progress.layers} layer{pluralize(progress.layers)}, "
        f"{bytes_for_people(progress.received_bytes)}, {bytes_for_people(round(rate))}/s"
    )


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
