"""One run over a registry or a service."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils import timezone

from fleet.models.registry import Registry
from fleet.models.service import Service

STALE_AFTER = timedelta(minutes=30)


class ScanQuerySet(models.QuerySet["Scan"]):
    def active(self) -> ScanQuerySet:
        return self.filter(status__in=(Scan.Status.QUEUED, Scan.Status.RUNNING))

    def stale(self) -> ScanQuerySet:
        """Scans that no worker moved for so long that none will."""
        return self.active().filter(progress_at__lt=timezone.now() - STALE_AFTER)


class Scan(models.Model):
    """Counts are of this run alone. It is over when every one of its ``services`` is done. ``services_failed`` are
    those of which no tag could be read; ``progress_at`` moves whenever a worker gets something done."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        PARTIAL = "partial", "Done with errors"
        FAILED = "failed"

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule", "schedule"
        PAGE = "page", "scan now"
        COMMAND = "command", "command line"

    registry = models.ForeignKey(Registry, models.CASCADE, related_name="scans")
    service = models.ForeignKey(Service, models.CASCADE, null=True, blank=True, related_name="scans")
    trigger = models.CharField(max_length=20, choices=Trigger)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    message = models.TextField(blank=True, help_text="Why it failed, in a sentence.")
    queued_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    progress_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    services = models.PositiveIntegerField(default=0)
    services_done = models.PositiveIntegerField(default=0)
    services_failed = models.PositiveIntegerField(default=0)
    tags = models.PositiveIntegerField(default=0)
    snapshots = models.PositiveIntegerField(default=0)
    layers_indexed = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    received_bytes = models.BigIntegerField(default=0)
    error_count = models.PositiveIntegerField(default=0)

    objects = ScanQuerySet.as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]
        indexes = [models.Index(fields=["registry", "-queued_at"], name="scan_latest")]

    def __str__(self) -> str:
        return f"scan {self.pk} of {self.registry_id}"

    @property
    def duration_seconds(self) -> float | None:
        """Seconds from start to end, or until now while it runs; None before it starts."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()


class ScanError(models.Model):
    """One thing that could not be read, in a sentence that never holds a credential; or, as a notice, one that was
    left out for a good reason: a tag that is no image, a repository without tags."""

    class Level(models.TextChoices):
        ERROR = "error"
        NOTICE = "notice"

    scan = models.ForeignKey(Scan, models.CASCADE, related_name="errors")
    repository = models.CharField(max_length=255, blank=True)
    tag = models.CharField(max_length=128, blank=True)
    message = models.TextField()
    level = models.CharField(max_length=10, choices=Level, default=Level.ERROR)

    class Meta:
        ordering = ["level", "pk"]

    def __str__(self) -> str:
        return self.message
