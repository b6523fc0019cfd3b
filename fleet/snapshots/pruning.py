"""Layer indexes grow with every release. Those that no kept image needs are dropped; a layer that is needed again is
read again.

Kept are the indexes of each service's newest images, so that they are judged anew and compared without a download, of
every base, and of layers that are being read, or were so lately that the image they were read for may not be written
yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import F, Max, Q, QuerySet, Sum, Window
from django.db.models.functions import Length, RowNumber
from django.utils import timezone

from fleet.models import BaseImage, ImageLayer, Layer, Service, Snapshot

FRESH = timedelta(days=1)
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Pruned:
    """``layers`` lost their index, ``index_bytes`` is what these took in the database."""

    layers: int
    index_bytes: int


def prune_indexes(images_per_service: int) -> Pruned:
    """Drop the indexes that are not needed. May run beside scans, and twice; a chunk of layers a transaction."""
    kept = _kept_layers(images_per_service)
    unneeded = [key for key in _idle().values_list("pk", flat=True).iterator() if key not in kept]
    layers = index_bytes = 0
    for at in range(0, len(unneeded), CHUNK):
        # Idle is asked again: a scan may have come to read one of them meanwhile.
        chunk = _idle().filter(pk__in=unneeded[at : at + CHUNK])
        index_bytes += chunk.aggregate(total=Sum(Length("index")))["total"] or 0
        layers += chunk.update(index=None, indexed_at=None)
    return Pruned(layers, index_bytes)


def _idle() -> QuerySet[Layer]:
    """Layers with an index that nobody is about to use for an image that is not written yet."""
    now = timezone.now()
    busy = Q(indexed_at__gt=now - FRESH) | Q(claimed_until__gt=now)
    return Layer.objects.filter(index__isnull=False).exclude(busy)


def _kept_layers(images_per_service: int) -> set[int]:
    """Keys: a few hundred thousand numbers for a fleet of ten thousand services."""
    current = Service.objects.filter(snapshot__isnull=False).values("snapshot__image_id")
    kept = (
        Q(image__in=_newest_images(images_per_service))
        | Q(image__in=current)
        | Q(image__in=BaseImage.objects.values("image_id"))
    )
    return set(ImageLayer.objects.filter(kept).order_by().values_list("layer_id", flat=True).distinct().iterator())


def _newest_images(images_per_service: int) -> QuerySet[Any, Any]:
    """Keys of each service's images that were seen last; one that it came back to counts as of its last time."""
    seen = Snapshot.objects.order_by().values("service_id", "image_id").annotate(last=Max("taken_at"))
    newest_first = [F("last").desc(), F("image_id").desc()]
    ranked = seen.annotate(place=Window(RowNumber(), partition_by=F("service_id"), order_by=newest_first))
    return ranked.filter(place__lte=images_per_service).values("image_id")
