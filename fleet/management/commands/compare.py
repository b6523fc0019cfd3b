"""``manage.py compare REFERENCE REFERENCE``: what changed between two images, wherever they are kept."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from fleet.analysis.growth import grow, layer_changes
from fleet.image.loading import LoadedImage, load_image
from fleet.image.packages import read_packages
from fleet.management.comparison import comparison_as_json, print_comparison
from fleet.management.image_command import ImageCommand
from fleet.oci.manifest import Platform


class Command(ImageCommand):
    help = "Print what changed between two images, by packages and files. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("after", metavar="REFERENCE", help="the image that is compared with it, in the same forms")

    def report(self, image: LoadedImage, options: dict[str, Any]) -> int:
        after = self._load_after(image, options)
        images, references = (image, after), (options["reference"], options["after"])
        growth = grow(image, after, read_packages(image.tree), read_packages(after.tree))
        layers = layer_changes(image, after)
        if options["json"]:
            self.stdout.write(comparison_as_json(references, images, growth, layers))
        else:
            print_comparison(self.stdout, references, images, growth, layers)
        return 0

    def _load_after(self, before: LoadedImage, options: dict[str, Any]) -> LoadedImage:
        """The second image; layers that the first one has are not read twice."""
        known = {layer.digest: layer for layer in before.layers}
        platform = Platform.parse(options["platform"])
        with self.opened({**options, "reference": options["after"]}) as (source, reference, progress):
            return load_image(
                source, reference, platform, known=lambda layer: known.get(layer.digest), progress=progress
            )
