"""One run over a registry or a service."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

from fleet.models.registry import Registry
from fleet.models.service import Service

STALE_AFTER = timedelta(minutes=30)
ACTIVE = ("queued", "running", "paused")


class ScanQuerySet(models.QuerySet["Scan"]):
    def active(self) -> ScanQuerySet:
        return self.filter(status__in=ACTIVE)

    def stale(self) -> ScanQuerySet:
        """Scans that no worker moved for so long that none will. One that rests is not late before its time."""
        long_ago = timezone.now() - STALE_AFTER
        resting = Q(status=Scan.Status.PAUSED, resume_at__gte=long_ago)
        return self.active().filter(progress_at__lt=long_ago).exclude(resting)


class Scan(models.Model):
    """Counts are of this run alone. It is over when every one of its ``services`` is done. ``services_failed`` are
    those of which no tag could be read; ``progress_at`` moves whenever a worker gets something done."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        PARTIAL = "partial", "Done with errors"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule", "schedule"
        PAGE = "page", "scan now"
        COMMAND = "command", "command line"
        PUSH = "push", "push event"

    registry = models.ForeignKey(Registry, models.CASCADE, related_name="scans")
    service = models.ForeignKey(Service, models.CASCADE, null=True, blank=True, related_name="scans")
    trigger = models.CharField(max_length=20, choices=Trigger)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    message = models.TextField(blank=True, help_text="Why it failed, in a sentence.")
    queued_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    progress_at = models.DateTimeField(default=timezone.now)
    resume_at = models.DateTimeField(null=True, help_text="When a paused scan goes on.")
    pauses = models.PositiveSmallIntegerField(default=0, help_text="In a row, without a service read in between.")
    postponed = models.JSONField(default=dict, help_text="How often each service made the scan pause, by its key.")
    lane_count = models.PositiveSmallIntegerField(default=0, help_text="The registry's concurrency when it was listed.")
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


class ScanLane(models.Model):
    """One of the rows that a scan's services stand in, each read by one worker at a time: a service's row is its key
    modulo the registry's concurrency. Who holds the lane renews ``held_until``; once it has passed anybody may take
    over. The counts are of ``service``, which is being read and not yet in the scan's own counts."""

    scan = models.ForeignKey(Scan, models.CASCADE, related_name="lanes")
    number = models.PositiveSmallIntegerField()
    holder = models.CharField(max_length=36, blank=True)
    held_until = models.DateTimeField(null=True)
    service = models.ForeignKey(Service, models.SET_NULL, null=True, related_name="+")
    tags = models.PositiveIntegerField(default=0)
    layers = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    received_bytes = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["scan", "number"], name="scan_lane_number")]

    def __str__(self) -> str:
        return f"lane {self.number} of scan {self.scan_id}"


class PushedRepository(models.Model):
    """A repository that a push event named and that is still to be read: a storm of events is one row."""

    registry = models.ForeignKey(Registry, models.CASCADE, related_name="pushed")
    repository = models.CharField(max_length=255)
    pushed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "pushed repositories"
        ordering = ["pushed_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["registry", "repository"], name="pushed_repository")]

    def __str__(self) -> str:
        return self.repository


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
