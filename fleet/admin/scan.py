"""Scans, for reading."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from fleet.models import Scan, ScanError


class _ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ScanErrorInline(_ReadOnly, admin.TabularInline):
    model = ScanError
    verbose_name_plural = "errors and notices"
    fields = ("level", "repository", "tag", "message")
    extra = 0
    can_delete = False


@admin.register(Scan)
class ScanAdmin(_ReadOnly, admin.ModelAdmin):
    list_display = ("pk", "registry", "service", "trigger", "status", "queued_at", "services_done", "error_count")
    list_filter = ("status", "trigger", "registry")
    list_select_related = ("registry", "service")
    show_full_result_count = False
    inlines = (ScanErrorInline,)
