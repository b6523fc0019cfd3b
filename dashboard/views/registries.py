"""The configured registries: what they are, what they let us ask, and how their scans went."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Q, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from dashboard import registry_state
from dashboard.scan_now import may_scan, scan_now
from dashboard.unread import service_columns
from fleet import scanning
from fleet.admin.pem import valid_until
from fleet.models import Registry, Scan, ScanError
from fleet.models.push import push_url
from fleet.models.scan import ACTIVE
from fleet.oci.errors import RegistryError

SCANS_SHOWN = 20
ERRORS_SHOWN = 5
ACTIVE_SHOWN = 3
OVER = (Scan.Status.DONE, Scan.Status.PARTIAL, Scan.Status.FAILED)


@require_safe
def registries(request: HttpRequest) -> HttpResponse:
    latest = Scan.objects.filter(registry=OuterRef("pk")).values("pk")[:1]
    present = Count("services", filter=Q(services__gone_at=None))
    annotated = registry_state.with_state(Registry.objects.all())
    shown = list(annotated.annotate(service_count=present, latest_scan=Subquery(latest)))
    scans = Scan.objects.in_bulk([each.latest_scan for each in shown if each.latest_scan])
    now = timezone.now()
    rows = [
        {
            "registry": each,
            "scan": scans.get(each.latest_scan),
            "schedule": registry_state.schedule_words(each),
            "budget": registry_state.budget_of(each, now),
            "resting_until": registry_state.resting_until(each, now),
        }
        for each in shown
    ]
    return render(request, "dashboard/registries.html", {"rows": rows, "may_scan": may_scan(request)})


@require_safe
def registry(request: HttpRequest, pk: int) -> HttpResponse:
    shown = get_object_or_404(registry_state.with_state(Registry.objects.all()), pk=pk)
    now = timezone.now()
    latest = shown.scans.select_related("service").defer(*service_columns("service__"))
    newest = list(latest[: SCANS_SHOWN + 1])
    scans = newest[:SCANS_SHOWN]
    active = [scan for scan in scans if scan.status in ACTIVE]
    # Of the whole registry: a push event's scan of one service says little of the rest.
    ended = shown.scans.filter(service=None, status__in=OVER).first()
    context = {
        "registry": shown,
        "schedule": registry_state.schedule_words(shown),
        "next_run": registry_state.next_run(shown, now),
        "budget": registry_state.budget_of(shown, now),
        "resting_until": registry_state.resting_until(shown, now),
        "counts": shown.services.aggregate(
            present=Count("pk", filter=Q(gone_at=None)),
            gone=Count("pk", filter=Q(gone_at__isnull=False)),
            unweighed=Count("pk", filter=Q(gone_at=None, snapshot=None)),
            history_left=Sum("history_left", filter=Q(gone_at=None)),
        ),
        "scans": scans,
        "more_scans": len(newest) > SCANS_SHOWN,
        "active": active[:ACTIVE_SHOWN],
        "more_active": len(active[ACTIVE_SHOWN:]),
        "paused": next((scan for scan in active if scan.status == Scan.Status.PAUSED), None),
        "ended": ended,
        "errors": list(ended.errors.filter(level=ScanError.Level.ERROR)[:ERRORS_SHOWN]) if ended else [],
        "pushed": shown.pushed.count(),
        **_certificate(shown, now),
        **_for_those_who_may_change(request, shown),
        "may_scan": may_scan(request),
    }
    return render(request, "dashboard/registry.html", context)


def _certificate(shown: Registry, now: datetime) -> dict[str, Any]:
    until = valid_until(shown.client_certificate) if shown.has_certificate else None  # type: ignore[attr-defined]
    return {"certificate_until": until, "certificate_ended": until is not None and until <= now}


def _for_those_who_may_change(request: HttpRequest, shown: Registry) -> dict[str, Any]:
    """Who knows the URL with the token can announce pushes; the secret behind it is on no page."""
    if not request.user.has_perm("fleet.change_registry"):
        return {"may_change": False}
    with_token = push_url(shown) if shown.takes_pushes else ""  # type: ignore[attr-defined]
    if not with_token:
        return {"may_change": True}
    return {
        "may_change": True,
        "push_url": request.build_absolute_uri(reverse("push-events", args=[shown.pk])),
        "push_url_with_token": request.build_absolute_uri(with_token),
    }


@require_POST
def registry_scan(request: HttpRequest, pk: int) -> HttpResponse:
    registry = get_object_or_404(Registry, pk=pk)
    return redirect("scan", pk=scan_now(request, registry).pk)


@require_POST
def registry_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the registry once, with its login, and say what it said."""
    if not request.user.has_perm("fleet.change_registry"):
        raise PermissionDenied
    asked = get_object_or_404(Registry, pk=pk)
    try:
        messages.success(request, scanning.try_connection(asked))
    except RegistryError as error:
        messages.error(request, f"{asked}: {error}")
    return redirect("registry", pk=pk)
