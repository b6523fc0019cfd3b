"""``manage.py reanalyze``: judge the fleet's newest images anew with the present rules, from what is stored."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import pluralize
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from fleet import scanning
from fleet.models import Service
from fleet.models.service import ServiceQuerySet

NOT_ALL = 1
UNKNOWN = 2
UNREAD = "{} {} read by a scan first: of {} the layers' indexes are not stored, or another version wrote them."


class Command(BaseCommand):
    help = (
        "Judges each service's newest image anew with the present rules. No registry is asked: the files of the layers "
        "are in the database. Exit status: 0 all judged; 1 some have to be scanned first, have no image, or failed; "
        "2 no such service."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="SERVICE", help="a repository; without any the whole fleet")
        parser.add_argument(
            "--all", action="store_true", help="also those on which the present rules had their say already"
        )

    def handle(self, *args: Any, names: list[str], all: bool, **options: Any) -> None:
        services = scanning.due(_named(names), everything=all or bool(names))
        without_image = sorted(set(names) - set(services.values_list("repository", flat=True)))
        outcomes = self._run(services).outcomes
        self.stdout.write(f"{_counted(outcomes['judged'])} judged anew.")
        if outcomes["overtaken"]:
            self.stdout.write(f"{_counted(outcomes['overtaken'])} judged by a scan meanwhile.")
        if unread := outcomes["unread"]:
            self.stderr.write(
                UNREAD.format(_counted(unread), "has to be" if unread == 1 else "have to be", _them(unread))
            )
        if outcomes["failed"]:
            self.stderr.write(f"{_counted(outcomes['failed'])} failed unexpectedly. The log says more.")
        if without_image:
            self.stderr.write(
                f"There is no image to judge of {', '.join(without_image)}: none was read yet, or its registry has "
                "none any more. Scan it."
            )
        if unread or outcomes["failed"] or without_image:
            sys.exit(NOT_ALL)

    def _run(self, services: ServiceQuerySet) -> scanning.Reanalysis:
        """A bar that moves for people; a line a service where the output is a file or a pipe."""
        if not self.stdout.isatty():
            return scanning.reanalyse(services, self._line)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Looking for images", total=None)
            return scanning.reanalyse(
                services,
                lambda progress: bar.update(
                    task, completed=progress.done, total=progress.total, description=progress.repository
                ),
            )

    def _line(self, progress: scanning.Reanalysis) -> None:
        if progress.repository:
            self.stdout.write(f"{progress.done + 1}/{progress.total} {progress.repository}")


def _named(names: list[str]) -> ServiceQuerySet:
    services = Service.objects.all()
    if not names:
        return services
    named = services.filter(repository__in=names)
    missing = set(names) - set(named.values_list("repository", flat=True))
    if missing:
        raise CommandError(f"No service is called {', '.join(sorted(missing))}.", returncode=UNKNOWN)
    return named


def _counted(count: int) -> str:
    return f"{count} service{pluralize(count)}"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"
