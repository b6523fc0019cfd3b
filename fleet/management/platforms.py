"""The weight of an image on all its platforms, for programs and for people."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import OutputWrapper
from rich.table import Table
from rich.text import Text

from fleet.image.platforms import PlatformsWeight, PlatformWeight
from fleet.management.terminal import bytes_for_people, escaped, print_lines


def platforms_as_json(reference: str, weight: PlatformsWeight) -> str:
    """``compressed_bytes`` at the top counts what platforms share once; ``unpacked_bytes`` is null where layers were
    not read. The keys are stable: programs read them."""
    return json.dumps(
        {
            "reference": reference,
            "digest": weight.digest,
            "platforms": [_platform_json(each) for each in weight.platforms],
            "compressed_bytes": weight.compressed_bytes,
            "unpacked_bytes": weight.unpacked_bytes,
            "shared_bytes": weight.shared_bytes,
            "foreign_bytes": weight.foreign_bytes,
            "attestations": weight.attestations,
            "artifacts": weight.artifacts,
            "missing": list(weight.missing),
        },
        indent=2,
    )


def _platform_json(each: PlatformWeight) -> dict[str, Any]:
    return {
        "platform": each.platform,
        "digest": each.digest,
        "layers": each.layers,
        "compressed_bytes": each.compressed_bytes,
        "unpacked_bytes": each.unpacked_bytes,
        "foreign_bytes": each.foreign_bytes,
        "compressed_estimated": each.compressed_estimated,
    }


def print_platforms(out: OutputWrapper, reference: str, weight: PlatformsWeight) -> None:
    """Text from the image is escaped before it is shown."""
    table = Table("platform", "manifest", box=None, pad_edge=False, header_style="bold")
    for name in ("layers", "compressed", "unpacked"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in weight.platforms:
        table.add_row(
            escaped(each.platform or "not stated"),
            escaped(each.digest),
            str(each.layers),
            bytes_for_people(each.compressed_bytes) + (" (estimated)" if each.compressed_estimated else ""),
            _unpacked(each.unpacked_bytes),
        )
    together = bytes_for_people(weight.compressed_bytes)
    table.add_row("all together", "", "", together, _unpacked(weight.unpacked_bytes), style="bold")
    lines: list[Text | Table] = [escaped(reference), escaped(weight.digest), Text(), table, Text()]
    lines += [escaped(line) for line in _remarks(weight)]
    print_lines(out, lines)


def _remarks(weight: PlatformsWeight) -> list[str]:
    remarks = [f"Blobs that platforms share are counted once in the sum: {bytes_for_people(weight.shared_bytes)} less."]
    if weight.unpacked_bytes is None:
        remarks.append("Unpacked sizes need the layers to be read: inspect one platform for its own.")
    if weight.foreign_bytes:
        remarks.append(f"Foreign layers, kept by somebody else, weigh {bytes_for_people(weight.foreign_bytes)} more.")
    if weight.attestations:
        remarks.append(f"Left out as no images: attestations, {weight.attestations} in number.")
    if weight.artifacts:
        remarks.append(f"Left out as no images: other content, {weight.artifacts} in number.")
    if weight.missing:
        remarks.append(f"Named by the index and not held here: {', '.join(weight.missing)}.")
    return remarks


def _unpacked(count: int | None) -> str:
    return "not read" if count is None else bytes_for_people(count)
