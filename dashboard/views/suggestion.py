"""A suggestion as files: the Dockerfile, a patch of the team's own one, a summary for a pull request."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from dashboard.pull_request import markdown
from dashboard.suggestions import teams_dockerfile
from fleet.dockerfile.adoption import patch
from fleet.models import Prices, Suggestion, bodies_of


@require_safe
def dockerfile(request: HttpRequest, pk: int) -> HttpResponse:
    """The suggested Dockerfile as a file of that name."""
    return _file("Dockerfile", _offered(pk).dockerfile, "text/plain")


@require_safe
def buildkit_dockerfile(request: HttpRequest, pk: int) -> HttpResponse:
    """The same for BuildKit alone."""
    text = _offered(pk).buildkit_dockerfile
    if not text:
        raise Http404("This suggestion is the same for every builder.")
    return _file("Dockerfile", text, "text/plain")


@require_safe
def dockerfile_patch(request: HttpRequest, pk: int) -> HttpResponse:
    """From the team's own Dockerfile to the suggested one."""
    offered = _offered(pk)
    own = teams_dockerfile(offered.service, offered)
    if not own:
        raise Http404("There is no Dockerfile of the team to compare this suggestion with.")
    return _file("Dockerfile.patch", patch(own, offered.dockerfile), "text/x-diff")


@require_safe
def summary(request: HttpRequest, pk: int) -> HttpResponse:
    """Markdown for a pull request."""
    offered = _offered(pk)
    return _file("SUMMARY.md", markdown(offered.service, offered, Prices.tariff()), "text/markdown")


def _offered(pk: int) -> Suggestion:
    related = Suggestion.objects.exclude(dockerfile="").select_related("service", "image")
    return get_object_or_404(related.defer(*bodies_of("image")), pk=pk)


def _file(name: str, text: str, content_type: str) -> HttpResponse:
    response = HttpResponse(text.encode(), content_type=f"{content_type}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
