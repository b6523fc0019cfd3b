"""The bandwidth and the prices, one row for the fleet."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from fleet.models import Prices


class PricesForm(forms.ModelForm):
    class Meta:
        model = Prices
        fields = ("bandwidth_mbit", "storage_gb_month", "transfer_gb", "pulls_per_replica_month", "currency")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("transfer_gb") is not None and values.get("pulls_per_replica_month") is None:
            self.add_error("pulls_per_replica_month", "Say how often a replica is pulled: else transfer has no cost.")
        if values.get("pulls_per_replica_month") is not None and values.get("transfer_gb") is None:
            self.add_error("transfer_gb", "Say what a transferred GB costs: the pulls alone have no cost.")
        return values


@admin.register(Prices)
class PricesAdmin(admin.ModelAdmin):
    form = PricesForm
    fieldsets = (
        (None, {"fields": ("bandwidth_mbit",)}),
        (
            "Costs",
            {
                "fields": ("currency", "storage_gb_month", "transfer_gb", "pulls_per_replica_month"),
                "description": "No cost is shown of what has no price here.",
            },
        ),
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is nothing to choose from."""
        if Prices.objects.filter(pk=Prices.ONLY).exists():
            return redirect("admin:fleet_prices_change", Prices.ONLY)
        if self.has_add_permission(request):
            return redirect("admin:fleet_prices_add")
        return super().changelist_view(request, extra_context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not Prices.objects.filter(pk=Prices.ONLY).exists()

    def save_model(self, request: HttpRequest, obj: Prices, form: Any, change: bool) -> None:
        obj.pk = Prices.ONLY
        super().save_model(request, obj, form, change)
