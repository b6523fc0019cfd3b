"""What the fleet knows of bases: those that were read for suggestions, and images that other services are built on."""

from __future__ import annotations

from fleet import snapshots
from fleet.analysis.ownership import chain_ids
from fleet.dockerfile.suggestion import BaseImage as Base
from fleet.image.loading import LoadedImage
from fleet.models import BaseImage, Image, Service, Snapshot


def keep_base(base: Base, image: LoadedImage) -> None:
    """Remember a base that was read, so that images built on it are recognised."""
    snapshots.store_base(base.reference, base.digest or "", image.descriptor.digest, image.sizes.unpacked_bytes)


def known_bases(service: Service, image: LoadedImage) -> dict[str, str]:
    """The names of the images that this one may be built on, by ChainID: a base that was read, else an image that is
    another service's. Three queries, whatever the fleet's size."""
    prefixes = chain_ids(image.config.diff_ids)[:-1]
    found = dict(Image.objects.filter(chain_id__in=prefixes).values_list("pk", "chain_id")) if prefixes else {}
    if not found:
        return {}
    names: dict[str, str] = {}
    others = Snapshot.objects.filter(image__in=found).exclude(service=service.pk)
    shipped = others.order_by("-pk").values_list("image_id", "service__repository", "tag")
    for key, repository, tag in reversed(shipped[:100]):
        names[found[key]] = f"{repository}:{tag}"
    for key, name in BaseImage.objects.filter(image__in=found).order_by("seen_at").values_list("image_id", "name"):
        names[found[key]] = name
    return names
