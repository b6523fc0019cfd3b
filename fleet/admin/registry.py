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
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from fleet import scanning, tasks
from fleet.admin.registry_form import FIELDSETS, SECRET_FIELDS, SECRETS, RegistryForm
from fleet.models import Registry, Scan
from fleet.models.push import push_url
from fleet.oci.errors import RegistryError
from fleet.schedule import remove_schedule, sync_schedule

# What a registry said of its own limits holds for the URL it was reached at.
SAID_BY_REGISTRY = ("limit_requests", "limit_remaining", "limit_window_seconds", "limit_seen_at", "resting_until")

SHARED = ("crontab", "interval")
HOUSEKEEPING = ("fleet.tasks.tend", "fleet.tasks.keep_house")


@admin.register(Registry)
class RegistryAdmin(admin.ModelAdmin):
    form = RegistryForm
    list_display = ("name", "kind", "url", "schedule", "last_scan", "enabled")
    list_filter = ("kind", "enabled")
    list_select_related = ("crontab", "interval")
    search_fields = ("name", "url")
    actions = ("test_connection", "scan_now")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Registry]:
        newest = Scan.objects.filter(registry=OuterRef("pk")).order_by("-queued_at", "-pk")
        return super().get_queryset(request).annotate(last_status=Subquery(newest.values("status")[:1]))

    def get_fieldsets(self, request: HttpRequest, obj: Registry | None = None) -> Any:
        """Who may only look gets fields as text, and a secret is no text; what is not stored need not be forgotten."""
        if obj is not None and not self.has_change_permission(request, obj):
            left_out = SECRET_FIELDS
        else:
            left_out = frozenset(each.forget for each in SECRETS if obj is None or not getattr(obj, each.field))
        return [(name, {**options, "fields": _without(left_out, options["fields"])}) for name, options in FIELDSETS]

    @admin.display
    def schedule(self, registry: Registry) -> str:
        return str(registry.crontab or registry.interval or "on demand")

    @admin.display(ordering="last_status")
    def last_scan(self, registry: Registry) -> str:
        status = getattr(registry, "last_status", None)
        return Scan.Status(status).label if status else "never"

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Schedules are shared: what is changed or deleted beside one registry is changed for all, and for beat's own
        housekeeping."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name in SHARED and field is not None:
            field.widget.can_change_related = field.widget.can_delete_related = False
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "interval":
            housekeeping = PeriodicTask.objects.filter(task__in=HOUSEKEEPING, interval__isnull=False)
            kwargs["queryset"] = IntervalSchedule.objects.exclude(pk__in=housekeeping.values("interval"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Registry, form: Any, change: bool) -> None:
        if "url" in form.changed_data:
            for name in SAID_BY_REGISTRY:
                setattr(obj, name, None)
            if change:
                scanning.wake(obj)
        super().save_model(request, obj, form, change)
        sync_schedule(obj)
        if form.made_push_secret:
            messages.warning(request, _shown_once(request, obj, form.made_push_secret))
        if change and "base_mirrors" in form.changed_data:
            tasks.enqueue_reconsideration(obj.services.present().values_list("pk", flat=True))

    def view_on_site(self, obj: Registry) -> str:
        return reverse("registry", args=[obj.pk])

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
            if scan.status == Scan.Status.PAUSED:
                messages.info(request, f"The scan of {registry} is paused and goes on by itself.")
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


def _shown_once(request: HttpRequest, registry: Registry, secret: str) -> str:
    signed = request.build_absolute_uri(reverse("push-events", args=[registry.pk]))
    by_url = request.build_absolute_uri(push_url(registry))
    return (
        f"The secret of push events of {registry} is {secret} and is shown this once. Give it to the sender as the "
        f"webhook's secret or as the Authorization header, with the URL {signed}. A sender that takes a URL alone "
        f"(Docker Hub, Quay) gets {by_url} instead; whoever has that URL can announce pushes."
    )


def _without(names: frozenset[str], fields: Any) -> tuple[Any, ...]:
    return tuple(field for field in fields if field not in names)
