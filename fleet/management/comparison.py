"""What changed between two images, for programs and for people."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import OutputWrapper
from rich.table import Table
from rich.text import Text

from fleet.analysis.growth import Growth, LayerChange
from fleet.analysis.redaction import escape_controls
from fleet.image.loading import LoadedImage
from fleet.image.sizes import Sizes
from fleet.management.terminal import bytes_for_people, escaped, make_table, print_lines

_PACKAGES_SHOWN = 20


def comparison_as_json(
    references: tuple[str, str],
    images: tuple[LoadedImage, LoadedImage],
    growth: Growth,
    layers: tuple[LayerChange, ...],
) -> str:
    """Sizes are bytes; ``delta`` and the causes' are ``after`` less ``before``, and the causes add up to it. A layer's
    ``before_bytes`` and ``after_bytes`` are compressed, null where the image has none. The keys are stable."""
    before, after = (_image(name, image) for name, image in zip(references, images, strict=True))
    return json.dumps(
        {
            "before": before,
            "after": after,
            "delta": _sizes(growth.delta),
            "causes": [
                {
                    "kind": cause.kind,
                    "change": cause.change,
                    "label": cause.label,
                    "detail": cause.detail,
                    **_sizes(cause.delta),
                }
                for cause in growth.causes
            ],
            "packages": [
                {
                    "ecosystem": package.ecosystem,
                    "name": package.name,
                    "before": package.before or None,
                    "after": package.after or None,
                    **_sizes(package.delta),
                }
                for package in growth.packages
            ],
            "layers": [
                {
                    "step": layer.step,
                    "before_bytes": layer.before_bytes,
                    "after_bytes": layer.after_bytes,
                    "shared": layer.shared,
                }
                for layer in layers
            ],
            "moved_files": growth.moved_files,
        },
        indent=2,
    )


def print_comparison(
    out: OutputWrapper,
    references: tuple[str, str],
    images: tuple[LoadedImage, LoadedImage],
    growth: Growth,
    layers: tuple[LayerChange, ...],
) -> None:
    shared = sum(layer.shared for layer in layers)
    lines: list[Text | Table] = [
        *(escaped(f"{name}: {_pair(image)}") for name, image in zip(references, images, strict=True)),
        escaped(f"{shared} of {len(layers)} layers are in both images."),
        Text(),
    ]
    if growth.causes:
        lines += [_causes(growth)]
    if growth.moved_files:
        lines += [escaped(f"{growth.moved_files} files moved with the same content: no growth.")]
    if growth.packages:
        lines += [_packages(growth)]
    delta = growth.delta
    estimated = " (estimated)" if any(image.compressed_estimated for image in images) else ""
    total = f"{_signed(delta.compressed_bytes)} compressed{estimated}, {_signed(delta.unpacked_bytes)} unpacked"
    print_lines(out, [*lines, escaped(f"Difference: {total}", "bold")])


def _causes(growth: Growth) -> Table:
    table = make_table("Causes", ["compressed", "unpacked"], ["change", "cause"])
    for cause in growth.causes:
        told = escaped(cause.label)
        if cause.detail:
            told.append(f"\n{escape_controls(cause.detail)}", "dim")
        sizes = _signed(cause.delta.compressed_bytes), _signed(cause.delta.unpacked_bytes)
        table.add_row(*sizes, cause.change, told)
    return table


def _packages(growth: Growth) -> Table:
    left = len(growth.packages) - _PACKAGES_SHOWN
    more = f", {left} more changed less" if left > 0 else ""
    table = make_table(f"Packages{more}", ["compressed", "unpacked"], ["package", "before", "after"])
    for package in growth.packages[:_PACKAGES_SHOWN]:
        table.add_row(
            _signed(package.delta.compressed_bytes),
            _signed(package.delta.unpacked_bytes),
            escaped(f"{package.name} ({package.ecosystem})"),
            escaped(package.before or "–"),
            escaped(package.after or "–"),
        )
    return table


def _image(reference: str, image: LoadedImage) -> dict[str, Any]:
    return {
        "reference": reference,
        "digest": image.descriptor.digest,
        "platform": str(image.config.platform),
        **_sizes(image.sizes),
        "compressed_estimated": image.compressed_estimated,
    }


def _pair(image: LoadedImage) -> str:
    sizes = image.sizes
    estimated = " (estimated)" if image.compressed_estimated else ""
    compressed, unpacked = bytes_for_people(sizes.compressed_bytes), bytes_for_people(sizes.unpacked_bytes)
    return f"{compressed} compressed{estimated}, {unpacked} unpacked"


def _signed(count: int) -> str:
    return f"+{bytes_for_people(count)}" if count > 0 else bytes_for_people(count)


def _sizes(sizes: Sizes) -> dict[str, int]:
    return {"unpacked_bytes": sizes.unpacked_bytes, "compressed_bytes": sizes.compressed_bytes}
