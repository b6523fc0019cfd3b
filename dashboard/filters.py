"""What the ranking can be narrowed to. An unknown value narrows nothing."""

from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet

from dashboard.wording import runtime
from fleet.models import Registry, Service


def _owners() -> list[tuple[str, str]]:
    return _values("owner")


def _runtimes() -> list[tuple[str, str]]:
    return [(value, runtime(value)) for value, _ in _values("runtime")]


def _values(column: str) -> list[tuple[str, str]]:
    found = Service.objects.present().exclude(**{column: ""}).order_by(column).values_list(column, flat=True).distinct()
    return [(value, value) for value in found]


class ServiceFilter(django_filters.FilterSet):
    """All of them combine."""

    search = django_filters.CharFilter(method="_search", label="Search", max_length=255)
    registry = django_filters.ModelChoiceFilter(
        queryset=Registry.objects.only("name"), label="Registry", empty_label="All registries"
    )
    owner = django_filters.ChoiceFilter(choices=_owners, label="Owner", empty_label="All owners")
    runtime = django_filters.ChoiceFilter(choices=_runtimes, label="Runtime", empty_label="All runtimes")
    policy = django_filters.ChoiceFilter(
        field_name="policy_state",
        choices=[
            (Service.PolicyState.FAIL, "Over policy"),
            (Service.PolicyState.WARN, "Warning"),
            (Service.PolicyState.OK, "Within policy"),
            (Service.PolicyState.NONE, "No policy"),
        ],
        label="Policy",
        empty_label="Any policy state",
    )

    class Meta:
        model = Service
        fields: list[str] = []

    def _search(self, queryset: QuerySet[Service], name: str, value: str) -> QuerySet[Service]:
        named = Q(repository__icontains=value) | Q(name__icontains=value)
        return queryset.filter(named | Q(owner__icontains=value))

    @property
    def chosen(self) -> dict[str, str]:
        """The parameters that narrow something, for links that keep them."""
        return {name: self.data[name] for name in self.filters if self.data.get(name)}
