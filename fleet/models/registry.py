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
        ARCHIVE = "archive", "Docker archives on disk"

    class Listing(models.TextChoices):
        CATALOG = "catalog", "the registry's catalog"
        NAMES = "names", "the names below"
        HARBOR = "harbor", "Harbor's projects"
        GITLAB = "gitlab", "GitLab's container registry"
        GITHUB = "github", "GitHub's packages (ghcr.io)"
        ECR = "ecr", "Amazon ECR"
        GOOGLE = "google", "Google Artifact Registry"

    class Sharing(models.TextChoices):
        PROVIDER = "provider", "as the provider does it"
        REGISTRY = "registry", "across the registry"
        PROJECT = "project", "within the first part of a repository's name"
        REPOSITORY = "repository", "within a repository"

    class Login(models.TextChoices):
        PASSWORD = "password", "user name and password or token"
        DOCKER = "docker", "Docker's configuration on the workers"
        ECR = "ecr", "AWS access key"

    class TagSyntax(models.TextChoices):
        GLOB = "glob", "glob"
        REGEX = "regex", "regular expression"
        SEMVER = "semver", "version range"

    class TagOrder(models.TextChoices):
        VERSION = "version", "highest version"
        DATE = "date", "newest image"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.DISTRIBUTION)
    url = models.CharField(
        "URL",
        max_length=500,
        help_text="https://registry.example.com, unix:///var/run/docker.sock, or a directory on the workers' machine.",
    )
    plain_http = models.BooleanField(
        "allow plain HTTP",
        default=False,
        help_text="Needed for an http:// URL that is not on this machine. Credentials would travel in clear text.",
    )
    login = models.CharField(max_length=20, choices=Login, default=Login.PASSWORD)
    username = models.CharField(max_length=255, blank=True)
    secret = SecretField("password or token", blank=True, help_text="Encrypted at rest. It is never shown again.")
    ca_certificate = models.TextField(
        "certificate authority", blank=True, help_text="PEM, where the registry's certificate is of a private one."
    )
    client_certificate = models.TextField(blank=True, help_text="PEM, with its chain, where the registry asks for one.")
    client_key = SecretField(
        "key of the client certificate", blank=True, help_text="PEM. Encrypted at rest. It is never shown again."
    )
    listing = models.CharField("repositories from", max_length=20, choices=Listing, default=Listing.CATALOG)
    listing_scope = models.CharField(
        "within",
        max_length=255,
        blank=True,
        help_text="A Harbor project, a GitLab group or project, a GitHub organisation or user, PROJECT or "
        "PROJECT/REPOSITORY at Google. Empty for all. Where the provider's API is elsewhere, its URL and a space "
        "first: https://gitlab.example.com GROUP",
    )
    include = models.TextField(
        blank=True, help_text="Repository globs, one per line. Without a listing: exact repository names."
    )
    exclude = models.TextField(blank=True, help_text="Repository globs to leave out, one per line.")
    name_rules = models.TextField(
        "names of services",
        blank=True,
        help_text="One rule per line, the first that gives a name holds: label:org.opencontainers.image.title, or "
        "strip:team/ for what follows a prefix. Else the repository is the name.",
    )
    owner_rules = models.TextField(
        "owners of services",
        blank=True,
        help_text="One rule per line, the first that gives an owner holds: payments/* = Payments team, "
        "label:org.opencontainers.image.vendor, or path:1 for the first part of the repository.",
    )
    tag_pattern = models.CharField(max_length=200, default="*", help_text="The tags that count as releases.")
    tag_syntax = models.CharField("written as", max_length=20, choices=TagSyntax, default=TagSyntax.GLOB)
    tag_order = models.CharField("newest by", max_length=20, choices=TagOrder, default=TagOrder.VERSION)
    history_tags = models.PositiveIntegerField(
        "tags per service",
        default=12,
        validators=[MinValueValidator(1), MaxValueValidator(500)],
        help_text="How many of the newest tags make the history.",
    )
    history_per_scan = models.PositiveIntegerField(
        "new tags read per scan",
        default=100,
        validators=[MinValueValidator(1)],
        help_text="Of each service. The newest come first; later scans go on with the rest of the history.",
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
    requests_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="The most that all workers together may ask. Empty: as fast as the registry allows.",
    )
    push_secret = SecretField(
        "secret of push events", blank=True, help_text="Encrypted at rest. Empty: push events are refused."
    )
    sharing = models.CharField(
        "layers are stored once",
        max_length=20,
        choices=Sharing,
        default=Sharing.PROVIDER,
        help_text="Decides which bytes deleting a tag or a service would free. Amazon ECR keeps layers apart for each "
        "repository, others keep them once.",
    )
    enabled = models.BooleanField(default=True)
    # Of the tags that are read: their layers and configs each once, and summed over all tags.
    stored_bytes = models.BigIntegerField(null=True, editable=False)
    pulled_bytes = models.BigIntegerField(null=True, editable=False)
    # What the registry said of its own limit when it was last asked, and until when it wants to be left alone.
    limit_requests = models.PositiveIntegerField(null=True, editable=False)
    limit_remaining = models.PositiveIntegerField(null=True, editable=False)
    limit_window_seconds = models.PositiveIntegerField(null=True, editable=False)
    limit_seen_at = models.DateTimeField(null=True, editable=False)
    resting_until = models.DateTimeField(null=True, editable=False)
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
    def estimates_compressed(self) -> bool:
        """Whether it keeps no compressed layers, or not always: what a push would make of them is estimated."""
        return self.kind in (self.Kind.ENGINE, self.Kind.ARCHIVE)

    def scope_of(self, repository: str) -> str:
        """Within what the layers of a repository are kept once: empty for the whole registry."""
        kept = self.keeps_once
        if kept == self.Sharing.REPOSITORY:
            return repository
        return repository.partition("/")[0] if kept == self.Sharing.PROJECT else ""

    @property
    def keeps_once(self) -> Sharing:
        """Where a layer is kept once, never ``PROVIDER``."""
        if self.sharing != self.Sharing.PROVIDER:
            return self.Sharing(self.sharing)
        is_ecr = self.listing == self.Listing.ECR or self.login == self.Login.ECR
        return self.Sharing.REPOSITORY if is_ecr else self.Sharing.REGISTRY

    @property
    def includes(self) -> tuple[str, ...]:
        return _lines(self.include)

    @property
    def excludes(self) -> tuple[str, ...]:
        return _lines(self.exclude)
