"""Images and layers: global, by digest, shared by every service that points to them."""

from __future__ import annotations

from django.db import models


class Layer(models.Model):
    """One blob. ``index`` is its list of files (see ``fleet.image.stored``), kept so that rules re-run without a
    download; until it is there, ``claimed_until`` says which worker's turn it is to read the blob."""

    digest = models.CharField(max_length=135, unique=True)
    diff_id = models.CharField(max_length=135, blank=True, db_index=True)
    media_type = models.CharField(max_length=255)
    compressed_bytes = models.BigIntegerField()
    unpacked_bytes = models.BigIntegerField(null=True)
    entries = models.PositiveIntegerField(null=True)
    index = models.BinaryField(null=True)
    indexed_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.digest


_BODIES = ("manifest", "config", "provenance")


def bodies_of(image: str) -> tuple[str, ...]:
    """For ``defer``: what ``bodiless`` leaves out, of an image that is joined under a name."""
    return tuple(f"{image}__{name}" for name in _BODIES)


class ImageQuerySet(models.QuerySet["Image"]):
    def bodiless(self) -> ImageQuerySet:
        """Without the stored manifests, configs and provenance, which only a new analysis reads."""
        return self.defer(*_BODIES)


class Image(models.Model):
    """One manifest by digest. ``unpacked_bytes`` is null until every layer was indexed, ``provenance`` (see
    ``fleet.oci.provenance``) until it was asked for. ``chain_id`` is the ChainID of all its layers, by which it is
    found as the base of others; empty where its config names no diff IDs."""

    digest = models.CharField(max_length=135, unique=True)
    media_type = models.CharField(max_length=255)
    platform = models.CharField(max_length=50)
    created_at = models.DateTimeField(null=True)
    compressed_bytes = models.BigIntegerField()
    unpacked_bytes = models.BigIntegerField(null=True)
    chain_id = models.CharField(max_length=71, blank=True, db_index=True)
    manifest = models.BinaryField()
    config = models.BinaryField()
    provenance = models.JSONField(null=True)
    layers = models.ManyToManyField(Layer, through="ImageLayer", related_name="images")

    objects = ImageQuerySet.as_manager()

    def __str__(self) -> str:
        return self.digest


class BaseImage(models.Model):
    """An image that others are built on, by the name that FROM says. Its layers tell what of an image came with its
    base. ``head_digest`` is what FROM pins: the index's, where the name is one for many platforms."""

    name = models.CharField(max_length=500)
    image = models.ForeignKey(Image, models.CASCADE, related_name="base_names")
    head_digest = models.CharField(max_length=135, blank=True)
    seen_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "-seen_at"]
        constraints = [models.UniqueConstraint(fields=["name", "image"], name="base_image_identity")]

    def __str__(self) -> str:
        return self.name


class ImageLayer(models.Model):
    image = models.ForeignKey(Image, models.CASCADE)
    layer = models.ForeignKey(Layer, models.PROTECT)
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["image", "position"], name="image_layer_position")]

    def __str__(self) -> str:
        return f"{self.image_id}[{self.position}]"


class LayerUse(models.Model):
    """How many services of one registry use a layer, where it is more than one, within the scope in which the registry
    keeps layers once (see ``Registry.sharing``; ``scope`` is empty for the whole registry)."""

    registry = models.ForeignKey("Registry", models.CASCADE, related_name="layer_uses")
    scope = models.CharField(max_length=255, blank=True)
    layer = models.ForeignKey(Layer, models.CASCADE, related_name="uses")
    services = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["registry", "scope", "layer"], name="layer_use_identity")]

    def __str__(self) -> str:
        return f"{self.layer_id} in {self.services} services"
