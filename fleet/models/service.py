"""What teams ship, and what it weighed when."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Max

from fleet.models.image import Image, bodies_of
from fleet.models.registry import Registry


class ServiceQuerySet(models.QuerySet["Service"]):
    def present(self) -> ServiceQuerySet:
        """Services that the last listing of their registry still held and that weigh something: one whose tags are
        all gone keeps its last snapshot and has no size."""
        return self.filter(gone_at__isnull=True, compressed_bytes__isnull=False)

    def ranked(self) -> ServiceQuerySet:
        """Most bytes to save first, unknown last; the key breaks ties so that pages never repeat a row."""
        return self.order_by(F("savings_compressed_bytes").desc(nulls_last=True), "pk")


class Service(models.Model):
    """One repository of a registry, on one platform. The columns below ``snapshot`` repeat the latest snapshot and
    its analysis so that the ranking sorts and filters in one table; ``fleet.snapshots`` alone writes them.

    ``savings_*`` come from the recommended suggestion, else from what the rules found; ``savings_source`` says which.
    Both are estimates. ``unique_bytes`` are the compressed bytes of the layers that only this service's tags use within
    its registry's sharing scope, ``shared_bytes`` those of the layers that others use too, each once. ``sparkline``
    holds the compressed bytes of the last snapshots, oldest first.

    ``checked_at`` is the last time its tags were read, ``last_scan`` the scan that was done with it last, well or
    badly: it makes a task that is delivered twice count once. ``skipped`` remembers tags that are no images as
    {tag: [digest, what it is]}, so that they too cost one HEAD. ``history_left`` counts the selected tags that later
    scans have still to read.
    """

    class SavingsSource(models.TextChoices):
        SUGGESTION = "suggestion", "suggested Dockerfile"
        FINDINGS = "findings", "removable waste"

    class PolicyState(models.TextChoices):
        NONE = "none", "no policy"
        OK = "ok", "within policy"
        WARN = "warn", "warning"
        FAIL = "fail", "over policy"

    registry = models.ForeignKey(Registry, models.CASCADE, related_name="services")
    repository = models.CharField(max_length=255)
    platform = models.CharField(max_length=50)
    name = models.CharField(max_length=255, blank=True, help_text="Empty: the repository is the name.")
    owner = models.CharField(max_length=100, blank=True, db_index=True)
    weight = models.PositiveIntegerField(default=1, help_text="Running replicas.")
    dockerfile = models.TextField(
        blank=True, help_text="The team's own Dockerfile; with it the rebuild suggestion keeps its build steps."
    )
    first_seen_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)
    last_scan = models.ForeignKey("Scan", models.SET_NULL, null=True, editable=False, related_name="+")
    skipped = models.JSONField(default=dict, editable=False)
    history_left = models.PositiveIntegerField(default=0, editable=False)

    snapshot = models.ForeignKey("Snapshot", models.SET_NULL, null=True, related_name="+")
    runtime = models.CharField(max_length=20, blank=True, db_index=True)
    runtime_version = models.CharField(max_length=50, blank=True)
    compressed_bytes = models.BigIntegerField(null=True)
    unpacked_bytes = models.BigIntegerField(null=True)
    savings_compressed_bytes = models.BigIntegerField(null=True)
    savings_unpacked_bytes = models.BigIntegerField(null=True)
    savings_percent = models.FloatField(null=True, help_text="Of the compressed size.")
    savings_source = models.CharField(max_length=20, choices=SavingsSource, blank=True)
    policy_state = models.CharField(max_length=10, choices=PolicyState, default=PolicyState.NONE)
    sparkline = models.JSONField(default=list)
    unique_bytes = models.BigIntegerField(null=True)
    shared_bytes = models.BigIntegerField(null=True)

    objects = ServiceQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["registry", "repository", "platform"], name="service_identity")]
        indexes = [
            # The ranking's default order; SQLite knows no NULLS LAST in an index.
            models.Index(fields=["-savings_compressed_bytes", "id"], name="service_ranking"),
            models.Index(fields=["policy_state"], name="service_policy_state"),
            models.Index(fields=["repository"], name="service_repository"),
        ]

    def __str__(self) -> str:
        return self.repository


class SnapshotQuerySet(models.QuerySet["Snapshot"]):
    def current(self) -> SnapshotQuerySet:
        """Of each tag the snapshot that was seen last, unless the registry holds the tag no more. To be narrowed to
        some services first."""
        newest = self.order_by().values("service_id", "tag").annotate(newest=Max("pk")).values("newest")
        return self.model._default_manager.filter(pk__in=newest, gone_at__isnull=True)

    def latest_by_tag(self, service_id: int) -> dict[str, Snapshot]:
        """For each tag of a service the snapshot that was seen last, with its image but for the stored bodies."""
        newest = self.filter(service_id=service_id).order_by().values("tag").annotate(newest=Max("pk")).values("newest")
        rows = self.filter(pk__in=newest).select_related("image").defer(*bodies_of("image"))
        return {snapshot.tag: snapshot for snapshot in rows}


class Snapshot(models.Model):
    """A service seen at a moment. ``taken_at`` is the image's date on first sight of a tag, so that a first scan
    already draws a trend, else the moment the tag was seen to move."""

    service = models.ForeignKey(Service, models.CASCADE, related_name="snapshots")
    image = models.ForeignKey(Image, models.PROTECT, related_name="snapshots")
    tag = models.CharField(max_length=128)
    head_digest = models.CharField(
        max_length=135, help_text="What the tag points to: the index where there is one, else the image."
    )
    taken_at = models.DateTimeField()
    seen_at = models.DateTimeField(auto_now_add=True)
    gone_at = models.DateTimeField(null=True, help_text="When the tag was first found missing.")
    compressed_bytes = models.BigIntegerField()
    unpacked_bytes = models.BigIntegerField(null=True)
    growth = models.JSONField(
        null=True, help_text="What changed since the snapshot before, see fleet.analysis.growth. Null: not compared."
    )

    objects = SnapshotQuerySet.as_manager()

    class Meta:
        ordering = ["taken_at", "pk"]
        indexes = [
            # The trend of one service, and its newest snapshot.
            models.Index(fields=["service", "taken_at"], name="snapshot_trend"),
        ]

    def __str__(self) -> str:
        return f"{self.service_id}:{self.tag}"
