"""The configured registries and how their last scans went."""

from __future__ import annotations

from django.db.models import Count, OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard.scan_now import may_scan, scan_now
from fleet.models import Registry, Scan


@require_safe
def registries(request: HttpRequest) -> HttpResponse:
    latest = Scan.objects.filter(registry=OuterRef("pk")).values("pk")[:1]
    present = Count("services", filter=Q(services__gone_at=None))
    shown = list(
        Registry.objects.defer("secret")
        .select_related("crontab", "interval")
        .annotate(service_count=present, latest_scan=Subquery(latest))
    )
    scans = Scan.objects.in_bulk([each.latest_scan for each in shown if each.latest_scan])
    rows = [(each, scans.get(each.latest_scan)) for each in shown]
    return render(request, "dashboard/registries.html", {"rows": rows, "may_scan": may_scan(request)})


@require_POST
def registry_scan(request: HttpRequest, pk: int) -> HttpResponse:
    registry = get_object_or_404(Registry, pk=pk)
    return redirect("scan", pk=scan_now(request, registry).pk)
