"""Suggestions that teams took up."""

from __future__ import annotations

from django.db import models

from fleet.models.image import Image
from fleet.models.service import Service


class Adoption(models.Model):
    """A service whose image became smaller after a suggestion, by about what it promised. A conclusion: ``evidence``
    says in a sentence what it rests on. ``promised_*`` are the suggestion's estimate, ``real_*`` the difference of the
    two images; the real unpacked one is null until every layer was read. ``dockerfile_sha256`` is the hex digest of the
    suggested text, which is kept, for the suggestion itself is not."""

    service = models.ForeignKey(Service, models.CASCADE, related_name="adoptions")
    from_image = models.ForeignKey(Image, models.PROTECT, related_name="+")
    to_image = models.ForeignKey(Image, models.PROTECT, related_name="+")
    mode = models.CharField(max_length=20)
    tier = models.CharField(max_length=20)
    dockerfile = models.TextField()
    dockerfile_sha256 = models.CharField(max_length=64)
    promised_compressed_bytes = models.BigIntegerField()
    promised_unpacked_bytes = models.BigIntegerField(null=True)
    real_compressed_bytes = models.BigIntegerField()
    real_unpacked_bytes = models.BigIntegerField(null=True)
    evidence = models.TextField()
    adopted_at = models.DateTimeField(help_text="When the smaller image was first seen.")

    class Meta:
        ordering = ["-adopted_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["service", "to_image"], name="adoption_identity")]

    def __str__(self) -> str:
        return f"{self.mode} to {self.tier} by {self.service_id}"

    @property
    def kept_percent(self) -> float:
        """By how much the real saving of a pull differs from the promised one; positive where it is larger."""
        return 100 * (self.real_compressed_bytes / self.promised_compressed_bytes - 1)
