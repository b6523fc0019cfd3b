"""The buttons that start and stop scans: who may press them, and what they do."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.defaultfilters import pluralize

from dashboard.progress import services_of
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
    elif scan.status == Scan.Status.PAUSED:
        messages.info(request, f"Scan {scan.pk} of {registry.name} is paused and goes on by itself. Here it is.")
    else:
        # One that waits already is sent once more: the first worker takes it, and a lost message is made good.
        tasks.enqueue(scan)
    return scan


def cancel(request: HttpRequest, scan: Scan) -> None:
    """End a scan; a message tells the user what is left of it."""
    if not may_scan(request):
        raise PermissionDenied
    if not scanning.cancel(scan):
        messages.info(request, f"Scan {scan.pk} was over already.")
        return
    if scan.services_done:
        total = services_of(scan)
        done = f"{scan.services_done} of {total} service{pluralize(total)}"
        kept = f"The results of {done} are kept; the next scan reads the rest."
    else:
        kept = "It had finished no service; what was known before is kept."
    messages.success(request, f"Scan {scan.pk} was cancelled. {kept}")
