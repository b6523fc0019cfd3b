"""One service: what it weighs, why, and what to do about it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from dashboard import charts
from dashboard.benefits import cost_basis
from dashboard.composition import layer_rows, package_summary
from dashboard.observations import remarkable
from dashboard.releases import largest_jump, releases
from dashboard.scan_now import may_scan, scan_now
from dashboard.sharing import sharing
from dashboard.suggestions import ladders
from dashboard.unread import registry_columns
from dashboard.verifying import of_service
from dashboard.waste import waste_list
from fleet.models import ScanError, Service

FINDINGS_READ = 500
REMARKS_SHOWN = 20
ADOPTIONS_SHOWN = 3


@require_safe
def service(request: HttpRequest, pk: int) -> HttpResponse:
    related = Service.objects.select_related("registry", "snapshot__image__analysis", "probe")
    shown = get_object_or_404(
        related.defer(*registry_columns(), "snapshot__image__manifest", "probe__environment"), pk=pk
    )
    image = shown.snapshot.image if shown.snapshot else None
    analysis = getattr(image, "analysis", None)
    shown_releases = releases(shown)
    policies = charts.policies_for(shown)
    shared = sharing(shown)
    context = {
        "service": shown,
        "image": image,
        "analysis": analysis,
        "releases": shown_releases[::-1],
        "trend": charts.trend(shown_releases, policies),
        "jump": largest_jump(shown_releases),
        "policies": policies,
        "violations": list(shown.violations.select_related("policy")),
        **_suggested(request, shown),
        "waste": waste_list(analysis.findings.all()[:FINDINGS_READ]) if analysis else None,
        "observations": remarkable(analysis.observations, timezone.localdate()) if analysis else [],
        "layers": layer_rows(image, analysis, shared.uses) if image else [],
        "sharing": shared,
        "packages": package_summary(analysis.packages) if analysis else None,
        "compressed_estimated": shown.registry.estimates_compressed,
        "remarks": _remarks(shown),
        "may_scan": may_scan(request),
    }
    return render(request, "dashboard/service.html", context)


def _suggested(request: HttpRequest, shown: Service) -> dict[str, Any]:
    """The ladders of suggestions, and which of earlier ones were taken up."""
    verified, proofs = of_service(request, shown)
    found = ladders(shown, request.GET.get("mode", ""), request.GET.get("tier", ""), proofs)
    return {
        "ladders": found,
        **verified,
        "cost_basis": cost_basis(found.tariff, shown.weight),
        "adoptions": list(shown.adoptions.defer("dockerfile")[:ADOPTIONS_SHOWN]),
        "may_price": request.user.has_perm("fleet.change_prices"),
    }


def _remarks(shown: Service) -> list[ScanError]:
    """What the last scan could not read of the service, or left out."""
    return list(ScanError.objects.filter(scan=shown.last_scan_id, repository=shown.repository)[:REMARKS_SHOWN])


@require_POST
def service_scan(request: HttpRequest, pk: int) -> HttpResponse:
    shown = get_object_or_404(Service.objects.select_related("registry"), pk=pk)
    return redirect("scan", pk=scan_now(request, shown.registry, shown).pk)
