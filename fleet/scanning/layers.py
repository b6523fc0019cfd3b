"""The layers of an image, each read once for the whole fleet.

A layer that nobody has read is claimed with a conditional UPDATE of ``claimed_until``. Who gets the row reads the
blob and renews the claim meanwhile; everybody else looks again until the index is there, or the claim ran out because
its worker died, and then takes over. Only this module's caller touches the database: the reader threads fetch,
inflate and index, which releases the GIL for the most part.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from fleet.image.entries import LayerIndex
from fleet.image.layer import index_layer
from fleet.image.loading import check_entries, layer_chunks
from fleet.image.stored import StaleIndex, dump_index, load_index
from fleet.models import Layer
from fleet.oci.errors import RegistryError, Unreachable
from fleet.oci.manifest import Descriptor
from fleet.oci.sources.source import Source

READERS = 2
CLAIM = timedelta(seconds=settings.LEASE_SECONDS)
RENEW_AFTER_SECONDS = settings.LEASE_SECONDS / 3
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 1800.0


def stored_layer(descriptor: Descriptor) -> LayerIndex | None:
    """What is known of a layer without reading it."""
    return stored_layers([descriptor.digest]).get(descriptor.digest)


class LayerReader:
    """Reads layers of one source. ``indexed`` counts those that it read itself, not found or waited for. ``keep_alive``
    is called several times a second; what it raises ends the reading, in the middle of a layer too."""

    def __init__(self, source: Source, keep_alive: Callable[[], None]) -> None:
        self.source = source
        self.keep_alive = keep_alive
        self.readers = READERS if source.stores_compressed else 1
        self.indexed = 0

    def read(self, layers: Iterable[Descriptor]) -> dict[str, LayerIndex]:
        """The indexes of these layers by digest. Raises the first RegistryError, once the layers that were under way
        are stored: they will not be read again."""
        with ThreadPoolExecutor(self.readers, "layer") as pool:
            reading = _Reading(self, {layer.digest: layer for layer in layers}, pool)
            try:
                return reading.run()
            finally:
                reading.stopped.set()
                _release(reading.claims)


class _Reading:
    """One call of ``LayerReader.read``. ``futures`` are the layers being read here, ``claims`` how long they are
    ours; a claim that was renewed by another worker is no longer."""

    def __init__(self, reader: LayerReader, wanted: Mapping[str, Descriptor], pool: ThreadPoolExecutor) -> None:
        self.reader = reader
        self.wanted = wanted
        self.pool = pool
        self.found: dict[str, LayerIndex] = {}
        self.futures: dict[Future[LayerIndex], str] = {}
        self.claims: dict[str, datetime] = {}
        self.failure: RegistryError | None = None
        self.stopped = threading.Event()
        self.advanced = self.renewed = time.monotonic()

    def run(self) -> dict[str, LayerIndex]:
        while self.futures or (self.missing() and not self.failure):
            self.found.update(stored_layers(self.missing()))
            check_entries(f"this image in {self.reader.source.name}", self.found.values())
            self.claim_some()
            self.gather()
            self.keep_alive()
        if self.failure:
            raise self.failure
        return self.found

    def missing(self) -> list[str]:
        busy = set(self.futures.values())
        return [digest for digest in self.wanted if digest not in self.found and digest not in busy]

    def claim_some(self) -> None:
        """No more than can be read at once, so that other workers find something to do."""
        for digest in self.missing():
            if self.failure or len(self.futures) >= self.reader.readers:
                return
            until = _claim(digest)
            if until:
                self.claims[digest] = until
                self.futures[self.pool.submit(self.index, self.wanted[digest])] = digest

    def gather(self) -> None:
        """Store what is ready, or wait a moment."""
        if not self.futures:
            if self.missing():
                time.sleep(POLL_SECONDS)
            return
        ready, _ = wait(self.futures, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in ready:
            digest = self.futures.pop(future)
            try:
                self.keep(digest, future.result())
            except RegistryError as error:
                self.failure = self.failure or error

    def keep(self, digest: str, index: LayerIndex) -> None:
        _store(digest, index)
        self.claims.pop(digest, None)
        self.found[digest] = index
        self.reader.indexed += 1
        self.advanced = time.monotonic()

    def keep_alive(self) -> None:
        self.reader.keep_alive()
        now = time.monotonic()
        if not self.futures and now - self.advanced > PATIENCE_SECONDS:
            raise Unreachable("Another worker has been reading the same layers for too long. Scan again later.")
        if now - self.renewed > RENEW_AFTER_SECONDS:
            self.claims = _renew(self.claims)
            self.renewed = now

    def index(self, layer: Descriptor) -> LayerIndex:
        """In a thread of the pool."""
        source = self.reader.source
        return index_layer(
            self.until_stopped(layer_chunks(source, layer)),
            digest=layer.digest,
            media_type=layer.media_type,
            stores_compressed=source.stores_compressed,
        )

    def until_stopped(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self.stopped.is_set():
                raise Unreachable("Reading was stopped.")
            yield chunk


def stored_layers(digests: Iterable[str]) -> dict[str, LayerIndex]:
    """What is known of these layers. An index that this version cannot read is dropped: its layer is read again."""
    rows = Layer.objects.filter(digest__in=list(digests), index__isnull=False).values_list("digest", "index")
    found: dict[str, LayerIndex] = {}
    for digest, index in rows:
        try:
            found[digest] = load_index(bytes(index or b""))
        except StaleIndex:
            Layer.objects.filter(digest=digest).update(index=None, indexed_at=None)
    return found


def _claim(digest: str) -> datetime | None:
    """Until when the layer is ours to read, or None when it is another's or read already."""
    now = timezone.now()
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)
    claimed = Layer.objects.filter(free, digest=digest, index__isnull=True).update(claimed_until=now + CLAIM)
    return now + CLAIM if claimed else None


def _renew(claims: Mapping[str, datetime]) -> dict[str, datetime]:
    until = timezone.now() + CLAIM
    return {digest: until for digest, held in claims.items() if _move(digest, held, until)}


def _release(claims: Mapping[str, datetime]) -> None:
    for digest, held in claims.items():
        _move(digest, held, None)


def _move(digest: str, held: datetime, until: datetime | None) -> bool:
    """Compare and set: a claim that ran out may be another worker's by now."""
    return bool(Layer.objects.filter(digest=digest, claimed_until=held).update(claimed_until=until))


def _store(digest: str, index: LayerIndex) -> None:
    Layer.objects.filter(digest=digest).update(
        diff_id=index.diff_id,
        compressed_bytes=index.compressed_bytes,
        unpacked_bytes=index.unpacked_bytes,
        entries=len(index.entries),
        index=dump_index(index),
        indexed_at=timezone.now(),
        claimed_until=None,
    )
