"""What commands that make suggestions have in common: the Dockerfile to start from, and where bases are."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any, get_args

from fleet.dockerfile.bases import RegistryBases, parse_mirrors
from fleet.dockerfile.suggestion import Mode
from fleet.image.loading import LoadedImage
from fleet.management.dockerfile_file import read_dockerfile
from fleet.management.image_command import UNREADABLE, ImageCommand
from fleet.oci.errors import RegistryError


class SuggestionCommand(ImageCommand):
    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--mode", choices=get_args(Mode), help="rebuild with --dockerfile, else repack")
        parser.add_argument("--dockerfile", metavar="FILE", help="the team's own Dockerfile, - for standard input")
        parser.add_argument(
            "--mirror",
            action="append",
            default=[],
            metavar="PREFIX=PLACE",
            help="where bases are served: docker.io/library=registry.example.com/hub (repeatable)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:  # before a long download
            options["mirrors"] = parse_mirrors(options["mirror"])
            options["text"] = read_dockerfile(options["dockerfile"])[0] if options["dockerfile"] else None
            self.prepare(options)
        except RegistryError as error:
            self.say(str(error))
            sys.exit(UNREADABLE)
        super().handle(*args, **options)

    def prepare(self, options: dict[str, Any]) -> None:
        """Read and check what else was asked for. Raises RegistryError."""


def mode_of(options: dict[str, Any]) -> Mode:
    mode: Mode = options["mode"] or ("rebuild" if options["text"] is not None else "repack")
    return mode


def bases_of(image: LoadedImage, options: dict[str, Any]) -> RegistryBases:
    """On the image's own platform: one that is no index is read whatever --platform says."""
    return RegistryBases(
        options["mirrors"], platform=image.config.platform, plain_http=options["plain_http"], hosts=None
    )
