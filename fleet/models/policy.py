"""Limits with a scope, and the services over them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from fleet.models.registry import Registry
from fleet.models.service import Service

LIMITS = ("warn_compressed_bytes", "fail_compressed_bytes", "warn_unpacked_bytes", "fail_unpacked_bytes")


class SizePolicy(models.Model):
    """A limit for every service in its scope. An empty scope field means any."""

    name = models.CharField(max_length=100, unique=True)
    registry = models.ForeignKey(Registry, models.CASCADE, null=True, blank=True)
    repository_glob = models.CharField(max_length=255, blank=True, help_text="For example payments/*")
    owner = models.CharField(max_length=100, blank=True)
    warn_compressed_bytes = models.BigIntegerField(null=True, blank=True)
    fail_compressed_bytes = models.BigIntegerField(null=True, blank=True)
    warn_unpacked_bytes = models.BigIntegerField(null=True, blank=True)
    fail_unpacked_bytes = models.BigIntegerField(null=True, blank=True)
    enabled = models.BooleanField(default=True)

    class Meta:
        verbose_name_plural = "size policies"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(*((f"{limit}__isnull", False) for limit in LIMITS), _connector=Q.OR),
                name="sizepolicy_has_a_limit",
                violation_error_message="Set at least one limit.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Violation(models.Model):
    """A service over one limit of a policy. Gone when it is not."""

    class Level(models.TextChoices):
        WARN = "warn", "warning"
        FAIL = "fail", "over policy"

    service = models.ForeignKey(Service, models.CASCADE, related_name="violations")
    policy = models.ForeignKey(SizePolicy, models.CASCADE, related_name="violations")
    level = models.CharField(max_length=10, choices=Level)
    kind = models.CharField(max_length=20, help_text="compressed or unpacked")
    measured_bytes = models.BigIntegerField()
    limit_bytes = models.BigIntegerField()
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["level", "pk"]
        constraints = [models.UniqueConstraint(fields=["service", "policy", "kind"], name="violation_identity")]

    def __str__(self) -> str:
        return f"{self.service_id} over {self.policy_id}"
