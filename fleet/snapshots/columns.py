"""What the ranking shows of a service: its newest snapshot and the word on it, repeated in the service's row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.models import Analysis, Service, Snapshot, Suggestion
from fleet.snapshots.images import fill_unpacked
from fleet.snapshots.policies import apply_policies

SPARKLINE_POINTS = 12
_SAVINGS = ("savings_compressed_bytes", "savings_unpacked_bytes", "savings_percent")


def write_columns(service: Service, latest: Mapping[str, Snapshot], tag: str, *, changed: bool) -> None:
    """Repeat the newest snapshot and its analysis in the service's row, then weigh it against the policies."""
    snapshot = latest[tag]
    if not changed and service.snapshot_id == snapshot.pk:
        return
    fill_unpacked(service.pk)
    snapshot.refresh_from_db(fields=["unpacked_bytes"])
    analysis = Analysis.objects.filter(image_id=snapshot.image_id).first()
    service.suggestions.exclude(image_id=snapshot.image_id).delete()
    Service.objects.filter(pk=service.pk).update(
        snapshot=snapshot,
        compressed_bytes=snapshot.compressed_bytes,
        unpacked_bytes=snapshot.unpacked_bytes,
        runtime=analysis.runtime if analysis else "",
        runtime_version=analysis.runtime_version if analysis else "",
        sparkline=_sparkline(service),
        **savings_columns(service, snapshot, analysis),
    )
    apply_policies(Service.objects.filter(pk=service.pk))


def let_go(service: Service, latest: Mapping[str, Snapshot], gone: frozenset[str]) -> None:
    """A service whose tags are all gone weighs nothing: it leaves the ranking and its policies. Its history stays, and
    its last snapshot, which is marked as gone."""
    if service.compressed_bytes is None or service.snapshot_id not in {latest[tag].pk for tag in gone & latest.keys()}:
        return
    unknown = dict.fromkeys(("compressed_bytes", "unpacked_bytes", *_SAVINGS))
    Service.objects.filter(pk=service.pk).update(**unknown, savings_source="")
    apply_policies(Service.objects.filter(pk=service.pk))


def _sparkline(service: Service) -> list[int]:
    newest = Snapshot.objects.filter(service=service).order_by("-taken_at", "-pk")
    return list(newest.values_list("compressed_bytes", flat=True)[:SPARKLINE_POINTS])[::-1]


def savings_columns(service: Service, snapshot: Snapshot, analysis: Analysis | None) -> dict[str, Any]:
    """The savings columns: of the recommended suggestion, else what the rules found, else unknown."""
    suggestion = Suggestion.objects.filter(service=service, recommended=True).first()
    compressed_bytes = unpacked_bytes = None
    source = ""
    if suggestion:
        compressed_bytes, unpacked_bytes = suggestion.savings_compressed_bytes, suggestion.savings_unpacked_bytes
        source = Service.SavingsSource.SUGGESTION
    elif analysis:
        compressed_bytes = analysis.reclaimable_compressed_bytes
        unpacked_bytes = analysis.reclaimable_unpacked_bytes
        source = Service.SavingsSource.FINDINGS
    known = compressed_bytes is not None and snapshot.compressed_bytes
    return {
        "savings_compressed_bytes": compressed_bytes,
        "savings_unpacked_bytes": unpacked_bytes,
        "savings_percent": 100 * (compressed_bytes or 0) / snapshot.compressed_bytes if known else None,
        "savings_source": source,
    }
