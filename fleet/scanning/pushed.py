"""Repositories that push events named, on their way to a scan. An event is a hint: the registry is read again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from django.utils import timezone

from fleet.models import PushedRepository, Registry, Scan, ScanLane, Service
from fleet.oci.errors import NotFound, RegistryError, Unauthorized
from fleet.scanning.budget import PATIENCE_SECONDS
from fleet.scanning.connection import connect
from fleet.scanning.discovery import is_selected, welcome_back


def take_pushed(registry: Registry) -> Iterator[Service]:
    """The services whose repositories were pushed to, made where they are new; each is taken off the list. What the
    registry's settings leave out, or it does not have, is dropped. A service that is just being read stays on the list:
    its scan may have seen the tags before the push."""
    for pushed in PushedRepository.objects.filter(registry=registry):
        service = _service(registry, pushed.repository)
        if service and _is_being_read(service):
            continue
        # Before it is read: what is pushed from here on is a new row.
        pushed.delete()
        if service:
            yield service


def _service(registry: Registry, repository: str) -> Service | None:
    if not is_selected(registry, repository):
        return None
    known = registry.services.filter(repository=repository, platform=registry.platform)
    if not known.exists() and not _is_there(registry, repository):
        return None
    service, _ = Service.objects.get_or_create(registry=registry, repository=repository, platform=registry.platform)
    if service.gone_at is not None:
        welcome_back(service)
    return service


def _is_there(registry: Registry, repository: str) -> bool:
    """Whether the registry has a repository of which only an event told so far; where it cannot be asked, the scan
    will find out."""
    try:
        with closing(connect(registry, patience_seconds=PATIENCE_SECONDS)) as endpoint:
            return next(iter(endpoint.tags(repository)), None) is not None
    except (NotFound, Unauthorized):
        return False
    except RegistryError:
        return True


def _is_being_read(service: Service) -> bool:
    alone = Scan.objects.filter(service=service, status=Scan.Status.RUNNING)
    among_others = ScanLane.objects.filter(service=service, held_until__gt=timezone.now())
    return alone.exists() or among_others.exists()
