"""What one image is made of, as the service page shows it: layers, packages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TypedDict

from fleet.analysis.ownership import layer_steps
from fleet.analysis.redaction import redact
from fleet.models import Analysis, Image, ImageLayer
from fleet.oci.errors import RegistryError
from fleet.oci.manifest import parse_config

LARGEST_PACKAGES = 20


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer. The shares are percent of the largest layer, for the length of a bar; ``step`` is redacted."""

    position: int
    digest: str
    media_type: str
    compressed_bytes: int
    unpacked_bytes: int | None
    share: float
    entries: int | None
    step: str
    base: bool
    services: int


def layer_rows(image: Image, analysis: Analysis | None, uses: Mapping[int, int]) -> list[LayerRow]:
    """The layers of an image from the base up. One query, which leaves their large indexes alone. ``uses`` says how
    many services use a layer, by its key, where it is more than one."""
    found = ImageLayer.objects.filter(image=image).select_related("layer").defer("layer__index")
    layers = [(each.position, each.layer) for each in found]
    largest = max((layer.compressed_bytes for _, layer in layers), default=0) or 1
    steps = _steps(image, len(layers))
    base_layers = analysis.base_layers if analysis else 0
    return [
        LayerRow(
            position=position,
            digest=layer.digest,
            media_type=layer.media_type,
            compressed_bytes=layer.compressed_bytes,
            unpacked_bytes=layer.unpacked_bytes,
            share=round(100 * layer.compressed_bytes / largest, 1),
            entries=layer.entries,
            step=steps[at],
            base=position < base_layers,
            services=uses.get(layer.pk, 1),
        )
        for at, (position, layer) in enumerate(layers)
    ]


def _steps(image: Image, count: int) -> Sequence[str]:
    """The build step of each layer; blanks where the history does not match the layers one to one."""
    try:
        history = parse_config(bytes(image.config)).history
    except RegistryError:
        return [""] * count
    steps = layer_steps(history, count)
    return [redact(step.created_by or step.comment) for step in steps] if steps else [""] * count


class StoredPackage(TypedDict):
    """As ``Analysis.packages`` keeps it."""

    ecosystem: str
    name: str
    version: str
    bytes: int


@dataclass(frozen=True, slots=True)
class PackageSummary:
    """``ecosystems``: name and number of packages, most first. ``rest`` counts the packages that are not shown."""

    total: int
    ecosystems: list[tuple[str, int]]
    largest: list[StoredPackage]
    rest: int


def package_summary(packages: Sequence[StoredPackage]) -> PackageSummary:
    counts = Counter(package["ecosystem"] for package in packages)
    largest = sorted(packages, key=itemgetter("bytes"), reverse=True)[:LARGEST_PACKAGES]
    return PackageSummary(
        total=len(packages), ecosystems=counts.most_common(), largest=largest, rest=len(packages) - len(largest)
    )
