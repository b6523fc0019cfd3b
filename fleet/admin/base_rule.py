"""Rules on bases. Suggestions are made again as soon as one changes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from fleet import tasks
from fleet.dockerfile.base_rules import check_map, check_pattern
from fleet.models import BaseRule, Service
from fleet.oci.errors import InvalidReference


class BaseRuleForm(forms.ModelForm):
    class Meta:
        model = BaseRule
        fields = ("kind", "pattern", "place", "note")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        kind, pattern, place = (values.get(name) or "" for name in ("kind", "pattern", "place"))
        if not kind or not pattern:
            return values
        if kind == BaseRule.Kind.MAP and not place:
            self.add_error("place", "Say what to use instead.")
        elif kind != BaseRule.Kind.MAP and place:
            self.add_error("place", "Only a rule to use another base has a place.")
        else:
            self._keep(values, kind, pattern, place)
        return values

    def _keep(self, values: dict[str, Any], kind: str, pattern: str, place: str) -> None:
        try:
            if kind == BaseRule.Kind.MAP:
                values["pattern"], values["place"] = check_map(pattern, place)
            else:
                values["pattern"] = check_pattern(pattern)
        except InvalidReference as error:
            self.add_error("place" if kind == BaseRule.Kind.MAP else "pattern", str(error))


@admin.register(BaseRule)
class BaseRuleAdmin(admin.ModelAdmin):
    form = BaseRuleForm
    list_display = ("pattern", "kind", "place", "note")
    list_filter = ("kind",)
    search_fields = ("pattern", "place", "note")
    fieldsets = (
        (
            None,
            {
                "fields": ("kind", "pattern", "place", "note"),
                "description": "What is forbidden is never suggested; where anything is allowed, nothing else is. A "
                "rule to use another base changes what FROM says. * stands for any text.",
            },
        ),
    )

    def save_model(self, request: HttpRequest, obj: BaseRule, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        _apply()

    def delete_model(self, request: HttpRequest, obj: BaseRule) -> None:
        super().delete_model(request, obj)
        _apply()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[BaseRule]) -> None:
        super().delete_queryset(request, queryset)
        _apply()


def _apply() -> None:
    """Every service's suggestions may change with a rule."""
    tasks.enqueue_reconsideration(Service.objects.present().values_list("pk", flat=True))
