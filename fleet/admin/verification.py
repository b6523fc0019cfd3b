"""Engines that verifications use, how services are probed, and what was verified, for reading."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from fleet.admin.kept_secret import BlankTextarea, KeptSecret
from fleet.admin.pem import check_certificates, check_key, check_pair
from fleet.admin.size_field import SizeField
from fleet.models import Engine, ServiceProbe, Verification
from fleet.models.secret import UNREADABLE
from fleet.oci.errors import RegistryError
from fleet.oci.sources.engine_connection import EngineAddress
from fleet.verification import jobs
from fleet.verification.context import check_git_url
from fleet.verification.engine import connected
from fleet.verification.probing import make_probe, parse_environment

KEY = KeptSecret("client_key", "forget_client_key")
VARIABLES = KeptSecret("environment", "forget_environment", bound_to_url=False)
PEM_ROWS = {"rows": 4, "cols": 70, "spellcheck": "false", "autocomplete": "off"}


class EngineForm(forms.ModelForm):
    client_key = forms.CharField(
        label="Key of the client certificate",
        required=False,
        help_text="PEM, without a passphrase.",
        widget=BlankTextarea(attrs=PEM_ROWS),
    )
    forget_client_key = forms.BooleanField(label="Forget the stored key", required=False)

    class Meta:
        model = Engine
        fields = (
            "name", "url", "plain_http", "ca_certificate", "client_certificate", "client_key", "memory_bytes", "cpus",
            "pids", "build_seconds", "whole_seconds", "build_network", "enabled",
        )  # fmt: skip
        field_classes = {"memory_bytes": SizeField}
        widgets = {name: forms.Textarea(attrs=PEM_ROWS) for name in ("ca_certificate", "client_certificate")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored = KEY.prepare(self)
        self.stored_url: str = self.instance.url

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        moved = values.get("url", self.stored_url) != self.stored_url
        key = KEY.cleaned(self, stored=self.stored, moved=moved)
        if "client_key" not in self.errors:
            values["client_key"] = key
        for field, check in (("ca_certificate", check_certificates), ("client_certificate", check_certificates)):
            if values.get(field):
                self._try(field, check, values[field])
        if key and key != UNREADABLE and not self.errors:
            self._try("client_key", check_key, key)
        if not self.errors and bool(key) != bool(values.get("client_certificate")):
            self.add_error("client_key", "A client certificate and its key go together: paste both, or none.")
        elif not self.errors and key and key != UNREADABLE:
            self._try("client_key", check_pair, values["client_certificate"], key)
        if not self.errors:
            settings = jobs.settings_of_engine(Engine(**{name: values[name] for name in EngineForm.Meta.fields}))
            self._try("url", EngineAddress, settings.url, trust=settings.trust, plain_http=settings.plain_http)
        return values

    def _try(self, field: str, check: Any, *arguments: Any, **options: Any) -> None:
        try:
            check(*arguments, **options)
        except (RegistryError, ValueError) as error:
            self.add_error(field, str(error))


@admin.register(Engine)
class EngineAdmin(admin.ModelAdmin):
    form = EngineForm
    list_display = ("name", "url", "enabled")
    actions = ("test_connection",)
    fieldsets = (
        (
            None,
            {
                "fields": ("name", "url", "enabled"),
                "description": "With an engine here, whoever may verify builds suggestions and runs images of the "
                "fleet on it. It runs one verification at a time.",
            },
        ),
        ("Limits", {"fields": ("memory_bytes", "cpus", "pids", "build_seconds", "whole_seconds", "build_network")}),
        (
            "Certificates and plain HTTP",
            {
                "fields": ("plain_http", "ca_certificate", "client_certificate", "client_key", "forget_client_key"),
                "classes": ("collapse",),
            },
        ),
    )

    @admin.action(description="Test connection", permissions=["change"])
    def test_connection(self, request: HttpRequest, queryset: QuerySet[Engine]) -> None:
        for row in queryset:
            try:
                with connected(jobs.settings_of_engine(row)) as engine:
                    messages.success(request, f"{row} answers: a Docker Engine for linux/{engine.architecture}.")
            except RegistryError as error:
                messages.error(request, f"{row}: {error}")


class ServiceProbeForm(forms.ModelForm):
    environment = forms.CharField(
        label="Variables",
        required=False,
        help_text="NAME=value, one a line, set in both images. Not for secrets of production.",
        widget=BlankTextarea(attrs=PEM_ROWS),
    )
    forget_environment = forms.BooleanField(label="Forget the stored variables", required=False)

    class Meta:
        model = ServiceProbe
        fields = ("service", "path", "port", "tcp", "command", "environment", "wait_seconds", "context")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored = VARIABLES.prepare(self)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        kept = VARIABLES.cleaned(self, stored=self.stored, moved=False)
        if "environment" not in self.errors:
            values["environment"] = kept
        checks: tuple[tuple[str, Any], ...] = (
            ("environment", lambda: kept == UNREADABLE or parse_environment(kept)),
            ("context", lambda: check_git_url(values["context"]) if values.get("context") else None),
            ("path", lambda: make_probe(path=values.get("path") or "", port=values.get("port") or 0)),
            ("command", lambda: make_probe(command=values.get("command") or "")),
        )
        for field, check in checks:
            try:
                check()
            except RegistryError as error:
                self.add_error(field, str(error))
        if values.get("tcp") and not values.get("port"):
            self.add_error("port", "Name the port to connect to.")
        return values


@admin.register(ServiceProbe)
class ServiceProbeAdmin(admin.ModelAdmin):
    form = ServiceProbeForm
    list_display = ("service", "path", "port", "command")
    list_select_related = ("service",)
    search_fields = ("service__repository", "service__name")
    autocomplete_fields = ("service",)
    fieldsets = (
        (None, {"fields": ("service",)}),
        (
            "Probe",
            {
                "fields": ("path", "port", "tcp", "command", "wait_seconds"),
                "description": "All empty: what the image itself says of its ports, else whether it starts and runs.",
            },
        ),
        ("Variables", {"fields": ("environment", "forget_environment")}),
        ("Rebuild", {"fields": ("context",)}),
    )


@admin.register(Verification)
class VerificationAdmin(admin.ModelAdmin):
    list_display = ("pk", "service", "mode", "tier", "status", "cause", "engine", "queued_at")
    list_filter = ("status", "mode", "tier", "engine")
    list_select_related = ("service", "engine")
    search_fields = ("service__repository", "service__name")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
