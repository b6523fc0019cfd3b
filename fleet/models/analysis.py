"""What the rules say of an image, and what a service is offered instead."""

from __future__ import annotations

from django.db import models

from fleet.models.image import Image
from fleet.models.service import Service


class Analysis(models.Model):
    """The rules' word on one image at one ruleset. ``packages`` is a list of {ecosystem, name, version, bytes};
    ``base_layers`` how many of the first layers came with the base, ``base_source`` how that is known,
    ``base_name`` what the base is called where somebody says. ``observations`` is a list of {name, severity, title,
    detail, advice, on}."""

    image = models.OneToOneField(Image, models.CASCADE, related_name="analysis")
    ruleset = models.PositiveIntegerField()
    runtime = models.CharField(max_length=20)
    runtime_version = models.CharField(max_length=50, blank=True)
    runtime_evidence = models.CharField(max_length=255, blank=True)
    base_layers = models.PositiveSmallIntegerField(default=0)
    base_source = models.CharField(max_length=20, blank=True)
    base_name = models.CharField(max_length=500, blank=True)
    reclaimable_unpacked_bytes = models.BigIntegerField()
    reclaimable_compressed_bytes = models.BigIntegerField()
    packages = models.JSONField(default=list)
    observations = models.JSONField(default=list)
    made_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "analyses"

    def __str__(self) -> str:
        return f"analysis of {self.image_id}"


class Finding(models.Model):
    """Bytes that one rule claims in one layer. ``paths`` holds the largest ones, ``path_count`` how many in all;
    ``created_by`` is the build step that made the layer, redacted."""

    analysis = models.ForeignKey(Analysis, models.CASCADE, related_name="findings")
    rule = models.CharField(max_length=50)
    title = models.CharField(max_length=200)
    advice = models.TextField(blank=True)
    unpacked_bytes = models.BigIntegerField()
    compressed_bytes = models.BigIntegerField()
    layer = models.PositiveSmallIntegerField(help_text="Position in the image, from 0.")
    created_by = models.TextField(blank=True)
    base = models.BooleanField(default=False)
    paths = models.JSONField(default=list)
    path_count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-unpacked_bytes", "pk"]

    def __str__(self) -> str:
        return f"{self.rule}: {self.unpacked_bytes} bytes"


class Suggestion(models.Model):
    """A Dockerfile for a service's newest image, with its estimate and its gates. ``gates`` is a list of {name,
    passed, detail}; ``reasons`` and ``notes`` are lists of sentences. ``buildkit_dockerfile`` is the same for BuildKit
    alone, empty where it would not differ. ``components`` is {"before": {...}, "after": {...}} with counts of packages,
    executables, setuid_files and shells, empty where the base's files are unknown. Where nothing can be offered
    ``dockerfile`` is empty and ``obstacle`` says why."""

    service = models.ForeignKey(Service, models.CASCADE, related_name="suggestions")
    image = models.ForeignKey(Image, models.CASCADE, related_name="suggestions")
    mode = models.CharField(max_length=20)
    tier = models.CharField(max_length=20)
    dockerfile = models.TextField(blank=True)
    obstacle = models.TextField(blank=True)
    base_reference = models.CharField(max_length=500, blank=True)
    base_digest = models.CharField(max_length=135, blank=True)
    base_source = models.CharField(max_length=20, blank=True)
    base_unpacked_bytes = models.BigIntegerField(null=True)
    base_compressed_bytes = models.BigIntegerField(null=True)
    before_unpacked_bytes = models.BigIntegerField(null=True)
    before_compressed_bytes = models.BigIntegerField(null=True)
    after_unpacked_bytes = models.BigIntegerField(null=True)
    after_compressed_bytes = models.BigIntegerField(null=True)
    gates = models.JSONField(default=list)
    reasons = models.JSONField(default=list)
    notes = models.JSONField(default=list)
    risk = models.TextField(blank=True)
    buildkit_dockerfile = models.TextField(blank=True)
    components = models.JSONField(default=dict)
    usable = models.BooleanField(default=False)
    recommended = models.BooleanField(default=False)
    made_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-recommended", "mode"]
        constraints = [models.UniqueConstraint(fields=["service", "mode", "tier"], name="suggestion_identity")]

    def __str__(self) -> str:
        return f"{self.mode} to {self.tier} for {self.service_id}"

    @property
    def savings_unpacked_bytes(self) -> int:
        return (self.before_unpacked_bytes or 0) - (self.after_unpacked_bytes or 0)

    @property
    def savings_compressed_bytes(self) -> int:
        return (self.before_compressed_bytes or 0) - (self.after_compressed_bytes or 0)
