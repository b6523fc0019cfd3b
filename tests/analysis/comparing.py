"""Images to be compared: a layer's digest follows from what it holds, so that two images share the same layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256

from fleet.analysis.growth import Growth, grow
from fleet.image.loading import LoadedImage
from fleet.image.packages.package import Package
from fleet.oci.manifest import HistoryEntry
from tests.analysis.images import Content, make_image

KB = 1_000
MB = 1_000_000


def image(*layers: Mapping[str, Content], steps: Iterable[str] = (), config_bytes: int = 500) -> LoadedImage:
    made = make_image(*layers, history=[HistoryEntry(step) for step in steps])
    digests = [f"sha256:{sha256(repr(layer.entries).encode()).hexdigest()}" for layer in made.layers]
    descriptors = [
        replace(descriptor, digest=digest)
        for descriptor, digest in zip(made.manifest.layers, digests, strict=True)
    ]  # fmt: skip
    indexes = [replace(layer, digest=digest) for layer, digest in zip(made.layers, digests, strict=True)]
    config = replace(made.manifest.config, size_bytes=config_bytes)
    manifest = replace(made.manifest, layers=tuple(descriptors), config=config)
    return replace(made, manifest=manifest, layers=tuple(indexes))


def package(name: str, version: str, *paths: str, ecosystem: str = "deb") -> Package:
    return Package(ecosystem, name, version, 0, 0, paths)


def compare(
    before: LoadedImage, after: LoadedImage, old: Iterable[Package] = (), new: Iterable[Package] = ()
) -> Growth:
    """The growth, once it was seen to hold its promises."""
    growth = grow(before, after, tuple(old), tuple(new))
    assert growth.delta == after.sizes - before.sizes
    check(growth)
    return growth


def check(growth: Growth) -> None:
    """The causes add up to the byte, the first five say nine tenths of the difference, and there are few."""
    for kind in ("unpacked_bytes", "compressed_bytes"):
        deltas = [getattr(cause.delta, kind) for cause in growth.causes]
        whole = getattr(growth.delta, kind)
        assert sum(deltas) == whole
        assert 10 * abs(whole - sum(deltas[:5])) <= abs(whole)
    sizes = [abs(cause.delta.compressed_bytes) for cause in growth.causes]
    assert sizes == sorted(sizes, reverse=True)
    assert len(growth.causes) <= 20


def told(growth: Growth) -> list[tuple[str, str, int]]:
    """Change, label and unpacked bytes of each cause."""
    return [(cause.change, cause.label, cause.delta.unpacked_bytes) for cause in growth.causes]
