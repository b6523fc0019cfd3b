"""Everything that a scan found out, as plain values that two registries can be compared by."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import Model, QuerySet

from fleet import scanning
from fleet.models import Analysis, Finding, Image, ImageLayer, Layer, Registry, Scan, Service, Snapshot, Suggestion
from fleet.scanning import judging

Rows = list[dict[str, Any]]
# Keys, and when something was written.
OURS = {"id", "first_seen_at", "checked_at", "seen_at", "made_at", "indexed_at", "claimed_until"}


def scan(registry: Registry) -> Scan:
    return scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND))


def told(done: Scan) -> str:
    """What people read of a scan."""
    return "\n".join([done.message, *done.errors.values_list("message", flat=True)])


def forget_everything() -> None:
    """Images and layers are global: what is known of one registry would not be read of the next. Nor would a base that
    this process read before be stored again."""
    judging.registry_bases.cache_clear()
    Registry.objects.all().delete()
    Image.objects.all().delete()
    Layer.objects.all().delete()


def facts(done: Scan, host: str) -> dict[str, Any]:
    """All rows that a scan wrote of a registry, whole, but for keys, clocks and the registry's own name."""
    registry = done.registry
    found = {
        "services": _rows(Service.objects.filter(registry=registry).order_by("repository")),
        "snapshots": _rows(
            Snapshot.objects.order_by("service__repository", "tag"),
            service="service__repository",
            image="image__digest",
        ),
        "images": _rows(Image.objects.order_by("digest")),
        "positions": _rows(ImageLayer.objects.order_by("image__digest", "position"), **_digests("image", "layer")),
        "layers": _rows(Layer.objects.filter(images__isnull=False).distinct().order_by("digest")),
        "analyses": _rows(Analysis.objects.order_by("image__digest"), **_digests("image")),
        "findings": _rows(
            Finding.objects.order_by("analysis__image__digest", "rule", "layer", "title"),
            analysis="analysis__image__digest",
        ),
        "suggestions": _rows(
            Suggestion.objects.order_by("service__repository", "mode", "tier"),
            service="service__repository",
            **_digests("image"),
        ),
        "errors": sorted(done.errors.values_list("level", "repository", "tag", "message")),
        "scan": [done.status, done.services, done.services_failed, done.tags, done.snapshots, done.layers_indexed],
    }
    return json.loads(json.dumps(found, default=_text).replace(host, "REGISTRY"))  # type: ignore[no-any-return]


def _digests(*names: str) -> dict[str, str]:
    return {name: f"{name}__digest" for name in names}


def _rows(rows: QuerySet[Model], **named: str) -> Rows:
    """Every column that is no key, and what ``named`` ones lead to."""
    plain = [column.name for column in rows.model._meta.concrete_fields if not column.is_relation]
    columns = [name for name in plain if name not in OURS]
    values = rows.values(*columns, *named.values())
    names = {path: name for name, path in named.items()}
    return [{names.get(column, column): value for column, value in row.items()} for row in values]


def _text(value: object) -> str:
    return value.hex() if isinstance(value, (bytes, memoryview)) else str(value)
