"""One verification as it goes on, and what came of it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard import verifying
from dashboard.unread import registry_columns, service_columns
from fleet.models import Suggestion, Verification

POLL_SECONDS = 2


@require_POST
def verify(request: HttpRequest, pk: int) -> HttpResponse:
    suggestion = get_object_or_404(Suggestion, pk=pk)
    verification = verifying.verify_now(request, suggestion)
    if verification is None:
        return redirect("service", pk=suggestion.service_id)
    return redirect("verification", pk=verification.pk)


@require_safe
def verification(request: HttpRequest, pk: int) -> HttpResponse:
    """The page, or for htmx only the progress within it, which asks again until the verification is over."""
    related = Verification.objects.select_related("service__registry", "engine", "requested_by")
    unread = (*registry_columns("service__registry__"), *service_columns("service__"), "engine__client_key")
    shown = get_object_or_404(related.defer(*unread), pk=pk)
    suggestion = shown.service.suggestions.filter(mode=shown.mode, tier=shown.tier).first()
    context = {
        "verification": shown,
        "suggestion": suggestion,
        "is_present": suggestion is not None and suggestion.dockerfile == shown.dockerfile,
        "poll_seconds": POLL_SECONDS,
        "about": verifying.about(shown),
        "traits": verifying.traits(shown),
        "outputs": verifying.outputs(shown),
        "may_verify": verifying.may_verify(request),
    }
    partial = request.htmx.request_type == "partial"  # type: ignore[attr-defined]
    template = "dashboard/verification_progress.html" if partial else "dashboard/verification.html"
    return render(request, template, context)


@require_POST
def verification_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    verifying.cancel(request, get_object_or_404(Verification, pk=pk))
    return redirect("verification", pk=pk)
