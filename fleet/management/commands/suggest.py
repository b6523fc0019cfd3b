"""``manage.py suggest REFERENCE``: a smaller Dockerfile on stdout, what it saves and why on stderr."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any, get_args

from fleet.analysis.analyse import analyse
from fleet.analysis.redaction import escape_controls
from fleet.dockerfile.lint import linted
from fleet.dockerfile.suggest import suggest
from fleet.dockerfile.suggestion import NothingToSuggest, Suggestion, Tier
from fleet.image.loading import LoadedImage
from fleet.management.reporting import suggestion_as_json
from fleet.management.suggestion_command import SuggestionCommand, bases_of, mode_of
from fleet.management.terminal import print_suggestion

NOTHING = 1


class Command(SuggestionCommand):
    help = "Print a smaller multi-stage Dockerfile for any image. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--tier", choices=get_args(Tier), default="slim", help="what the final stage starts from")

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
    suggestion = suggest(
        image,
        analyse(image),
        mode=mode_of(options),
        tier=options["tier"],
        bases=bases_of(image, options),
        dockerfile=options["text"],
    )
    return linted(suggestion)
