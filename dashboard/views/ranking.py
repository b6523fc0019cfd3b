"""Which services could lose most."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe
from django_htmx.http import push_url

from dashboard import adoption, tables
from dashboard.export import csv_lines
from dashboard.figures import fleet_figures
from dashboard.filters import ServiceFilter
from dashboard.unread import registry_columns, service_columns
from fleet.models import Registry, Service


def _services() -> QuerySet[Service]:
    related = Service.objects.present().select_related("registry", "snapshot")
    return related.defer(*service_columns(), *registry_columns())


@require_safe
def ranking(request: HttpRequest) -> HttpResponse:
    """The page, or for htmx only the table within it."""
    chosen = ServiceFilter(request.GET, queryset=_services())
    table = tables.arrange(tables.ServiceTable(chosen.qs), request)
    context: dict[str, Any] = {
        "filter": chosen,
        "table": table,
        "page_sizes": tables.PAGE_SIZES,
        "page_size": tables.requested_page_size(request),
        "csv_query": urlencode(chosen.chosen | {"sort": table.order_by[0]}),
    }
    if _wants_table_only(request):
        return _table_only(request, context)
    context["figures"] = fleet_figures()
    context |= _benefits(request, context["figures"].services)
    context["any_registry"] = bool(context["figures"].services) or Registry.objects.exists()
    return _varying(render(request, "dashboard/ranking.html", context))


def _benefits(request: HttpRequest, services: int = 0) -> dict[str, Any]:
    """``services``: how many there are, where the page must not wait for very many."""
    top = adoption.requested_top(request)
    return {
        "top": top,
        "tops": sorted({*adoption.CHOICES, top}),
        "forecast": adoption.known_forecast(top, services),
        "kept": adoption.kept_promises(),
    }


@require_safe
def forecast(request: HttpRequest) -> HttpResponse:
    """What the fleet would store and pull: weighed now, for the ranking that did not wait for it."""
    context = _benefits(request)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(f"{reverse('ranking')}?{request.GET.urlencode()}#benefits")
    return _varying(render(request, "dashboard/ranking_benefits.html", context))


@require_safe
def ranking_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The services that the filters leave, all of them, in the order of the page."""
    table = tables.sort(tables.ServiceTable(ServiceFilter(request.GET, queryset=_services()).qs), request)
    response = StreamingHttpResponse(csv_lines(table.data.data), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="plimsoll-ranking.csv"'
    return response


def _wants_table_only(request: HttpRequest) -> bool:
    return request.htmx.request_type == "partial"  # type: ignore[attr-defined]


def _table_only(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The table, and an address that names only what was chosen: no ``?search=&owner=``."""
    given = urlencode({name: value for name in request.GET if (value := request.GET.get(name))})
    response = _varying(render(request, "dashboard/ranking_table.html", context))
    return push_url(response, f"{request.path}?{given}" if given else request.path)


def _varying(response: HttpResponse) -> HttpResponse:
    """One address has two bodies; without this a browser's back button may show the bare table."""
    patch_vary_headers(response, ["HX-Request", "HX-Request-Type"])
    return response
