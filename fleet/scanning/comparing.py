"""What an image grew by, told from what is stored: by files where the layers of both images are known, else by their
manifests. No registry is asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Sum

from fleet import snapshots
from fleet.analysis.growth import Growth, LayerChange, grow, grow_by_layers, layer_changes
from fleet.image.entries import LayerIndex
from fleet.image.loading import LoadedImage, ResolvedImage, assemble
from fleet.image.packages import read_packages
from fleet.models import Image, Layer, Service
from fleet.scanning.lanes import beat
from fleet.scanning.layers import stored_layers
from fleet.scanning.lifecycle import DATABASE_GONE, ScanOver
from fleet.snapshots import Record, restore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Comparison:
    """``layers`` are those of both images, whichever way ``growth`` was found; that is None where files are unknown and
    manifests do not say what a pull moves, as those of an engine."""

    growth: Growth | None
    layers: tuple[LayerChange, ...]


def compare(before: Image, after: Image, *, most_entries: int) -> Comparison:
    """Compare any two stored images. By layers where files are unknown, or more than ``most_entries`` together. A fixed
    number of queries. Raises RegistryError for an image that is stored wrongly."""
    old, new = restore(before), restore(after)
    digests = {layer.digest for image in (old, new) for layer in image.manifest.layers}
    entries = Layer.objects.filter(digest__in=digests).aggregate(sum=Sum("entries"))["sum"] or 0
    loaded = _loaded(old, new, {}) if entries <= most_entries else None
    if loaded is not None:
        return Comparison(_by_files(*loaded), layer_changes(*loaded))
    growth = grow_by_layers(old, new)
    fits = growth.delta.compressed_bytes == after.compressed_bytes - before.compressed_bytes
    return Comparison(growth if fits else None, layer_changes(old, new))


def compare_read(service: Service, record: Record) -> None:
    """Compare by files what a scan read whole, with the snapshot before it, where the layers of that are known too.
    What fails here is logged: a scan must not fail for it."""
    at_hand = dict(record.weighed)
    if record.judgement:
        at_hand[record.judgement.image.descriptor.digest] = record.judgement.image
    try:
        for before, after in snapshots.compared_by_files(service.pk, at_hand) if at_hand else ():
            beat()
            old, new = (_resolved(row.image, at_hand) for row in (before, after))
            loaded = _loaded(old, new, at_hand)
            if loaded is not None:
                snapshots.write_growth(before, after, _by_files(*loaded))
    except DATABASE_GONE:
        raise
    except ScanOver:
        log.info("The scan ended before %s was compared by files", service.repository)
    except Exception:
        log.exception("What %s grew by could not be told by files", service.repository)


def _resolved(image: Image, at_hand: Mapping[str, LoadedImage]) -> ResolvedImage | LoadedImage:
    return at_hand.get(image.digest) or restore(Image.objects.defer("provenance").get(pk=image.pk))


def _loaded(
    before: ResolvedImage | LoadedImage, after: ResolvedImage | LoadedImage, at_hand: Mapping[str, LoadedImage]
) -> tuple[LoadedImage, LoadedImage] | None:
    """Both with their files; None where a layer's index is missing. Layers that both have are read once."""
    known = {layer.digest: layer for image in at_hand.values() for layer in image.layers}
    wanted = {layer.digest for image in (before, after) for layer in image.manifest.layers}
    known |= stored_layers(wanted - known.keys())
    if wanted - known.keys():
        return None
    return _assembled(before, known), _assembled(after, known)


def _assembled(image: ResolvedImage | LoadedImage, known: Mapping[str, LayerIndex]) -> LoadedImage:
    if isinstance(image, LoadedImage):
        return image
    return assemble(image.descriptor.digest, image, [known[layer.digest] for layer in image.manifest.layers])


def _by_files(before: LoadedImage, after: LoadedImage) -> Growth:
    return grow(before, after, read_packages(before.tree), read_packages(after.tree))
