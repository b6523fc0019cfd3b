"""One transaction for each service of a scan: images, snapshots, analysis, suggestions, the ranking's columns, policy
violations, and the scan's own counts.

1. The service is marked as done by this scan with a conditional UPDATE. Its row count is 0 when the same task ran
   before (it was delivered twice), and then nothing is written.
2. What was seen is written; tags that did not move leave no row. Tags that the registry holds no more are marked as
   gone, and as back when they return.
3. The scan's counts go up with a conditional UPDATE that fails when the scan was closed meanwhile; then everything
   above is rolled back, since a newer scan may have seen newer tags.

A record that is not complete adds what was seen, and no more: the service is still to be read. Where nothing changed
the two UPDATEs are all that is asked of the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Value, When
from django.utils import timezone

from fleet.image.loading import ResolvedImage
from fleet.models import Image, Scan, ScanError, Service, Snapshot
from fleet.models.scan import ACTIVE
from fleet.oci.manifest import parse_config
from fleet.snapshots.adoptions import fill_adoptions, note_adoption
from fleet.snapshots.columns import let_go, write_columns
from fleet.snapshots.growth import compare_by_layers
from fleet.snapshots.images import store_images
from fleet.snapshots.judgements import store_analysis, store_offers
from fleet.snapshots.naming import OWNER_LIMIT, clean, name_of, needs_labels, owner_of, stored_rules
from fleet.snapshots.records import Judgement, Record, SeenTag
from fleet.snapshots.text import storable
from fleet.snapshots.verifications import apply_verifications

CHUNK = 500
OWNER_LABELS = ("org.opencontainers.image.vendor", "org.opencontainers.image.authors")


class _Superseded(Exception):
    """This scan is done with the service, or over."""


def write(scan: Scan, service: Service, record: Record) -> bool:
    """Write all of a record, or nothing: False when this scan had done the service before, or was closed."""
    try:
        with transaction.atomic():
            if record.complete:
                _write_whole(scan, service, record)
            else:
                _write_part(scan, service, record)
    except _Superseded:
        return False
    return True


def _write_whole(scan: Scan, service: Service, record: Record) -> None:
    labels = _Labels(record)
    _claim(scan, service, record, labels)
    latest, added = _write_tags(service, record)
    changed = added > 0
    if not record.failed and record.gone is not None:
        changed |= _write_gone(latest, record.gone)
    overtaken = _is_overtaken(record, latest)
    if record.newest and not overtaken and service.snapshot_id != latest[record.newest.tag].pk:
        note_adoption(service, latest[record.newest.tag], _attested(record))
    if record.judgement and not overtaken:
        _write_judgement(service, record.judgement)
        changed = True
    if record.newest and not overtaken:
        changed |= _write_owner(service, labels)
        write_columns(service, latest, record.newest.tag, changed=changed)
        if record.judgement:
            fill_adoptions(service.pk)
    elif record.gone and not record.newest and not record.failed:
        let_go(service, latest, record.gone)
    _write_remarks(scan, service, record)
    _count(scan, record, added)


def _write_part(scan: Scan, service: Service, record: Record) -> None:
    Service.objects.filter(pk=service.pk).update(skipped={**service.skipped, **record.skipped})
    _, added = _write_tags(service, record)
    _count(scan, record, added)


def count_traffic(scan: Scan, requests: int, received_bytes: int) -> None:
    """What was asked for a service of which nothing is written: its scan ended meanwhile."""
    counts = {"requests": F("requests") + requests, "received_bytes": F("received_bytes") + received_bytes}
    Scan.objects.filter(pk=scan.pk).update(**counts)


def write_judgement(service: Service, judgement: Judgement) -> bool:
    """Write a new word on a service's newest image, and what follows from it for the ranking; False when a scan found
    a newer one meanwhile."""
    with transaction.atomic():
        locked = Service.objects.select_for_update(of=("self",)).select_related("snapshot__image").get(pk=service.pk)
        if locked.snapshot is None or locked.snapshot.image.digest != judgement.image.descriptor.digest:
            return False
        _write_judgement(locked, judgement)
        if locked.snapshot.gone_at is None:
            latest = Snapshot.objects.latest_by_tag(locked.pk)
            write_columns(locked, latest, locked.snapshot.tag, changed=True)
    return True


def _claim(scan: Scan, service: Service, record: Record, labels: _Labels) -> None:
    """Mark the service as done, with what is noted of it each time."""
    columns: dict[str, Any] = {"last_scan": scan if scan.service_id is None else _unless_under_way(scan)}
    if not record.failed:
        columns |= {"checked_at": timezone.now(), "skipped": dict(record.skipped)}
        if record.history_left is not None:
            columns["history_left"] = record.history_left
    if record.newest:
        rules, _ = stored_rules(service.registry.name_rules, service.registry.owner_rules)
        columns["name"] = name_of(service.repository, labels.read() if needs_labels(rules) else {}, rules)
    if not Service.objects.filter(pk=service.pk).exclude(last_scan=scan).update(**columns):
        raise _Superseded


def _unless_under_way(scan: Scan) -> Case:
    """The scan of one service is no reason for one of its whole registry to read the service again."""
    busy = Scan.objects.filter(pk=OuterRef("last_scan_id"), status__in=ACTIVE)
    return Case(When(Exists(busy), then=F("last_scan_id")), default=Value(scan.pk))


def _write_tags(service: Service, record: Record) -> tuple[Mapping[str, Snapshot], int]:
    """Snapshots of the tags that moved, in the order of their dates. Gives the newest of each tag, and how many were
    added. What was stored when the tags were read still holds where none moved; else another scan may have written
    the same meanwhile, or what it read later: a tag that it moved stays where it put it."""
    latest = record.before
    if latest is None or any(_moved(record, latest)):
        latest = Snapshot.objects.latest_by_tag(service.pk)
    moved = [seen for seen in _moved(record, latest) if _as_read(record, latest, seen.tag)]
    if not moved:
        return latest, 0
    fresh = [seen.image for seen in moved if isinstance(seen.image, ResolvedImage)]
    images = store_images(fresh, record.weighed)
    now = timezone.now()
    rows = [_snapshot(service, seen, images, now, first_sight=seen.tag not in latest) for seen in reversed(moved)]
    for row in sorted(rows, key=lambda row: row.taken_at):
        row.save(force_insert=True)
    compare_by_layers(service.pk, rows, {image.descriptor.digest: image for image in fresh})
    return {**latest, **{row.tag: row for row in rows}}, len(rows)


def _moved(record: Record, latest: Mapping[str, Snapshot]) -> Iterator[SeenTag]:
    return (seen for seen in record.tags if seen.tag not in latest or latest[seen.tag].head_digest != seen.head_digest)


def _as_read(record: Record, latest: Mapping[str, Snapshot], tag: str) -> bool:
    """Whether nobody wrote of a tag since it was read for this record."""
    if record.before is None:
        return True
    before, now = record.before.get(tag), latest.get(tag)
    return (before and before.pk) == (now and now.pk)


def _is_overtaken(record: Record, latest: Mapping[str, Snapshot]) -> bool:
    """Whether another scan read the newest tag later than this one and found another image there."""
    newest = record.newest
    return newest is not None and latest[newest.tag].head_digest != newest.head_digest


def _write_gone(latest: Mapping[str, Snapshot], gone: frozenset[str]) -> bool:
    """Mark the last snapshots of tags that the registry holds no more, and take the mark from those that it holds
    again; whether there were any."""
    lost = [row.pk for tag, row in latest.items() if tag in gone and row.gone_at is None]
    back = [row.pk for tag, row in latest.items() if tag not in gone and row.gone_at is not None]
    for keys, moment in ((lost, timezone.now()), (back, None)):
        for at in range(0, len(keys), CHUNK):
            Snapshot.objects.filter(pk__in=keys[at : at + CHUNK]).update(gone_at=moment)
    return bool(lost or back)


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


def _attested(record: Record) -> str | None:
    """The Dockerfile that the newest image was built from, where its builder attested it."""
    provenance = record.judgement.image.provenance if record.judgement else None
    return provenance.dockerfile if provenance else None


def _write_judgement(service: Service, judgement: Judgement) -> None:
    image = Image.objects.bodiless().get(digest=judgement.image.descriptor.digest)
    if judgement.image.provenance is not None:
        Image.objects.filter(pk=image.pk).update(provenance=judgement.image.provenance.keep())
    store_analysis(image, judgement.analysis)
    store_offers(service, image, judgement.offers)
    # An engine's word on the same text as before still holds.
    apply_verifications(service)


class _Labels:
    """The labels of a record's newest image, read where they are asked for."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._found: Mapping[str, str] | None = None

    def at_hand(self) -> Mapping[str, str]:
        """Those of an image that was judged, which need not be looked up; else none."""
        return self.record.judgement.image.config.labels if self.record.judgement else {}

    def read(self) -> Mapping[str, str]:
        if self._found is None:
            self._found = self._read()
        return self._found

    def _read(self) -> Mapping[str, str]:
        if self.record.judgement:
            return self.at_hand()
        image = self.record.newest.image if self.record.newest else None
        if isinstance(image, ResolvedImage):
            return image.config.labels
        body = Image.objects.filter(pk=image.pk).values_list("config", flat=True).first() if image else None
        return parse_config(bytes(body)).labels if body else {}


