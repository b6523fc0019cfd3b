"""What ``inspect``, ``suggest`` and ``compare`` share: they read an image wherever it is kept, without a database.

Exit status: 0 done, 1 nothing to suggest, 2 the image (or an argument) could not be read, 70 a fault of ours, 130
interrupted.
"""

from __future__ import annotations

import sys
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

from fleet.analysis.redaction import escape_controls
from fleet.image.loading import LoadedImage, load_image
from fleet.oci.errors import RegistryError
from fleet.oci.manifest import Platform
from fleet.oci.reference import parse_location
from fleet.oci.sources import Source, open_location

UNREADABLE = 2
FAULT = 70
INTERRUPTED = 130


class ImageCommand(BaseCommand):
    """Loads the image that the arguments name and hands it to ``report``, whose answer is the exit status."""

    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "reference",
            metavar="REFERENCE",
            help="registry/repository:tag or @digest, docker-daemon:NAME:TAG, oci:PATH[:TAG], oci-archive:PATH[:TAG] "
            "or docker-archive:PATH[:NAME]",
        )
        parser.add_argument("--platform", default="linux/amd64", help="which image of a multi-platform one")
        parser.add_argument("--plain-http", action="store_true", help="allow HTTP without TLS beyond this machine")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            status = self.answer(options)
        except RegistryError as error:
            self.say(str(error))
            status = UNREADABLE
        except KeyboardInterrupt:
            status = INTERRUPTED
        except Exception:  # Python itself would end with 1, which says that there is nothing to suggest.
            traceback.print_exc()
            status = FAULT
        if status:
            sys.exit(status)

    def answer(self, options: dict[str, Any]) -> int:
        """The exit status, once everything is printed. Raises RegistryError."""
        return self.report(self._load(options), options)

    def report(self, image: LoadedImage, options: dict[str, Any]) -> int:
        raise NotImplementedError

    def say(self, sentence: str) -> None:
        """One line for people, on stderr, whatever an image or a registry put into it."""
        self.stderr.write(escape_controls(sentence), style_func=str)

    def _load(self, options: dict[str, Any]) -> LoadedImage:
        platform = Platform.parse(options["platform"])
        with self.opened(options) as (source, reference, progress):
            return load_image(source, reference, platform, progress=progress)

    @contextmanager
    def opened(self, options: dict[str, Any]) -> Iterator[tuple[Source, str, Callable[[int], None]]]:
        """The place that the arguments name, what to ask it for, and whom to tell of bytes that were read."""
        location = parse_location(options["reference"])
        source, reference = open_location(location, plain_http=options["plain_http"])
        with closing(source), _progress() as progress:
            task = progress.add_task("reading layers", total=None)
            yield source, reference, lambda count: progress.advance(task, count)


def _progress() -> Progress:
    """Bytes as they come, on stderr, gone at the end; nothing where nobody watches."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
