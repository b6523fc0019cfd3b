"""Images and layers by digest. Everything here may be written twice, by anyone, with the same outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import Count, Q, Sum

from fleet.analysis.ownership import chain_ids
from fleet.image.loading import LoadedImage, ResolvedImage
from fleet.models import Image, ImageLayer, Layer, Snapshot
from fleet.oci.digests import is_digest
from fleet.oci.errors import InvalidResponse
from fleet.oci.manifest import Descriptor, Index, parse_config, parse_manifest
from fleet.snapshots.records import creation_date
from fleet.snapshots.text import storable


def store_layers(images: Iterable[ResolvedImage]) -> None:
    """A row for each layer that has none. Sorted, so that two writers never wait for each other in a circle."""
    layers = {layer.digest: layer for image in images for layer in image.manifest.layers}
    rows = [
        Layer(digest=digest, media_type=storable(layer.media_type, 255), compressed_bytes=layer.size_bytes)
        for digest, layer in sorted(layers.items())
    ]
    Layer.objects.bulk_create(rows, ignore_conflicts=True)


def store_images(images: Iterable[ResolvedImage], weighed: Mapping[str, LoadedImage]) -> dict[str, Image]:
    """The rows of these images by digest, made where they were missing, with their layers in order."""
    by_digest = {image.descriptor.digest: image for image in images}
    if not by_digest:
        return {}
    store_layers(by_digest.values())
    rows = [_row(image, weighed.get(digest)) for digest, image in sorted(by_digest.items())]
    Image.objects.bulk_create(rows, ignore_conflicts=True)
    stored = {image.digest: image for image in Image.objects.bodiless().filter(digest__in=by_digest)}
    _store_order(stored, by_digest)
    return stored


def _row(image: ResolvedImage, weighed: LoadedImage | None) -> Image:
    """``weighed`` matters where layers are stored uncompressed: only reading them tells what a pull would move."""
    return Image(
        digest=image.descriptor.digest,
        media_type=storable(image.manifest.media_type, 255),
        platform=storable(str(image.config.platform), 50),
        created_at=creation_date(image),
        compressed_bytes=weighed.sizes.compressed_bytes if weighed else image.manifest.compressed_bytes,
        chain_id=_chain_id(image),
        manifest=image.manifest_body,
        config=image.config_body,
    )


def _chain_id(image: ResolvedImage) -> str:
    """The ChainID of all layers; empty where the config does not name the contents of each by a digest."""
    diff_ids = image.config.diff_ids
    if len(diff_ids) != len(image.manifest.layers) or not all(map(is_digest, diff_ids)):
        return ""
    chain = next(reversed(chain_ids(diff_ids)), "")
    return chain if chain.startswith("sha256:") else ""


def _store_order(stored: Mapping[str, Image], images: Mapping[str, ResolvedImage]) -> None:
    wanted = {layer.digest for image in images.values() for layer in image.manifest.layers}
    keys = dict(Layer.objects.filter(digest__in=wanted).values_list("digest", "pk"))
    rows = [
        ImageLayer(image=stored[digest], layer_id=keys[layer.digest], position=position)
        for digest, image in sorted(images.items())
        for position, layer in enumerate(image.manifest.layers)
    ]
    ImageLayer.objects.bulk_create(rows, ignore_conflicts=True)


def restore(image: Image) -> ResolvedImage:
    """A stored image as it was when it was read. Raises RegistryError for one that is stored wrongly."""
    body, config = bytes(image.manifest), bytes(image.config)
    manifest = parse_manifest(body, image.media_type)
    if isinstance(manifest, Index):
        raise InvalidResponse(f"What is stored of {image.digest} is an index, not an image. Scan its service again.")
    return ResolvedImage(
        descriptor=Descriptor(image.media_type, image.digest, len(body)),
        manifest_body=body,
        manifest=manifest,
        config_body=config,
        config=parse_config(config),
    )


def fill_unpacked(service_id: int) -> None:
    """Give an unpacked size to the service's images, and to their snapshots, once every layer was read."""
    images = Image.objects.filter(
        pk__in=Snapshot.objects.filter(service_id=service_id).order_by().values("image_id"), unpacked_bytes__isnull=True
    ).annotate(
        unread=Count("imagelayer", filter=Q(imagelayer__layer__unpacked_bytes__isnull=True)),
        total_bytes=Sum("imagelayer__layer__unpacked_bytes"),
    )
    for pk, total_bytes in images.filter(unread=0).order_by("pk").values_list("pk", "total_bytes"):
        Image.objects.filter(pk=pk).update(unpacked_bytes=total_bytes or 0)
        Snapshot.objects.filter(image_id=pk).update(unpacked_bytes=total_bytes or 0)
