"""The limits, and the services over them."""

from __future__ import annotations

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard import tables
from dashboard.unread import registry_columns, service_columns
from fleet.models import SizePolicy, Violation


@require_safe
def policies(request: HttpRequest) -> HttpResponse:
    fail, warn = Q(violations__level=Violation.Level.FAIL), Q(violations__level=Violation.Level.WARN)
    shown = SizePolicy.objects.select_related("registry").defer(*registry_columns())
    counted = shown.annotate(
        over=Count("violations__service", filter=fail, distinct=True),
        warnings=Count("violations__service", filter=warn, distinct=True),
    )
    found = Violation.objects.select_related("service__registry", "policy")
    violations = found.defer(*registry_columns("service__registry__"), *service_columns("service__"))
    table = tables.arrange(tables.ViolationTable(violations), request)
    return render(request, "dashboard/policies.html", {"policies": counted, "table": table})
