"""An endpoint that an admin configured, and when it is scanned."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from fleet.models.secret import SecretField


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


class Registry(models.Model):
    """Where images are kept. A row without schedule is scanned on demand only."""

    class Kind(models.TextChoices):
        DISTRIBUTION = "distribution", "Registry (distribution API)"
        ENGINE = "engine", "Docker Engine"
        LAYOUT = "layout", "OCI image layout on disk"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.DISTRIBUTION)
    url = models.CharField(
        "URL",
        max_length=500,
        help_text="https://registry.example.com, unix:///var/run/docker.sock, or a directory for a layout.",
    )
    plain_http = models.BooleanField(
        "allow plain HTTP",
        default=False,
        help_text="Needed for an http:// URL that is not on this machine. Credentials would travel in clear text.",
    )
    username = models.CharField(max_length=255, blank=True)
    secret = SecretField("password or token", blank=True, help_text="Encrypted at rest. It is never shown again.")
    all_repositories = models.BooleanField(
        "all repositories", default=True, help_text="List them through the catalog; else name them below."
    )
    include = models.TextField(
        blank=True, help_text="Repository globs, one per line. Without a catalog: exact repository names."
    )
    exclude = models.TextField(blank=True, help_text="Repository globs to leave out, one per line.")
    tag_pattern = models.CharField(max_length=200, default="*", help_text="Glob of the tags that count as releases.")
    history_tags = models.PositiveIntegerField(
        "tags per service",
        default=12,
        validators=[MinValueValidator(1), MaxValueValidator(500)],
        help_text="How many of the newest tags make the history.",
    )
    platform = models.CharField(max_length=50, default="linux/amd64")
    base_mirrors = models.TextField(
        blank=True,
        help_text="Where base images are served, one mapping per line: docker.io/library=registry.example.com/hub",
    )
    crontab = models.ForeignKey(CrontabSchedule, models.SET_NULL, null=True, blank=True)
    interval = models.ForeignKey(IntervalSchedule, models.SET_NULL, null=True, blank=True)
    periodic_task = models.OneToOneField(
        PeriodicTask, models.SET_NULL, null=True, blank=True, editable=False, related_name="registry"
    )
    concurrency = models.PositiveSmallIntegerField(
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(64)],
        help_text="Services of this registry that are read at the same time.",
    )
    enabled = models.BooleanField(default=True)
    is_sample = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "registries"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(crontab__isnull=True) | models.Q(interval__isnull=True),
                name="registry_one_schedule",
                violation_error_message="Choose a crontab or an interval, not both.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def includes(self) -> tuple[str, ...]:
        return _lines(self.include)

    @property
    def excludes(self) -> tuple[str, ...]:
        return _lines(self.exclude)
