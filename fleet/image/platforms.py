"""One name, several platforms: what each of its images weighs, and all of them together, shared blobs counted once.

Manifests suffice, and configs where an index does not say which platform an image is for. Layers are read only where a
source keeps them plain, since nothing else tells there what a pull would move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from fleet.image.loading import load_image, read_config
from fleet.oci.errors import NotFound, TooLarge, UnsupportedMediaType
from fleet.oci.manifest import Descriptor, Index, Manifest, parse_config, parse_manifest
from fleet.oci.media_types import describe_artifact, describe_index, is_foreign_layer
from fleet.oci.sources.source import Source

PLATFORM_LIMIT = 100


@dataclass(frozen=True, slots=True)
class PlatformWeight:
    """One platform's image. ``unpacked_bytes`` is None where its layers were not read; ``blobs`` are the sizes of its
    config and layers by digest, ``foreign`` those of layers that somebody else keeps."""

    platform: str
    digest: str
    layers: int
    unpacked_bytes: int | None
    compressed_estimated: bool
    blobs: Mapping[str, int] = field(repr=False)
    foreign: Mapping[str, int] = field(repr=False)
    unpacked: Mapping[str, int] = field(repr=False)

    @property
    def compressed_bytes(self) -> int:
        return sum(self.blobs.values())

    @property
    def foreign_bytes(self) -> int:
        return sum(self.foreign.values())


@dataclass(frozen=True, slots=True)
class PlatformsWeight:
    """``digest`` is of what the name points to. ``missing`` are platforms that an index names and its source does not
    hold; ``attestations`` and ``artifacts`` count what is no image and weighs nothing here."""

    digest: str
    platforms: tuple[PlatformWeight, ...]
    missing: tuple[str, ...] = ()
    attestations: int = 0
    artifacts: int = 0

    @property
    def compressed_bytes(self) -> int:
        return sum(_together(each.blobs for each in self.platforms).values())

    @property
    def shared_bytes(self) -> int:
        """What the platforms have in common and a registry so keeps once."""
        return sum(each.compressed_bytes for each in self.platforms) - self.compressed_bytes

    @property
    def foreign_bytes(self) -> int:
        return sum(_together(each.foreign for each in self.platforms).values())

    @property
    def unpacked_bytes(self) -> int | None:
        """None unless the layers of every platform were read."""
        if any(each.unpacked_bytes is None for each in self.platforms):
            return None
        return sum(_together(each.unpacked for each in self.platforms).values())


def weigh_platforms(
    source: Source, reference: str, *, progress: Callable[[int], None] = lambda count: None
) -> PlatformsWeight:
    """Every image that a tag or digest stands for. ``progress`` as for ``load_image``. Raises RegistryError."""
    descriptor, body = source.manifest(reference)
    found = parse_manifest(body, descriptor.media_type)
    if isinstance(found, Manifest):
        if what := describe_artifact(found):
            raise UnsupportedMediaType(
                f"{source.name}@{descriptor.digest} is {what}, not a container image. Leave its tag out."
            )
        return PlatformsWeight(descriptor.digest, (_weigh(source, descriptor, found, progress),))
    return _weigh_index(source, descriptor.digest, found, progress)


def _weigh_index(source: Source, digest: str, index: Index, progress: Callable[[int], None]) -> PlatformsWeight:
    where = f"{source.name}@{digest}"
    if not index.images:
        raise UnsupportedMediaType(f"{where} is {describe_index(index)}, not a container image. Leave its tag out.")
    if len(index.images) > PLATFORM_LIMIT:
        raise TooLarge(
            f"{where} is an index of {len(index.images)} images; no more than {PLATFORM_LIMIT} are weighed together. "
            "Name a platform."
        )
    weights: list[PlatformWeight] = []
    missing: list[str] = []
    others = len(index.manifests) - len(index.images) - len(index.attestations)
    for item in index.images:
        named = str(item.platform) if item.platform else item.digest
        try:
            descriptor, body = source.manifest(item.digest)
        except NotFound:
            missing.append(named)
            continue
        manifest = parse_manifest(body, descriptor.media_type)
        if isinstance(manifest, Index) or describe_artifact(manifest):
            others += 1
        else:
            weights.append(_weigh(source, item, manifest, progress))
    return PlatformsWeight(digest, tuple(weights), tuple(missing), len(index.attestations), others)


def _weigh(source: Source, item: Descriptor, manifest: Manifest, progress: Callable[[int], None]) -> PlatformWeight:
    platform = item.platform
    if platform is None or not source.stores_compressed:
        stated = parse_config(read_config(source, manifest.config)).platform
        platform = platform or stated
        if not source.stores_compressed:
            loaded = load_image(source, item.digest, stated, progress=progress)
            config = {manifest.config.digest: manifest.config.size_bytes}
            return PlatformWeight(
                str(platform),
                item.digest,
                len(manifest.layers),
                loaded.sizes.unpacked_bytes,
                loaded.compressed_estimated,
                config | {layer.digest: layer.compressed_bytes for layer in loaded.layers},
                {},
                {layer.digest: layer.unpacked_bytes for layer in loaded.layers},
            )
    blobs = {manifest.config.digest: manifest.config.size_bytes}
    foreign: dict[str, int] = {}
    for layer in manifest.layers:
        (foreign if is_foreign_layer(layer.media_type) else blobs)[layer.digest] = layer.size_bytes
    return PlatformWeight(str(platform), item.digest, len(manifest.layers), None, False, blobs, foreign, {})


def _together(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Each digest once."""
    return {digest: size_bytes for part in parts for digest, size_bytes in part.items()}
