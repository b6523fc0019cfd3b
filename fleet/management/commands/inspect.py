"""``manage.py inspect REFERENCE``: what an image holds, what of it is waste."""

from __future__ import annotations

from typing import Any

from fleet.analysis.analyse import analyse
from fleet.image.loading import LoadedImage
from fleet.management.image_command import ImageCommand
from fleet.management.reporting import analysis_as_json
from fleet.management.terminal import print_analysis


class Command(ImageCommand):
    help = "Print the analysis of any image: sizes, layers, packages, findings. Needs no database."

    def report(self, image: LoadedImage, options: dict[str, Any]) -> int:
        analysis = analyse(image)
        if options["json"]:
            self.stdout.write(analysis_as_json(options["reference"], image, analysis))
        else:
            print_analysis(self.stdout, options["reference"], image, analysis)
        return 0
