"""An image as a whole: its manifest and config, its layers' indexes, and the tree that they make."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

from fleet.image.entries import LayerIndex
from fleet.image.filetree import FileTree, apply_layers
from fleet.image.layer import index_layer
from fleet.image.limits import DEFAULT_LIMITS
from fleet.image.sizes import Sizes
from fleet.oci.digests import is_digest
from fleet.oci.errors import DigestMismatch, InvalidResponse, NotFound, TooLarge, UnsupportedMediaType
from fleet.oci.manifest import (
    CONFIG_LIMIT_BYTES,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    Platform,
    choose_platform,
    parse_config,
    parse_manifest,
)
from fleet.oci.media_types import describe_artifact, describe_index, is_foreign_layer
from fleet.oci.provenance import Provenance
from fleet.oci.sources.source import Source
from fleet.oci.wording import shown

# Inflating releases the interpreter, so that two layers take the time of one.
_READERS = 2


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """What a reference points to for one platform: ``descriptor`` is the platform's manifest, never an index.

    ``index`` is the one that it was found in, which also leads to its provenance; None where there was none.
    """

    descriptor: Descriptor
    manifest_body: bytes
    manifest: Manifest
    config_body: bytes
    config: ImageConfig
    index: Index | None = None


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image with the indexes of all its layers, in order. ``name`` is what FROM would say without a tag, ``tag``
    the one it was asked for by, empty where that was a digest. ``provenance`` is there when somebody asked for it."""

    name: str
    descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig
    layers: tuple[LayerIndex, ...]
    tree: FileTree
    tag: str = ""
    provenance: Provenance | None = None

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.descriptor.digest}"

    @property
    def compressed_estimated(self) -> bool:
        """Whether the source keeps plain layers, so that what a pull would move could only be sampled."""
        return any(layer.compressed_estimated for layer in self.layers)

    @property
    def sizes(self) -> Sizes:
        """Config and layers as a pull moves them, and the sum of files over layers."""
        unpacked_bytes = sum(layer.unpacked_bytes for layer in self.layers)
        if not self.compressed_estimated:
            return Sizes(unpacked_bytes, self.manifest.compressed_bytes)
        layers_bytes = sum(layer.compressed_bytes for layer in self.layers)
        return Sizes(unpacked_bytes, self.manifest.config.size_bytes + layers_bytes)


def resolve_image(source: Source, reference: str, platform: Platform) -> ResolvedImage:
    """Follow a tag or digest to the manifest and config for ``platform``: two or three requests, no layer.

    Raises RegistryError; UnsupportedMediaType says what the reference is when it is no image, NotFound that its image
    is for another platform.
    """
    descriptor, body = source.manifest(reference)
    manifest = parse_manifest(body, descriptor.media_type)
    index: Index | None = None
    is_chosen = False
    if isinstance(manifest, Index):
        if not manifest.images:
            raise UnsupportedMediaType(
                f"{source.name}@{descriptor.digest} is {describe_index(manifest)}, not a container image. "
                "Leave its tag out."
            )
        index, chosen = manifest, choose_platform(manifest, platform)
        is_chosen = chosen.platform is not None
        descriptor, body = source.manifest(chosen.digest)
        manifest = parse_manifest(body, descriptor.media_type)
    where = f"{source.name}@{descriptor.digest}"
    if isinstance(manifest, Index):
        raise UnsupportedMediaType(f"{where} is an index within an index. Name the image itself by its digest.")
    artifact = describe_artifact(manifest)
    if artifact:
        raise UnsupportedMediaType(f"{where} is {artifact}, not a container image. Leave its tag out.")
    config_body = read_config(source, manifest.config)
    config = parse_config(config_body)
    # An index has said already which platform its image is for.
    if not is_chosen and config.platform.contradicts(platform):
        held = shown(str(config.platform))
        raise NotFound(
            f"{where} is an image for {held}, not for {platform}. Ask for {held}, or push one for {platform}."
        )
    return ResolvedImage(descriptor, body, manifest, config_body, config, index)


def read_config(source: Source, config: Descriptor) -> bytes:
    """The body of an image config. Raises TooLarge before anything is read of one that no builder writes."""
    if config.size_bytes > CONFIG_LIMIT_BYTES:
        raise TooLarge(
            f"The image config {config.digest} in {source.name} is said to be {config.size_bytes} bytes long; "
            f"{CONFIG_LIMIT_BYTES} is the most that is read. Build the image again."
        )
    return b"".join(source.blob(config))


def load_image(
    source: Source,
    reference: str,
    platform: Platform,
    *,
    known: Callable[[Descriptor], LayerIndex | None] = lambda layer: None,
    progress: Callable[[int], None] = lambda count: None,
) -> LoadedImage:
    """Read an image whole. ``known`` answers for layers that were indexed before, which are not downloaded again;
    ``progress`` is told the stored bytes of each chunk as it comes, from several threads. Raises RegistryError."""
    resolved = resolve_image(source, reference, platform)
    indexes = _read_layers(source, resolved.manifest.layers, known, progress)
    return assemble(source.name, resolved, indexes, tag="" if is_digest(reference) else reference)


