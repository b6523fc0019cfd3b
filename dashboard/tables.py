"""Tables that sort in SQL and page by primary key, so that no row is shown twice or never."""

from __future__ import annotations

from typing import Any

import django_tables2 as tables
from django.core.paginator import EmptyPage, PageNotAnInteger
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Coalesce, Lower, NullIf
from django.http import HttpRequest

from fleet.models import Scan, Violation

PAGE_SIZES = (25, 50, 100)


class SqlColumn(tables.Column):
    """Sorts by one database field: unknown values last in either direction, then by primary key."""

    def __init__(self, field: str, **options: Any) -> None:
        super().__init__(accessor=field, **options)
        self.field = field

    def order(self, queryset: QuerySet[Any], is_descending: bool) -> tuple[QuerySet[Any], bool]:
        key = self.key()
        by = key.desc(nulls_last=True) if is_descending else key.asc(nulls_last=True)
        return queryset.order_by(by, "pk"), True

    def key(self) -> Any:
        return F(self.field)


class NameColumn(SqlColumn):
    """Sorts services by what people call them, in any case: the name, else the repository."""

    def __init__(self, service: str = "", **options: Any) -> None:
        super().__init__(f"{service}repository", **options)
        self.service = service

    def key(self) -> Any:
        return Lower(Coalesce(NullIf(f"{self.service}name", Value("")), f"{self.service}repository"))


class ServiceTable(tables.Table):
    """The ranking. The template draws its rows; the columns say what can be sorted."""

    service = NameColumn(verbose_name="Service")
    owner = SqlColumn("owner", verbose_name="Owner", attrs={"th": {"class": "hide-narrow"}})
    runtime = SqlColumn("runtime", verbose_name="Runtime")
    compressed = SqlColumn("compressed_bytes", verbose_name="Compressed", attrs={"th": {"class": "num"}})
    unpacked = SqlColumn("unpacked_bytes", verbose_name="Unpacked", attrs={"th": {"class": "num"}})
    trend = tables.Column("Trend", accessor="sparkline", orderable=False)
    savings = SqlColumn("savings_compressed_bytes", verbose_name="Could save (estimate)")
    percent = SqlColumn("savings_percent", verbose_name="Share", attrs={"th": {"class": "num share"}})
    policy = tables.Column("Policy", accessor="policy_state", orderable=False)
    newest = SqlColumn("snapshot__taken_at", verbose_name="Newest tag", attrs={"th": {"class": "hide-narrow"}})

    class Meta:
        order_by = "-savings"


class ScanTable(tables.Table):
    scan = SqlColumn("pk", verbose_name="Scan")
    registry = SqlColumn("registry__name", verbose_name="Registry")
    status = SqlColumn("status", verbose_name="Status")
    queued = SqlColumn("queued_at", verbose_name="Queued")
    services = SqlColumn("services", verbose_name="Services", attrs={"th": {"class": "num"}})
    requests = SqlColumn("requests", verbose_name="Requests", attrs={"th": {"class": "num"}})
    received = SqlColumn("received_bytes", verbose_name="Read", attrs={"th": {"class": "num"}})
    errors = SqlColumn("error_count", verbose_name="Errors", attrs={"th": {"class": "num"}})

    class Meta:
        model = Scan
        fields: tuple[str, ...] = ()
        order_by = "-queued"


class ViolationTable(tables.Table):
    service = NameColumn("service__", verbose_name="Service")
    owner = SqlColumn("service__owner", verbose_name="Owner")
    policy = SqlColumn("policy__name", verbose_name="Policy")
    level = SqlColumn("level", verbose_name="State")
    measured = SqlColumn("measured_bytes", verbose_name="Measured", attrs={"th": {"class": "num"}})
    limit = SqlColumn("limit_bytes", verbose_name="Limit", attrs={"th": {"class": "num"}})
    since = SqlColumn("since", verbose_name="Since")

    class Meta:
        model = Violation
        fields: tuple[str, ...] = ()
        order_by = "level"


def requested_page_size(request: HttpRequest) -> int:
    """One of ``PAGE_SIZES``; anything else asks for the first."""
    wanted = request.GET.get("per_page", "")
    return next((size for size in PAGE_SIZES if str(size) == wanted), PAGE_SIZES[0])


def arrange(table: tables.Table, request: HttpRequest) -> tables.Table:
    """Sort and page ``table`` as the request asks; what it cannot ask for is ignored."""
    sort(table, request)
    try:
        table.paginate(page=request.GET.get("page", 1), per_page=requested_page_size(request))
    except PageNotAnInteger:
        table.page = table.paginator.page(1)
    except EmptyPage:
        table.page = table.paginator.page(table.paginator.num_pages)
    return table


def sort(table: tables.Table, request: HttpRequest) -> tables.Table:
    """Sort by the first column that the request names rightly, else leave the default."""
    table.request = request
    wanted = request.GET.get("sort", "")
    column = wanted.removeprefix("-")
    if column in table.columns and table.columns[column].orderable:
        table.order_by = wanted
    return table
