"""Registries: what is scanned, with which login, and when. Buttons test the connection and start a scan."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from fleet import scanning, tasks
from fleet.admin.registry_form import RegistryForm
from fleet.models import Registry, Scan
from fleet.oci.errors import RegistryError
from fleet.schedule import remove_schedule, sync_schedule

LOGIN = ("username", "secret", "forget_secret")


@admin.register(Registry)
class RegistryAdmin(admin.ModelAdmin):
    form = RegistryForm
    list_display = ("name", "kind", "url", "schedule", "last_scan", "enabled")
    list_filter = ("kind", "enabled")
    list_select_related = ("crontab", "interval")
    search_fields = ("name", "url")
    actions = ("test_connection", "scan_now")
    fieldsets = (
        (None, {"fields": ("name", "kind", "url", "plain_http", "enabled")}),
        ("Login", {"fields": LOGIN}),
        ("Repositories", {"fields": ("listing", "listing_scope", "include", "exclude")}),
        ("History", {"fields": ("tag_pattern", "history_tags", "platform")}),
        ("Schedule", {"fields": ("crontab", "interval", "concurrency"), "description": "Without one: on demand only."}),
        ("Suggestions", {"fields": ("base_mirrors",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Registry]:
        newest = Scan.objects.filter(registry=OuterRef("pk")).order_by("-queued_at", "-pk")
        return super().get_queryset(request).annotate(last_status=Subquery(newest.values("status")[:1]))

    def get_fieldsets(self, request: HttpRequest, obj: Registry | None = None) -> Any:
        """Who may only look gets fields as text, and a secret is no text."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [(name, {**options, "fields": _without_secret(options["fields"])}) for name, options in fieldsets]

    @admin.display
    def schedule(self, registry: Registry) -> str:
        return str(registry.crontab or registry.interval or "on demand")

    @admin.display(ordering="last_status")
    def last_scan(self, registry: Registry) -> str:
        status = getattr(registry, "last_status", None)
        return Scan.Status(status).label if status else "never"

    def save_model(self, request: HttpRequest, obj: Registry, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        sync_schedule(obj)
        if change and "base_mirrors" in form.changed_data:
            tasks.enqueue_reconsideration(obj.services.present().values_list("pk", flat=True))

    def delete_model(self, request: HttpRequest, obj: Registry) -> None:
        remove_schedule(obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Registry]) -> None:
        for registry in queryset:
            remove_schedule(registry)
        super().delete_queryset(request, queryset)

    @admin.action(description="Test connection", permissions=["change"])
    def test_connection(self, request: HttpRequest, queryset: QuerySet[Registry]) -> None:
        for registry in queryset:
            try:
                messages.success(request, scanning.try_connection(registry))
            except RegistryError as error:
                messages.error(request, f"{registry}: {error}")

    @admin.action(description="Scan now", permissions=["change"])
    def scan_now(self, request: HttpRequest, queryset: QuerySet[Registry]) -> None:
        for registry in queryset:
            scan = scanning.start(registry, Scan.Trigger.PAGE)
            if scan.status == Scan.Status.RUNNING:
                messages.info(request, f"{registry} is being scanned already.")
                continue
            tasks.enqueue(scan)
            if scan.status == Scan.Status.FAILED:
                messages.error(request, scan.message)
            else:
                messages.success(request, f"The scan of {registry} was started.")

    def get_urls(self) -> list[URLPattern]:
        """The two actions as buttons of one registry's page."""
        return [
            path("<path:object_id>/test/", self._button(self.test_connection), name="fleet_registry_test"),
            path("<path:object_id>/scan/", self._button(self.scan_now), name="fleet_registry_scan"),
            *super().get_urls(),
        ]

    def _button(self, action: Any) -> Any:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            registry = self.get_object(request, unquote(object_id))
            if registry is None:
                raise Http404
            if not self.has_change_permission(request, registry):
                raise PermissionDenied
            action(request, [registry])
            return HttpResponseRedirect(reverse("admin:fleet_registry_change", args=[registry.pk]))

        return self.admin_site.admin_view(require_POST(view))


def _without_secret(fields: Any) -> tuple[Any, ...]:
    return tuple(field for field in fields if field not in LOGIN[1:])