def _write_owner(service: Service, labels: _Labels) -> bool:
    """Fill in an owner that nobody named, by the registry's rules, or without rules as the image says; whether there
    was one."""
    if service.owner:
        return False
    _, rules = stored_rules(service.registry.name_rules, service.registry.owner_rules)
    if rules:
        owner = owner_of(service.repository, labels.read() if needs_labels(rules) else {}, rules)
    else:
        named = (clean(labels.at_hand().get(label, ""), OWNER_LIMIT) for label in OWNER_LABELS)
        owner = next(filter(None, named), "")
    return bool(owner and Service.objects.filter(pk=service.pk, owner="").update(owner=owner))


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
    """A scan that rests goes on later, so that what was still being read counts too."""
    counts: dict[str, Any] = {
        "snapshots": F("snapshots") + added,
        "layers_indexed": F("layers_indexed") + record.layers_indexed,
        "requests": F("requests") + record.requests,
        "received_bytes": F("received_bytes") + record.received_bytes,
        "progress_at": timezone.now(),
    }
    if record.complete:
        counts |= {
            "services_done": F("services_done") + 1,
            "services_failed": F("services_failed") + int(record.failed),
            "tags": F("tags") + len(record.tags),
            "error_count": F("error_count") + sum(remark.is_error for remark in record.remarks),
        }
        if not record.failed:
            counts["pauses"] = 0
    going_on = Scan.objects.filter(pk=scan.pk, status__in=(Scan.Status.RUNNING, Scan.Status.PAUSED))
    if record.complete and scan.service_id is not None:
        going_on = going_on.filter(services_done=0)
    if not going_on.update(**counts):
        raise _Superseded