def assemble(name: str, resolved: ResolvedImage, layers: Sequence[LayerIndex], *, tag: str = "") -> LoadedImage:
    """An image from parts that are at hand. ``layers`` in the manifest's order, none left out.

    Raises DigestMismatch where a layer inflates to something else than the config says, as an engine would refuse it.
    """
    if len(layers) != len(resolved.manifest.layers):
        raise InvalidResponse(
            f"{name}@{resolved.descriptor.digest} has {len(resolved.manifest.layers)} layers, {len(layers)} were read. "
            "Scan it again."
        )
    _verify_contents(f"{name}@{resolved.descriptor.digest}", resolved.config.diff_ids, layers)
    check_entries(f"{name}@{resolved.descriptor.digest}", layers)
    return LoadedImage(
        name, resolved.descriptor, resolved.manifest, resolved.config, tuple(layers), apply_layers(layers), tag
    )


def check_entries(where: str, layers: Iterable[LayerIndex]) -> None:
    """Raises TooLarge for layers that hold more entries together than fit into memory."""
    entries = sum(len(layer.entries) for layer in layers)
    if entries > DEFAULT_LIMITS.image_entries:
        raise TooLarge(
            f"The layers of {where} hold {entries} entries together; {DEFAULT_LIMITS.image_entries} are the most that "
            "is read. No software needs that; check the image."
        )


def _verify_contents(where: str, diff_ids: Sequence[str], layers: Sequence[LayerIndex]) -> None:
    """The config names what each layer inflates to. Configs of old, and those that are made up for what has none, name
    nothing: then there is nothing to compare."""
    if not diff_ids:
        return
    if len(diff_ids) != len(layers):
        raise InvalidResponse(
            f"{where} has {len(layers)} layers where its config names {len(diff_ids)}. No engine runs it: push the "
            "image again."
        )
    for position, (diff_id, layer) in enumerate(zip(diff_ids, layers, strict=True), 1):
        if diff_id.startswith("sha256:") and is_digest(diff_id) and layer.diff_id and layer.diff_id != diff_id:
            raise DigestMismatch(
                f"Layer {position} of {where} inflates to {layer.diff_id}, where its config says {diff_id}. No engine "
                "runs it: push the image again."
            )


def layer_chunks(source: Source, layer: Descriptor) -> Iterator[bytes]:
    """A layer's blob as its source stores it. A foreign layer is read where the source holds it all the same and never
    from the addresses that its descriptor names: they are somebody else's."""
    try:
        yield from source.blob(layer)
    except NotFound as error:
        if not is_foreign_layer(layer.media_type):
            raise
        raise NotFound(
            f"Layer {layer.digest} is foreign: {source.name} does not hold it, and it is not fetched from elsewhere. "
            f"Its {layer.size_bytes} bytes are weighed apart; push it with the image to have its files read."
        ) from error


def _read_layers(
    source: Source,
    layers: Sequence[Descriptor],
    known: Callable[[Descriptor], LayerIndex | None],
    progress: Callable[[int], None],
) -> list[LayerIndex]:
    """The index of each layer; those that an image holds twice are read once."""
    distinct = {layer.digest: layer for layer in layers}
    indexes = {digest: index for digest, layer in distinct.items() if (index := _usable(known(layer), source))}
    failed = threading.Event()
    # What keeps plain layers is one file or one engine, better read from start to end.
    with ThreadPoolExecutor(_READERS if source.stores_compressed else 1, "layer") as pool:
        reading = {
            digest: pool.submit(_read_layer, source, layer, progress, failed)
            for digest, layer in _in_reading_order(distinct, source)
            if digest not in indexes
        }
        try:
            wait(reading.values(), return_when=FIRST_EXCEPTION)
        finally:
            failed.set()
    errors = [error for future in reading.values() if (error := future.exception())]
    for error in sorted(errors, key=lambda error: isinstance(error, _Abandoned)):
        raise error
    indexes.update((digest, future.result()) for digest, future in reading.items())
    return [indexes[layer.digest] for layer in layers]


def _in_reading_order(layers: Mapping[str, Descriptor], source: Source) -> Iterable[tuple[str, Descriptor]]:
    """The largest first, so that none is read alone in the end; what lies in one file in the order of the file."""
    if not source.stores_compressed:
        return layers.items()
    return sorted(layers.items(), key=lambda item: -item[1].size_bytes)


def _usable(index: LayerIndex | None, source: Source) -> LayerIndex | None:
    """A known index, unless it holds estimates and the source can tell the truth."""
    return None if index is None or (index.compressed_estimated and source.stores_compressed) else index


def _read_layer(
    source: Source, layer: Descriptor, progress: Callable[[int], None], failed: threading.Event
) -> LayerIndex:
    if failed.is_set():
        raise _Abandoned
    try:
        return index_layer(
            _watched(layer_chunks(source, layer), progress, failed),
            digest=layer.digest,
            media_type=layer.media_type,
            stores_compressed=source.stores_compressed,
        )
    except BaseException:
        failed.set()
        raise


class _Abandoned(Exception):
    """Another layer of the same image failed, or the caller was interrupted."""


def _watched(chunks: Iterable[bytes], progress: Callable[[int], None], failed: threading.Event) -> Iterator[bytes]:
    for chunk in chunks:
        if failed.is_set():
            raise _Abandoned
        progress(len(chunk))
        yield chunk
