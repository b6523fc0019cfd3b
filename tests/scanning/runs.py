"""Whole scans in this process, and what they leave behind."""

from __future__ import annotations

from fleet import scanning
from fleet.models import Registry, Scan, Service
from tests.fakes.pushable import day, image

NEWEST = image(day(7), app=b"x" * 9000)


def scan(registry: Registry, service: Service | None = None) -> Scan:
    return scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND, service))


def only_service() -> Service:
    return Service.objects.select_related("snapshot__image", "registry").get()


def sentences(scan: Scan) -> str:
    return "\n".join(scan.errors.values_list("message", flat=True))
