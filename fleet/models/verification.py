"""Suggestions that were built and run: on which engine, how they were asked, and what came of it."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from fleet.models.image import Image
from fleet.models.secret import SecretField
from fleet.models.service import Service

UNDER_WAY = ("queued", "running")


class Engine(models.Model):
    """A Docker Engine that verifications may use. Without one that is enabled, nothing is ever built or run."""

    class BuildNetwork(models.TextChoices):
        DEFAULT = "", "the engine's usual network"
        HOST = "host", "the engine's own (host)"
        NONE = "none", "none: builds that install something fail"

    name = models.CharField(max_length=100, unique=True)
    url = models.CharField(
        "URL",
        max_length=500,
        help_text="unix:///var/run/docker.sock, tcp://host:2376 or ssh://user@host. Images of the fleet are run on it, "
        "confined: best one that serves nothing else.",
    )
    plain_http = models.BooleanField(
        "allow plain HTTP",
        default=False,
        help_text="Needed for tcp:// without TLS that is not on this machine. Whoever reaches such an engine owns it.",
    )
    ca_certificate = models.TextField(
        "certificate authority", blank=True, help_text="PEM, where the engine's certificate is of a private one."
    )
    client_certificate = models.TextField(blank=True, help_text="PEM, with its chain, where the engine asks for one.")
    client_key = SecretField(
        "key of the client certificate", blank=True, help_text="PEM. Encrypted at rest. It is never shown again."
    )
    memory_bytes = models.BigIntegerField(
        "memory",
        default=1_000_000_000,
        validators=[MinValueValidator(6_291_456)],
        help_text="For a build, and for each image that is run.",
    )
    cpus = models.DecimalField(
        "processors",
        max_digits=5,
        decimal_places=2,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.1")), MaxValueValidator(Decimal(512))],
    )
    pids = models.PositiveIntegerField(
        "processes", default=256, validators=[MinValueValidator(16), MaxValueValidator(100_000)]
    )
    build_seconds = models.PositiveIntegerField(
        "seconds for a build", default=1_800, validators=[MinValueValidator(1), MaxValueValidator(86_400)]
    )
    whole_seconds = models.PositiveIntegerField(
        "seconds for a verification", default=3_600, validators=[MinValueValidator(1), MaxValueValidator(86_400)]
    )
    build_network = models.CharField(
        "builds reach",
        max_length=10,
        choices=BuildNetwork,
        default=BuildNetwork.DEFAULT,
        blank=True,
        help_text="Only while they are built: what is run has no network at all.",
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ServiceProbe(models.Model):
    """How a service's images are asked whether they work, where the image itself does not say, and what a rebuild is
    built from. Empty fields are found out."""

    service = models.OneToOneField(Service, models.CASCADE, related_name="probe")
    path = models.CharField("HTTP path", max_length=500, blank=True, help_text="/health. Empty: /.")
    port = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(65_535)],
        help_text="Empty: the port that the image names, else one that it listens on.",
    )
    tcp = models.BooleanField("connect only", default=False, help_text="The port speaks no HTTP: connecting will do.")
    command = models.CharField(
        max_length=1_000,
        blank=True,
        help_text="Runs in place of what the image starts, without a shell: python -c 'import shop'. Exit code and "
        "output are compared.",
    )
    environment = SecretField(
        "variables",
        blank=True,
        help_text="NAME=value, one a line, set in both images. Encrypted at rest; not for secrets of production.",
    )
    wait_seconds = models.PositiveIntegerField(
        "seconds until it answers", default=60, validators=[MinValueValidator(1), MaxValueValidator(3_600)]
    )
    context = models.CharField(
        "context of a rebuild",
        max_length=500,
        blank=True,
        help_text="https://git.example.com/shop/web.git#main:directory. Without it only a repack can be verified.",
    )

    class Meta:
        verbose_name = "probe of a service"
        verbose_name_plural = "probes of services"

    def __str__(self) -> str:
        return f"probe of {self.service_id}"


class Verification(models.Model):
    """A Dockerfile that was, or is to be, built and run. ``dockerfile_sha256`` is the hex digest of its text: it counts
    for a suggestion of the very same text alone. ``cause`` is a machine's word for why it is not verified, ``reasons``
    are the sentences. ``original`` and ``candidate`` are behaviours, ``probe`` what was asked, see
    fleet.verification. ``estimated_*`` is the suggestion's word at the time.

    Who works on it holds it until ``held_until``; once that has passed, it may be begun again. ``attempts`` counts how
    often it was begun."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        VERIFIED = "verified"
        FAILED = "failed"
        INCONCLUSIVE = "inconclusive", "Not proven"
        CANCELLED = "cancelled"

    service = models.ForeignKey(Service, models.CASCADE, related_name="verifications")
    image = models.ForeignKey(Image, models.CASCADE, related_name="+")
    engine = models.ForeignKey(Engine, models.SET_NULL, null=True, related_name="verifications")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    mode = models.CharField(max_length=20)
    tier = models.CharField(max_length=20)
    dockerfile = models.TextField()
    dockerfile_sha256 = models.CharField(max_length=64)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    step = models.CharField(max_length=200, blank=True)
    cause = models.CharField(max_length=50, blank=True)
    reasons = models.JSONField(default=list)
    log = models.TextField(blank=True)
    probe = models.JSONField(default=dict)
    original = models.JSONField(null=True)
    candidate = models.JSONField(null=True)
    read_only = models.BooleanField(default=False)
    measured_unpacked_bytes = models.BigIntegerField(null=True)
    measured_compressed_bytes = models.BigIntegerField(null=True)
    estimated_unpacked_bytes = models.BigIntegerField(null=True)
    estimated_compressed_bytes = models.BigIntegerField(null=True)
    queued_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    holder = models.CharField(max_length=36, blank=True)
    held_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-queued_at", "-pk"]
        indexes = [
            models.Index(fields=["service", "-queued_at"], name="verification_latest"),
            models.Index(fields=["status"], name="verification_status"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["service", "mode", "tier"],
                condition=models.Q(status__in=("queued", "running")),
                name="verification_once_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"{self.mode} to {self.tier} of {self.service_id}: {self.status}"

    @property
    def is_under_way(self) -> bool:
        return self.status in UNDER_WAY

    @property
    def seconds(self) -> float | None:
        """From start to end, or until now while it runs; None before it starts."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    @property
    def compressed_percent(self) -> float | None:
        """By how much what was measured differs from the estimate; positive where it is larger."""
        return _percent(self.measured_compressed_bytes, self.estimated_compressed_bytes)

    @property
    def unpacked_percent(self) -> float | None:
        return _percent(self.measured_unpacked_bytes, self.estimated_unpacked_bytes)


def _percent(measured_bytes: int | None, estimated_bytes: int | None) -> float | None:
    return 100 * (measured_bytes / estimated_bytes - 1) if measured_bytes is not None and estimated_bytes else None
