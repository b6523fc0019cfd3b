"""What each snapshot grew by since the one before it, as JSON in its row.

The one before is the service's snapshot before it by date (then by key) at the time of writing, whatever its tag; the
JSON says which image that was. A snapshot is compared again when another one slips in between, as while older history
is still being read, and by files once the layers of both images are known. Nothing here asks a registry.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q, QuerySet

from fleet.analysis.growth import Cause, Growth, grow_by_layers
from fleet.image.loading import ResolvedImage
from fleet.image.sizes import NOTHING, Sizes
from fleet.models import Image, Snapshot, bodies_of
from fleet.snapshots.images import restore
from fleet.snapshots.text import storable

log = logging.getLogger(__name__)

# One higher whenever the JSON looks different: what is older counts as not compared.
VERSION = 1
STORED_CAUSES = 5
SMALLER = "Everything smaller"
# So many snapshots from the first that is new are looked at; they come from the newest end, where people look.
MOST_COMPARED = 1000
_LABEL, _DETAIL = 200, 300


@dataclass(frozen=True, slots=True)
class StoredGrowth:
    """``before_digest`` and ``before_tag`` say which image it is the growth since. Its causes are the five largest and
    the rest as one."""

    growth: Growth
    before_digest: str
    before_tag: str


def read_growth(stored: Mapping[str, Any] | None) -> StoredGrowth | None:
    """What a snapshot's ``growth`` column says; None where nothing was compared, or by another version of it."""
    if not stored or stored.get("version") != VERSION:
        return None
    causes = tuple(
        Cause(each["kind"], each["change"], each["label"], _sizes(each), each["detail"]) for each in stored["causes"]
    )
    growth = Growth(_sizes(stored), causes, stored["by_files"])
    return StoredGrowth(growth, stored["before"], stored["before_tag"])


def write_growth(before: Snapshot, after: Snapshot, growth: Growth) -> bool:
    """Store what ``after`` grew by since ``before``; False where it is not the difference that their sizes show, as
    where an estimate was measured meanwhile."""
    if not _fits(before, after, growth):
        return False
    return bool(Snapshot.objects.filter(pk=after.pk).update(growth=_dump(before, growth)))


def compare_by_layers(
    service_id: int, added: Iterable[Snapshot] | None = None, at_hand: Mapping[str, ResolvedImage] | None = None
) -> None:
    """Compare the snapshots that were added, and those that come right after them, with the ones before by their
    manifests; without ``added`` all of the service that were not compared yet. ``at_hand`` spares reading images. What
    cannot be compared is left: a scan must not fail for it."""
    try:
        with transaction.atomic():
            compared = list(_compared(service_id, added, _Bodies(at_hand or {})))
            Snapshot.objects.bulk_update(compared, ["growth"], batch_size=100)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("What the snapshots of service %s grew by could not be told", service_id)


def compared_by_files(service_id: int, digests: Iterable[str]) -> list[tuple[Snapshot, Snapshot]]:
    """The snapshots of these images that are not compared by files yet, the newest first, each after the one before."""
    rows = _rows(service_id).filter(image__digest__in=list(digests)).order_by("-taken_at", "-pk")
    pairs = ((_before(service_id, row), row) for row in rows[:MOST_COMPARED])
    return [
        (before, row)
        for before, row in pairs
        if before is not None and before.image_id != row.image_id and not _is_compared(before, row, by_files=True)
    ]


def _compared(service_id: int, added: Iterable[Snapshot] | None, bodies: _Bodies) -> Iterator[Snapshot]:
    for before, after in pairwise(_chain(service_id, added)):
        if _is_compared(before, after):
            continue
        growth = Growth() if before.image_id == after.image_id else bodies.grow(before, after)
        if _fits(before, after, growth):
            after.growth = _dump(before, growth)
            yield after


def _chain(service_id: int, added: Iterable[Snapshot] | None) -> list[Snapshot]:
    """The snapshots from the one before the first that was added on, in the order of their dates."""
    rows = _rows(service_id)
    before = None
    if added is not None:
        first = min(added, key=lambda row: (row.taken_at, row.pk))
        before = _before(service_id, first)
        rows = rows.exclude(_precedes(first))
    newest = list(rows.order_by("-taken_at", "-pk")[:MOST_COMPARED])
    return [*([before] if before else []), *reversed(newest)]


def _rows(service_id: int) -> QuerySet[Snapshot]:
    return Snapshot.objects.filter(service_id=service_id).select_related("image").defer(*bodies_of("image"))


def _precedes(snapshot: Snapshot) -> Q:
    return Q(taken_at__lt=snapshot.taken_at) | Q(taken_at=snapshot.taken_at, pk__lt=snapshot.pk)


def _before(service_id: int, snapshot: Snapshot) -> Snapshot | None:
    return _rows(service_id).filter(_precedes(snapshot)).order_by("-taken_at", "-pk").first()


def _is_compared(before: Snapshot, after: Snapshot, *, by_files: bool = False) -> bool:
    stored = read_growth(after.growth)
    if stored is None or stored.before_digest != before.image.digest:
        return False
    return stored.growth.by_files or not by_files


def _fits(before: Snapshot, after: Snapshot, growth: Growth) -> bool:
    """Engines keep plain layers: what their manifests say is not what a pull moves."""
    return growth.delta.compressed_bytes == after.compressed_bytes - before.compressed_bytes


class _Bodies:
    """Manifests and configs of two images at a time: hostile ones may be large."""

    def __init__(self, at_hand: Mapping[str, ResolvedImage]) -> None:
        self.at_hand = at_hand
        self.read: dict[str, ResolvedImage] = {}

    def grow(self, before: Snapshot, after: Snapshot) -> Growth:
        self.read = {row.image.digest: self._of(row.image) for row in (before, after)}
        return grow_by_layers(self.read[before.image.digest], self.read[after.image.digest])

    def _of(self, image: Image) -> ResolvedImage:
        known = self.at_hand.get(image.digest) or self.read.get(image.digest)
        return known or restore(Image.objects.defer("provenance").get(pk=image.pk))


def _dump(before: Snapshot, growth: Growth) -> dict[str, Any]:
    top, rest = growth.causes[:STORED_CAUSES], growth.causes[STORED_CAUSES:]
    if len(rest) > 1:
        rest = (Cause("rest", "changed", SMALLER, sum((cause.delta for cause in rest), NOTHING)),)
    return {
        "version": VERSION,
        "before": before.image.digest,
        "before_tag": before.tag,
        "by_files": growth.by_files,
        **_bytes(growth.delta),
        "causes": [
            {
                "kind": cause.kind,
                "change": cause.change,
                "label": storable(cause.label, _LABEL),
                "detail": storable(cause.detail, _DETAIL),
                **_bytes(cause.delta),
            }
            for cause in (*top, *rest)
        ],
    }


def _bytes(sizes: Sizes) -> dict[str, int]:
    return {"unpacked_bytes": sizes.unpacked_bytes, "compressed_bytes": sizes.compressed_bytes}


def _sizes(stored: Mapping[str, Any]) -> Sizes:
    return Sizes(stored["unpacked_bytes"], stored["compressed_bytes"])
