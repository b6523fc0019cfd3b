"""``manage.py check_dockerfile FILE``: what keeps its image from running, as far as the text alone proves it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from fleet.analysis.redaction import escape_controls
from fleet.dockerfile.faults import find_faults
from fleet.management.dockerfile_file import UnreadableDockerfile, read_dockerfile

FAULTY = 1
UNREADABLE = 2


class Command(BaseCommand):
    help = (
        "Names what keeps a Dockerfile's image from running: a shell form without a shell, a program without its "
        "interpreter, dependencies left behind in another stage. Nothing is built and nothing is asked. Exit status: "
        "0 no fault can be proven; 1 there are faults; 2 it is no Dockerfile."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a Dockerfile, - for standard input")
        parser.add_argument("--json", action="store_true", help="a list of kind, line and sentence")

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        try:
            _, dockerfile = read_dockerfile(file)
        except UnreadableDockerfile as error:
            self.stderr.write(escape_controls(str(error)))
            sys.exit(UNREADABLE)
        faults = find_faults(dockerfile)
        if options["json"]:
            found = [{"kind": fault.kind, "line": fault.line, "sentence": fault.sentence} for fault in faults]
            self.stdout.write(json.dumps(found, indent=2))
        else:
            for fault in faults:
                self.stdout.write(escape_controls(fault.sentence))
            if not faults:
                self.stderr.write("No fault can be proven from the text. Only a build and a start prove that it runs.")
        if faults:
            sys.exit(FAULTY)
