"""Two releases of a service side by side: what changed between their images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from dashboard.unread import registry_columns, service_columns
from fleet import scanning
from fleet.models import Image, Service, Snapshot
from fleet.oci.errors import RegistryError
from fleet.snapshots import storable

CHOICES = 200
PACKAGES_SHOWN = 100
# What a request has time for; ``manage.py compare`` has no limit of its own.
MOST_ENTRIES = 300_000
# A tag never starts with it, so that ``from=@17`` is a snapshot and ``from=17`` a tag.
SNAPSHOT_MARK = "@"
TOO_FEW = "It takes two releases, and this service has one. The next scan that finds a new image makes the second."
SAME = "Both are the same image. Choose another release on one side."
UNKNOWN = (
    "The files of one of the two are not known any more, and its layers are kept plain: nobody can tell what changed."
)
UNKNOWN_FILES = "the files of one of the two are not known, or there are too many of them to be compared here"


@dataclass(frozen=True, slots=True)
class End:
    """One of the two sides of the form."""

    name: str
    label: str
    chosen: Snapshot | None


@require_safe
def comparison(request: HttpRequest, pk: int) -> HttpResponse:
    """``from`` and ``to`` are tags, or snapshots as ``@17``; without them the newest and the one before it."""
    shown = get_object_or_404(Service.objects.select_related("registry").defer(*_unread()), pk=pk)
    wanted = [request.GET.get(name, "") for name in ("from", "to")]
    snapshots = _snapshots(shown, wanted)
    after = _find(snapshots, wanted[1]) if wanted[1] else next(iter(snapshots), None)
    before = _find(snapshots, wanted[0]) if wanted[0] else _predecessor(snapshots, after)
    context = {
        "service": shown,
        "choices": snapshots,
        "ends": [End("from", "From", before), End("to", "To", after)],
        "before": before,
        "after": after,
        "compressed_estimated": shown.registry.estimates_compressed,
        **_compared(before, after),
    }
    return render(request, "dashboard/comparison.html", context)


def _unread() -> Iterable[str]:
    return (*registry_columns(), *service_columns())


def _snapshots(shown: Service, wanted: list[str]) -> list[Snapshot]:
    """The newest snapshots, and those that are asked for, newest first."""
    keys = [int(key) for each in wanted if (key := each.removeprefix(SNAPSHOT_MARK)) != each and _is_key(key)]
    newest = list(shown.snapshots.select_related(None).defer("growth").order_by("-taken_at", "-pk")[:CHOICES])
    tags = [storable(each) for each in wanted]
    asked = shown.snapshots.filter(Q(pk__in=keys) | Q(tag__in=tags)).defer("growth").order_by("-taken_at", "-pk")
    known = {snapshot.pk for snapshot in newest}
    return [*newest, *(snapshot for snapshot in asked[:CHOICES] if snapshot.pk not in known)]


def _is_key(text: str) -> bool:
    """Digits that a column of keys can hold."""
    return text.isascii() and text.isdigit() and len(text) < 19


def _find(snapshots: list[Snapshot], wanted: str) -> Snapshot:
    """The newest that answers to it. Raises Http404."""
    found = (each for each in snapshots if wanted in (each.tag, f"{SNAPSHOT_MARK}{each.pk}"))
    snapshot = next(found, None)
    if snapshot is None:
        raise Http404("This service has no such release.")
    return snapshot


def _predecessor(snapshots: list[Snapshot], after: Snapshot | None) -> Snapshot | None:
    """The newest snapshot of another image from before it."""
    if after is None:
        return None
    older = (each for each in snapshots if each.image_id != after.image_id and each.taken_at <= after.taken_at)
    return next(older, None)


def _compared(before: Snapshot | None, after: Snapshot | None) -> dict[str, Any]:
    if before is None or after is None:
        return {"problem": TOO_FEW}
    if before.image_id == after.image_id:
        return {"problem": SAME}
    images = Image.objects.defer("provenance").in_bulk([before.image_id, after.image_id])
    try:
        found = scanning.compare(images[before.image_id], images[after.image_id], most_entries=MOST_ENTRIES)
    except RegistryError as error:
        return {"problem": str(error)}
    if found.growth is None:
        return {"problem": UNKNOWN}
    return {
        "growth": found.growth,
        "layers": found.layers,
        "shared_layers": sum(layer.shared for layer in found.layers),
        "packages": found.growth.packages[:PACKAGES_SHOWN],
        "packages_left": max(0, len(found.growth.packages) - PACKAGES_SHOWN),
        "why_layers": UNKNOWN_FILES,
    }
