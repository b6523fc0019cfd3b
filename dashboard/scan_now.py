"""The "scan now" buttons: who may press them, and what they start."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from fleet import scanning, tasks
from fleet.models import Registry, Scan, Service


def may_scan(request: HttpRequest) -> bool:
    """Who may change registries starts scans in the admin too. Being staff alone opens the admin, no more."""
    return request.user.has_perm("fleet.add_scan") or request.user.has_perm("fleet.change_registry")


def scan_now(request: HttpRequest, registry: Registry, service: Service | None = None) -> Scan:
    """A queued scan, or the one that is under way already; a message tells the user which."""
    if not may_scan(request):
        raise PermissionDenied
    scan = scanning.start(registry, Scan.Trigger.PAGE, service)
    if scan.status == Scan.Status.RUNNING:
        messages.info(request, f"Scan {scan.pk} of {registry.name} is under way already. Here it is.")
    else:
        # One that waits already is sent once more: the first worker takes it, and a lost message is made good.
        tasks.enqueue(scan)
    return scan
