"""Size policies applied to services: violations come, change and go; ``since`` survives a change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice

from django.db import transaction

from fleet.models import Service, SizePolicy, Violation
from fleet.policy.evaluate import Limits, Scope, evaluate, in_scope

CHUNK = 500
State = Service.PolicyState


def apply_policies(services: Iterable[Service]) -> None:
    """Bring violations and policy state of these services in line with the enabled policies.

    Their rows are locked and read anew first, then the policies: of a scan that weighs a service and an admin who
    changes a limit the later one sees what the other wrote. Both take the service's row before its violations.
    """
    keys = (service.pk for service in services)
    with transaction.atomic():
        while chunk := list(islice(keys, CHUNK)):
            present = Service.objects.defer("dockerfile", "sparkline", "skipped").filter(pk__in=chunk).order_by("pk")
            locked = list(present.select_for_update(no_key=True))
            _apply(list(SizePolicy.objects.filter(enabled=True)), locked)


def _apply(policies: list[SizePolicy], services: list[Service]) -> None:
    found: list[Violation] = []
    states: dict[str, list[int]] = defaultdict(list)
    for service in services:
        binding = [policy for policy in policies if _binds(policy, service)]
        violations = [violation for policy in binding for violation in _violations(policy, service)]
        found += violations
        states[_state(bool(binding), violations)].append(service.pk)
    _replace(services, found)
    for state, keys in states.items():
        Service.objects.filter(pk__in=keys).exclude(policy_state=state).update(policy_state=state)


def _binds(policy: SizePolicy, service: Service) -> bool:
    """Services that are gone, or that were never weighed, are under no policy."""
    if service.gone_at is not None or service.compressed_bytes is None:
        return False
    scope = Scope(policy.registry_id, policy.repository_glob, policy.owner)
    return in_scope(scope, registry_id=service.registry_id, repository=service.repository, owner=service.owner)


def _violations(policy: SizePolicy, service: Service) -> Iterator[Violation]:
    assert service.compressed_bytes is not None
    limits = Limits(
        policy.warn_compressed_bytes,
        policy.fail_compressed_bytes,
        policy.warn_unpacked_bytes,
        policy.fail_unpacked_bytes,
    )
    for verdict in evaluate(limits, service.compressed_bytes, service.unpacked_bytes):
        yield Violation(
            service=service,
            policy=policy,
            level=verdict.level,
            kind=verdict.kind,
            measured_bytes=verdict.measured_bytes,
            limit_bytes=verdict.limit_bytes,
        )


def _state(bound: bool, violations: list[Violation]) -> str:
    levels = {violation.level for violation in violations}
    if Violation.Level.FAIL in levels:
        return State.FAIL
    if levels:
        return State.WARN
    return State.OK if bound else State.NONE


def _replace(services: list[Service], found: list[Violation]) -> None:
    kept = {(violation.service_id, violation.policy_id, violation.kind) for violation in found}
    present = Violation.objects.filter(service__in=services).values_list("pk", "service_id", "policy_id", "kind")
    over = [pk for pk, *key in present if tuple(key) not in kept]
    Violation.objects.filter(pk__in=over).delete()
    Violation.objects.bulk_create(
        found,
        update_conflicts=True,
        unique_fields=["service", "policy", "kind"],
        update_fields=["level", "measured_bytes", "limit_bytes"],
    )
