"""What a built image really weighs, in the two kinds that its estimate is in."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing

from fleet.image.layer import index_layer
from fleet.image.sizes import Sizes
from fleet.oci.answer import Stats
from fleet.oci.errors import InvalidResponse
from fleet.oci.manifest import Descriptor, Manifest, parse_manifest
from fleet.oci.sources.engine import Engine as Reader
from fleet.oci.sources.engine import EngineSource
from fleet.verification.engine import EngineSettings
from fleet.verification.watch import Watch

# What ``docker push`` compresses with, in a gzip frame.
_LEVEL = 6
_GZIP = 31
_HEAD_BYTES = 2
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5")


def weigh(settings: EngineSettings, name: str, watch: Watch) -> Sizes:
    """``unpacked_bytes``: the files of all layers; ``compressed_bytes``: the config, and each layer as a push would
    compress it. The image is read as ``docker save`` writes it, once. Raises RegistryError."""
    reader = Reader(settings.url, trust=settings.trust, plain_http=settings.plain_http, stats=_Watched(watch))
    repository, _, tag = name.rpartition(":")
    with closing(reader), closing(EngineSource(repository, reader)) as source:
        descriptor, body = source.manifest(tag)
        manifest = parse_manifest(body, descriptor.media_type)
        if not isinstance(manifest, Manifest):
            raise InvalidResponse(f"The engine saved {name} as an index. Build for one platform.")
        total = Sizes(0, manifest.config.size_bytes)
        for layer in manifest.layers:
            total += _weigh_layer(source, layer, watch)
    return total


def _weigh_layer(source: EngineSource, layer: Descriptor, watch: Watch) -> Sizes:
    counter = _Counter(watch)
    chunks = counter.passing(source.blob(layer))
    index = index_layer(chunks, digest=layer.digest, media_type=layer.media_type)
    return Sizes(index.unpacked_bytes, counter.compressed_bytes)


class _Watched(Stats):
    """Tells who watches that the engine is still saving."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def received(self, length_bytes: int) -> None:
        super().received(length_bytes)
        self._watch.beat()


class _Counter:
    """Compresses what passes to nowhere, unless it is compressed already."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self.compressed_bytes = 0

    def passing(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        plain: bool | None = None
        for chunk in chunks:
            self._watch.beat()
            if plain is None and chunk:
                plain = chunk[:_HEAD_BYTES] not in _COMPRESSED
            self.compressed_bytes += len(self._deflate.compress(chunk)) if plain else len(chunk)
            yield chunk
        if plain:
            self.compressed_bytes += len(self._deflate.flush())
