"""Services: people say who owns one, how many replicas run and how it is built; all else comes from scans."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest

from fleet import snapshots, tasks
from fleet.dockerfile.faults import find_faults
from fleet.dockerfile.parse import InvalidDockerfile, parse_dockerfile
from fleet.models import Service

EDITABLE = ("owner", "weight", "dockerfile")
SHOWN = (
    "registry",
    "repository",
    "name",
    "platform",
    "runtime",
    "runtime_version",
    "compressed_bytes",
    "unpacked_bytes",
    "savings_compressed_bytes",
    "savings_unpacked_bytes",
    "policy_state",
    "first_seen_at",
    "checked_at",
    "gone_at",
)


class TextFileField(forms.CharField):
    """A text as the file most likely holds it: forms send CRLF for every line end, and lose the last one."""

    def to_python(self, value: Any) -> Any:
        text = (super().to_python(value) or "").replace("\r\n", "\n")
        return f"{text}\n" if text else ""


class ServiceForm(forms.ModelForm):
    class Meta:
        model = Service
        fields = EDITABLE
        field_classes = {"dockerfile": TextFileField}

    def clean_dockerfile(self) -> str:
        text: str = self.cleaned_data["dockerfile"]
        try:
            if text.strip():
                parse_dockerfile(text)
        except InvalidDockerfile as error:
            raise forms.ValidationError(str(error)) from None
        return text


@admin.register(Service)
class ServiceAdmin(admin.ModelAdmin):
    form = ServiceForm
    list_display = ("repository", "name", "registry", "owner", "weight", "runtime", "policy_state", "gone_at")
    list_filter = ("registry", "runtime", "policy_state")
    list_select_related = ("registry",)
    search_fields = ("repository", "name", "owner")
    show_full_result_count = False
    fieldsets = ((None, {"fields": EDITABLE}), ("From scans", {"fields": SHOWN}))
    readonly_fields = SHOWN

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Service, form: Any, change: bool) -> None:
        """Only what was edited: a scan may be writing the other columns."""
        obj.save(update_fields=EDITABLE)
        if "owner" in form.changed_data:
            snapshots.apply_policies(Service.objects.filter(pk=obj.pk))
        if "dockerfile" in form.changed_data:
            if obj.dockerfile.strip():
                # It is kept: what is published may be built from a later state of it.
                for fault in find_faults(parse_dockerfile(obj.dockerfile)):
                    messages.warning(request, f"The image of this Dockerfile does not run. {fault.sentence}")
            tasks.enqueue_reconsideration([obj.pk])
