"""What admins decide of bases, for every registry."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from fleet.dockerfile.base_rules import BaseRules


class BaseRuleQuerySet(models.QuerySet["BaseRule"]):
    def gathered(self) -> BaseRules:
        """The rules as suggestions obey them. One query."""
        rows = list(self.order_by("kind", "pattern", "pk"))
        of = {kind: [row for row in rows if row.kind == kind] for kind in BaseRule.Kind}
        return BaseRules(
            allow=tuple(row.pattern for row in of[BaseRule.Kind.ALLOW]),
            forbid=tuple(row.pattern for row in of[BaseRule.Kind.FORBID]),
            maps=tuple((row.pattern, row.place) for row in of[BaseRule.Kind.MAP]),
            notes=tuple((row.pattern, row.note) for row in rows if row.note and row.kind != BaseRule.Kind.MAP),
        )


class BaseRule(models.Model):
    """One pattern that is allowed or forbidden, or one prefix and the place to use instead (see
    ``fleet.dockerfile.base_rules``)."""

    class Kind(models.TextChoices):
        ALLOW = "allow", "allow"
        FORBID = "forbid", "forbid"
        MAP = "map", "use another"

    kind = models.CharField(max_length=10, choices=Kind)
    pattern = models.CharField(
        max_length=300,
        help_text="registry.example.com/base/* or python:3.9*. To use another: what names start with, such as "
        "docker.io/library/python.",
    )
    place = models.CharField(
        "use instead", max_length=300, blank=True, help_text="registry.example.com/base/python, to use another."
    )
    note = models.CharField("reason", max_length=200, blank=True, help_text="Shown where a base is refused.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BaseRuleQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "pattern"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "pattern"],
                name="base_rule_identity",
                violation_error_message="There is such a rule already.",
            ),
            models.CheckConstraint(
                condition=Q(kind="map") ^ Q(place=""),
                name="base_rule_place_of_maps",
                violation_error_message="A place is needed to use another base, and for nothing else.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pattern} → {self.place}" if self.kind == self.Kind.MAP else f"{self.kind} {self.pattern}"
