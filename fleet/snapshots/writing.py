"""One transaction for each service of a scan: images, snapshots, analysis, suggestions, the ranking's columns, policy
violations, and the scan's own counts.

1. The service is marked as done by this scan with a conditional UPDATE. Its row count is 0 when the same task ran
   before (it was delivered twice), and then nothing is written.
2. What was seen is written; tags that did not move leave no row.
3. The scan's counts go up with a conditional UPDATE that fails when the scan was closed meanwhile; then everything
   above is rolled back, since a newer scan may have seen newer tags.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from fleet.image.loading import LoadedImage, ResolvedImage
from fleet.models import Analysis, Image, Scan, ScanError, Service, Snapshot, Suggestion
from fleet.snapshots.images import fill_unpacked, store_images
from fleet.snapshots.judgements import store_analysis, store_offers
from fleet.snapshots.policies import apply_policies
from fleet.snapshots.records import Judgement, Record, SeenTag
from fleet.snapshots.text import storable

SPARKLINE_POINTS = 12
OWNER_LABELS = ("org.opencontainers.image.vendor", "org.opencontainers.image.authors")


class _Superseded(Exception):
    """This scan is done with the service, or over."""


def write(scan: Scan, service: Service, record: Record) -> bool:
    """Write all of a record, or nothing: False when this scan had done the service before, or was closed."""
    try:
        with transaction.atomic():
            _claim(scan, service)
            added = _write_tags(service, record)
            if record.judgement:
                _write_judgement(service, record.judgement)
            if record.newest:
                _write_columns(service, record.newest.tag, changed=added > 0 or record.judgement is not None)
            _write_remarks(scan, service, record)
            _count(scan, record, added)
    except _Superseded:
        return False
    return True


def write_judgement(service: Service, judgement: Judgement) -> bool:
    """Write a new word on a service's newest image, and what follows from it for the ranking; False when a scan found
    a newer one meanwhile."""
    with transaction.atomic():
        locked = Service.objects.select_for_update(of=("self",)).select_related("snapshot__image").get(pk=service.pk)
        if locked.snapshot is None or locked.snapshot.image.digest != judgement.image.descriptor.digest:
            return False
        _write_judgement(locked, judgement)
        _write_columns(locked, locked.snapshot.tag, changed=True)
    return True


def _claim(scan: Scan, service: Service) -> None:
    mine = Service.objects.filter(pk=service.pk).exclude(last_scan=scan)
    if not mine.update(last_scan=scan):
        raise _Superseded


def _write_tags(service: Service, record: Record) -> int:
    """Snapshots of the tags that moved, in the order of their dates; how many there were."""
    latest = Snapshot.objects.latest_by_tag(service.pk)
    moved = [tag for tag in record.tags if tag.tag not in latest or latest[tag.tag].head_digest != tag.head_digest]
    fresh = [tag.image for tag in record.tags if isinstance(tag.image, ResolvedImage)]
    images = store_images(fresh, record.weighed)
    now = timezone.now()
    rows = [_snapshot(service, tag, images, now, first_sight=tag.tag not in latest) for tag in reversed(moved)]
    for row in sorted(rows, key=lambda row: row.taken_at):
        row.save(force_insert=True)
    if not record.failed:
        Service.objects.filter(pk=service.pk).update(checked_at=now, skipped=dict(record.skipped))
    return len(rows)


def _snapshot(
    service: Service, seen: SeenTag, images: dict[str, Image], now: datetime, *, first_sight: bool
) -> Snapshot:
    image = seen.image if isinstance(seen.image, Image) else images[seen.digest]
    created = image.created_at if first_sight else None
    return Snapshot(
        service=service,
        image=image,
        tag=seen.tag,
        head_digest=seen.head_digest,
        taken_at=min(created, now) if created else now,
        compressed_bytes=image.compressed_bytes,
        unpacked_bytes=image.unpacked_bytes,
    )


def _write_judgement(service: Service, judgement: Judgement) -> None:
    image = Image.objects.bodiless().get(digest=judgement.image.descriptor.digest)
    store_analysis(image, judgement.analysis)
    store_offers(service, image, judgement.offers)
    owner = _owner(judgement.image)
    if owner:
        Service.objects.filter(pk=service.pk, owner="").update(owner=owner)


def _owner(image: LoadedImage) -> str:
    """Who the image says made it, where nobody said otherwise."""
    named = (image.config.labels.get(label, "").strip() for label in OWNER_LABELS)
    return storable(next((" ".join(name.split()) for name in named if name), ""), 100)


def _write_columns(service: Service, tag: str, *, changed: bool) -> None:
    """Repeat the newest snapshot and its analysis in the service's row, then weigh it against the policies."""
    snapshot = Snapshot.objects.latest_by_tag(service.pk)[tag]
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
        **_savings(service, snapshot, analysis),
    )
    apply_policies(Service.objects.filter(pk=service.pk))


def _sparkline(service: Service) -> list[int]:
    newest = Snapshot.objects.filter(service=service).order_by("-taken_at", "-pk")
    return list(newest.values_list("compressed_bytes", flat=True)[:SPARKLINE_POINTS])[::-1]


def _savings(service: Service, snapshot: Snapshot, analysis: Analysis | None) -> dict[str, Any]:
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


def _write_remarks(scan: Scan, service: Service, record: Record) -> None:
    ScanError.objects.bulk_create(
        ScanError(
            scan=scan,
            repository=service.repository,
            tag=storable(remark.tag, 128),
            message=storable(remark.message),
            level=ScanError.Level.ERROR if remark.is_error else ScanError.Level.NOTICE,
        )
        for remark in record.remarks
    )


def _count(scan: Scan, record: Record, added: int) -> None:
    running = Scan.objects.filter(pk=scan.pk, status=Scan.Status.RUNNING)
    counted = running.update(
        services_done=F("services_done") + 1,
        services_failed=F("services_failed") + int(record.failed),
        tags=F("tags") + len(record.tags),
        snapshots=F("snapshots") + added,
        layers_indexed=F("layers_indexed") + record.layers_indexed,
        requests=F("requests") + record.requests,
        received_bytes=F("received_bytes") + record.received_bytes,
        error_count=F("error_count") + sum(remark.is_error for remark in record.remarks),
        progress_at=timezone.now(),
    )
    if not counted:
        raise _Superseded
