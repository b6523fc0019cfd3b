"""The versions of paths that one of two images holds, and when two of them are the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fleet.analysis.growth.labels import step_texts
from fleet.image.entries import Entry
from fleet.image.loading import LoadedImage
from fleet.image.packages.package import Package
from fleet.oci.media_types import is_foreign_layer

PackageKey = tuple[str, str]


class Version(NamedTuple):
    entry: Entry
    layer: int
    is_hidden: bool


@dataclass(slots=True)
class Side:
    """One of the two images. ``left_out`` are positions of layers that the other has too, ``unpulled`` of those that
    no pull moves; ``owners`` gives the package of a path."""

    image: LoadedImage
    packages: dict[PackageKey, list[str]]
    owners: Mapping[str, PackageKey]
    steps: Sequence[str]
    unpulled: frozenset[int]
    left_out: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, image: LoadedImage, packages: Iterable[Package]) -> Side:
        versions: dict[PackageKey, list[str]] = defaultdict(list)
        owners: dict[str, PackageKey] = {}
        for package in packages:
            key = package.ecosystem, package.name
            versions[key].append(package.version)
            for path in package.paths:
                owners.setdefault(path, key)
        foreign = (at for at, layer in enumerate(image.manifest.layers) if is_foreign_layer(layer.media_type))
        unpulled = frozenset[int]() if image.compressed_estimated else frozenset(foreign)
        return cls(image, versions, owners, step_texts(image.config, len(image.layers)), unpulled)

    def live(self) -> Iterator[Version]:
        for node in self.image.tree.nodes.values():
            if node.layer not in self.left_out and node.entry.kind != "directory":
                yield Version(node.entry, node.layer, False)

    def hidden(self) -> Iterator[Version]:
        for version in self.image.tree.hidden:
            if version.layer not in self.left_out and version.entry.kind != "directory":
                yield Version(version.entry, version.layer, True)

    def compressed_bytes(self, version: Version) -> int:
        return 0 if version.layer in self.unpulled else version.entry.compressed_bytes

    def has(self, path: str) -> bool:
        return path in self.image.tree.nodes


def leave_out_shared(old: Side, new: Side) -> None:
    """Pair the layers that both images have; one that an image holds twice needs two on the other side."""
    positions: dict[str, list[int]] = defaultdict(list)
    for at, layer in enumerate(old.image.layers):
        positions[layer.digest].append(at)
    for at, layer in enumerate(new.image.layers):
        same = positions[layer.digest]
        if same:
            old.left_out.add(same.pop(0))
            new.left_out.add(at)


def is_known(entry: Entry) -> bool:
    return entry.fingerprint != 0 and entry.size_bytes > 0


def content_key(entry: Entry) -> Hashable:
    return entry.path, entry.kind, entry.size_bytes, entry.link, entry.fingerprint or ("mode", entry.mode)


def is_same(before: Entry, after: Entry) -> bool:
    """Whether two versions of a path have the same content. Where a fingerprint is missing the mode must do."""
    if before.kind != after.kind or before.size_bytes != after.size_bytes or before.link != after.link:
        return False
    if before.fingerprint and after.fingerprint:
        return before.fingerprint == after.fingerprint
    return before.mode == after.mode
