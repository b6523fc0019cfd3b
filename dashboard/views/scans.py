"""What was scanned, when, at what cost, and what went wrong."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from dashboard import scan_now, tables
from dashboard.progress import progress_of
from dashboard.unread import registry_columns, service_columns
from fleet.models import Registry, Scan
from fleet.models.scan import ACTIVE

ERRORS_SHOWN = 200
# A scan that rests may do so for hours.
POLL_SECONDS, POLL_SECONDS_PAUSED = 2, 10


def _scans() -> QuerySet[Scan]:
    related = Scan.objects.select_related("registry", "service")
    return related.defer(*registry_columns(), *service_columns("service__"))


@require_safe
def scans(request: HttpRequest) -> HttpResponse:
    """All of them, or those of the registry that ``?registry=`` names."""
    wanted = request.GET.get("registry", "")
    chosen = Registry.objects.only("name").filter(pk=wanted).first() if _is_key(wanted) else None
    found = _scans().filter(registry=chosen) if chosen else _scans()
    table = tables.arrange(tables.ScanTable(found), request)
    return render(request, "dashboard/scans.html", {"table": table, "registry": chosen})


@require_safe
def scan(request: HttpRequest, pk: int) -> HttpResponse:
    """The page, or for htmx only the progress within it, which asks again until the scan is over."""
    shown = get_object_or_404(_scans(), pk=pk)
    lanes = list(shown.lanes.select_related("service").defer(*service_columns("service__")))
    running = shown.status == Scan.Status.RUNNING
    context = {
        "scan": shown,
        "active": shown.status in ACTIVE,
        "poll_seconds": POLL_SECONDS_PAUSED if shown.status == Scan.Status.PAUSED else POLL_SECONDS,
        "progress": progress_of(shown, lanes, timezone.now()),
        "reading": [lane for lane in lanes if lane.service] if running else [],
        "errors": shown.errors.all()[:ERRORS_SHOWN],
        "may_scan": scan_now.may_scan(request),
    }
    partial = request.htmx.request_type == "partial"  # type: ignore[attr-defined]
    return render(request, "dashboard/scan_progress.html" if partial else "dashboard/scan.html", context)


@require_POST
def scan_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    scan_now.cancel(request, get_object_or_404(Scan, pk=pk))
    return redirect("scan", pk=pk)


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
