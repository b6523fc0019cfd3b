"""What was scanned, when, at what cost, and what went wrong."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from dashboard import tables
from fleet.models import Scan

ERRORS_SHOWN = 200


@require_safe
def scans(request: HttpRequest) -> HttpResponse:
    found = Scan.objects.select_related("registry", "service").defer("registry__secret", "service__dockerfile")
    table = tables.arrange(tables.ScanTable(found), request)
    return render(request, "dashboard/scans.html", {"table": table})


@require_safe
def scan(request: HttpRequest, pk: int) -> HttpResponse:
    """The page, or for htmx only the progress within it, which asks again until the scan is over."""
    found = Scan.objects.select_related("registry", "service").defer("registry__secret", "service__dockerfile")
    shown = get_object_or_404(found, pk=pk)
    context = {
        "scan": shown,
        "active": shown.status in (Scan.Status.QUEUED, Scan.Status.RUNNING),
        "progress": 100 * shown.services_done / shown.services if shown.services else 0,
        "errors": shown.errors.all()[:ERRORS_SHOWN],
    }
    partial = request.htmx.request_type == "partial"  # type: ignore[attr-defined]
    return render(request, "dashboard/scan_progress.html" if partial else "dashboard/scan.html", context)
