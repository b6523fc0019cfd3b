"""``manage.py suggest REFERENCE``: a smaller Dockerfile on stdout, what it saves and why on stderr."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any, get_args

from fleet.analysis.analyse import analyse
from fleet.analysis.redaction import escape_controls
from fleet.dockerfile.bases import RegistryBases, parse_mirrors
from fleet.dockerfile.lint import linted
from fleet.dockerfile.suggest import suggest
from fleet.dockerfile.suggestion import Mode, NothingToSuggest, Suggestion, Tier
from fleet.image.loading import LoadedImage
from fleet.management.dockerfile_file import read_dockerfile
from fleet.management.image_command import UNREADABLE, ImageCommand
from fleet.management.reporting import suggestion_as_json
from fleet.management.terminal import print_suggestion
from fleet.oci.errors import RegistryError

NOTHING = 1


class Command(ImageCommand):
    help = "Print a smaller multi-stage Dockerfile for any image. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--mode", choices=get_args(Mode), help="rebuild with --dockerfile, else repack")
        parser.add_argument("--dockerfile", metavar="FILE", help="the team's own Dockerfile, - for standard input")
        parser.add_argument("--tier", choices=get_args(Tier), default="slim", help="what the final stage starts from")
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
        except RegistryError as error:
            self.say(str(error))
            sys.exit(UNREADABLE)
        super().handle(*args, **options)

    def report(self, image: LoadedImage, options: dict[str, Any]) -> int:
        try:
            suggestion = _suggest(image, options)
        except NothingToSuggest as reason:
            if options["json"]:
                self.stdout.write(json.dumps({"reason": str(reason)}, indent=2))
            self.say(str(reason))
            return NOTHING
        if options["json"]:
            self.stdout.write(suggestion_as_json(image, suggestion))
        else:
            self._print(suggestion)
        return 0

    def _print(self, suggestion: Suggestion) -> None:
        """The Dockerfile goes out byte by byte where it is kept, and harmless where it is looked at."""
        text = suggestion.dockerfile
        if self.stdout.isatty():
            text = "\n".join(escape_controls(line) for line in text.splitlines())
        self.stdout.write(text)
        print_suggestion(self.stderr, suggestion)


def _suggest(image: LoadedImage, options: dict[str, Any]) -> Suggestion:
    # The image's own platform: one that is no index is read whatever --platform says.
    bases = RegistryBases(
        options["mirrors"], platform=image.config.platform, plain_http=options["plain_http"], hosts=None
    )
    suggestion = suggest(
        image,
        analyse(image),
        mode=options["mode"] or ("rebuild" if options["text"] is not None else "repack"),
        tier=options["tier"],
        bases=bases,
        dockerfile=options["text"],
    )
    return linted(suggestion)
