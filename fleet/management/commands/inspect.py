"""``manage.py inspect REFERENCE``: what an image holds, what of it is waste."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from fleet.analysis.analyse import analyse
from fleet.image.loading import LoadedImage
from fleet.image.platforms import weigh_platforms
from fleet.management.image_command import ImageCommand
from fleet.management.platforms import platforms_as_json, print_platforms
from fleet.management.reporting import analysis_as_json
from fleet.management.terminal import print_analysis

ALL = "all"


class Command(ImageCommand):
    help = "Print the analysis of any image: sizes, layers, packages, findings. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.epilog = "--platform all weighs the images of every platform, and the sum that a registry keeps."

    def answer(self, options: dict[str, Any]) -> int:
        if options["platform"] != ALL:
            return super().answer(options)
        with self.opened(options) as (source, reference, progress):
            weight = weigh_platforms(source, reference, progress=progress)
        if options["json"]:
            self.stdout.write(platforms_as_json(options["reference"], weight))
        else:
            print_platforms(self.stdout, options["reference"], weight)
        return 0

    def report(self, image: LoadedImage, options: dict[str, Any]) -> int:
        analysis = analyse(image)
        if options["json"]:
            self.stdout.write(analysis_as_json(options["reference"], image, analysis))
        else:
            print_analysis(self.stdout, options["reference"], image, analysis)
        return 0
