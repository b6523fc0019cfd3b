"""Images that others are built on, by the name that FROM says."""

from __future__ import annotations

from fleet.models import BaseImage, Image
from fleet.snapshots.text import storable


def store_base(name: str, head_digest: str, image_digest: str, unpacked_bytes: int) -> None:
    """Note that an image, which is stored, is what ``name`` leads to, and what FROM pins. May be called twice."""
    image = Image.objects.only("pk", "unpacked_bytes").filter(digest=image_digest).first()
    if image is None:
        return
    Image.objects.filter(pk=image.pk, unpacked_bytes__isnull=True).update(unpacked_bytes=unpacked_bytes)
    BaseImage.objects.update_or_create(
        name=storable(name, 500), image=image, defaults={"head_digest": storable(head_digest, 135)}
    )
