"""Size policies. What they find is brought up to date as soon as one changes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from fleet import snapshots
from fleet.admin.size_field import SizeField, show_size
from fleet.models import Service, SizePolicy
from fleet.models.policy import LIMITS


class SizePolicyForm(forms.ModelForm):
    class Meta:
        model = SizePolicy
        fields = ("name", "enabled", "registry", "repository_glob", "owner", *LIMITS)
        field_classes = dict.fromkeys(LIMITS, SizeField)
        labels = {
            "warn_compressed_bytes": "warn above (compressed)",
            "fail_compressed_bytes": "fail above (compressed)",
            "warn_unpacked_bytes": "warn above (unpacked)",
            "fail_unpacked_bytes": "fail above (unpacked)",
        }

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        for kind in ("compressed", "unpacked"):
            warn, fail = values.get(f"warn_{kind}_bytes"), values.get(f"fail_{kind}_bytes")
            if warn and fail and warn >= fail:
                self.add_error(f"warn_{kind}_bytes", "Warn at less than what fails, or a warning is never seen.")
        return values


@admin.register(SizePolicy)
class SizePolicyAdmin(admin.ModelAdmin):
    form = SizePolicyForm
    list_display = ("name", "scope", "limits", "over", "enabled")
    list_filter = ("enabled", "registry")
    list_select_related = ("registry",)
    search_fields = ("name", "repository_glob", "owner")
    fieldsets = (
        (None, {"fields": ("name", "enabled")}),
        ("Scope", {"fields": ("registry", "repository_glob", "owner"), "description": "An empty field means any."}),
        (
            "Limits",
            {
                "fields": (LIMITS[:2], LIMITS[2:]),
                "description": "Compressed is what a pull moves, unpacked the sum of files over layers. MB is 10^6.",
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[SizePolicy]:
        return super().get_queryset(request).annotate(services_over=Count("violations__service", distinct=True))

    @admin.display
    def scope(self, policy: SizePolicy) -> str:
        named = [str(policy.registry) if policy.registry else "", policy.repository_glob, policy.owner]
        return ", ".join(part for part in named if part) or "every service"

    @admin.display
    def limits(self, policy: SizePolicy) -> str:
        values = ((name, getattr(policy, name)) for name in LIMITS)
        return ", ".join(
            f"{name.split('_')[0]} {name.split('_')[1]} {show_size(value)}" for name, value in values if value
        )

    @admin.display(description="services over it", ordering="services_over")
    def over(self, policy: SizePolicy) -> int:
        return int(getattr(policy, "services_over", 0))

    def save_model(self, request: HttpRequest, obj: SizePolicy, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        _apply()

    def delete_model(self, request: HttpRequest, obj: SizePolicy) -> None:
        super().delete_model(request, obj)
        _apply()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[SizePolicy]) -> None:
        super().delete_queryset(request, queryset)
        _apply()


def _apply() -> None:
    """To every service: a changed scope concerns those it covered before as much as those it covers now."""
    snapshots.apply_policies(Service.objects.only("pk").order_by("pk").iterator())
