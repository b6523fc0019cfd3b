"""Which services a registry holds. Absence is believed only after a listing that ended well."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from django.db.models import F
from django.utils import timezone

from fleet import snapshots
from fleet.models import Registry, Scan, ScanError, Service
from fleet.oci.errors import RegistryError
from fleet.oci.sources.endpoint import Endpoint
from fleet.scanning.connection import connect
from fleet.scanning.lifecycle import fail

log = logging.getLogger(__name__)
CHUNK = 500
NOTHING_LISTED = "This registry lists no repository for this login. Push an image, or name the repositories instead."
NOTHING_FOUND = "No repository of this registry matches its settings. Check the include and exclude globs."


def discover(scan: Scan, endpoint: Endpoint | None = None) -> tuple[int, ...]:
    """List what a running scan has to read, bring the registry's services in line with it, and note how many there
    are. Gives their keys; none when the registry could not be read: then the scan is closed as failed."""
    try:
        opened = endpoint or connect(scan.registry)
    except RegistryError as error:
        fail(scan, str(error))
        return ()
    try:
        return _discover(scan, opened)
    except RegistryError as error:
        fail(scan, str(error))
    except Exception as error:  # Our own mistake: nobody else would close the scan.
        log.exception("Listing %s failed", scan.registry)
        fail(scan, f"Listing {scan.registry} failed unexpectedly ({type(error).__name__}). The log says more.")
    finally:
        _count_traffic(scan, opened)
        if endpoint is None:
            opened.close()
    return ()


def _discover(scan: Scan, endpoint: Endpoint) -> tuple[int, ...]:
    endpoint.check()
    if scan.service_id is not None:
        keys: tuple[int, ...] = (scan.service_id,)
    else:
        keys = _bring_in_line(scan, _listed(scan.registry, endpoint))
    chosen = scan.registry.includes or scan.registry.excludes
    message = "" if keys else NOTHING_FOUND if chosen else NOTHING_LISTED
    Scan.objects.filter(pk=scan.pk).update(services=len(keys), message=message, progress_at=timezone.now())
    scan.refresh_from_db()
    return keys


def _listed(registry: Registry, endpoint: Endpoint) -> Iterator[str]:
    """The repositories that the settings select. Without a catalog the include list is taken at its word."""
    includes = registry.includes
    if registry.listing == Registry.Listing.NAMES:
        return (name for name in includes if not _matches(name, registry.excludes))
    return (
        name
        for name in endpoint.repositories()
        if (not includes or _matches(name, includes)) and not _matches(name, registry.excludes)
    )


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _bring_in_line(scan: Scan, names: Iterable[str]) -> tuple[int, ...]:
    """Services for new repositories, gone ones marked, returned ones welcomed back; the keys of those present."""
    registry = scan.registry
    present = {name for name in names if _is_name(scan, name)}
    rows = registry.services.values_list("pk", "repository", "platform", "gone_at")
    known = {(repository, platform): (pk, gone_at) for pk, repository, platform, gone_at in rows}
    wanted = {(name, registry.platform) for name in present}
    _mark_gone([pk for key, (pk, gone_at) in known.items() if key not in wanted and gone_at is None])
    _mark_back([pk for key, (pk, gone_at) in known.items() if key in wanted and gone_at is not None])
    Service.objects.bulk_create(
        (
            Service(registry=registry, repository=repository, platform=platform)
            for repository, platform in sorted(wanted - known.keys())
        ),
        ignore_conflicts=True,
        batch_size=CHUNK,
    )
    here = registry.services.filter(platform=registry.platform, gone_at__isnull=True).order_by("repository")
    return tuple(here.values_list("pk", flat=True))


def _is_name(scan: Scan, name: str) -> bool:
    if 0 < len(name) <= 255 and name.isprintable():
        return True
    shown = snapshots.storable(name, 100)
    ScanError.objects.create(
        scan=scan,
        level=ScanError.Level.NOTICE,
        message=f"The listing of {scan.registry} names {shown!r}, which is no repository name; it was left out.",
    )
    return False


def _mark_gone(keys: list[int]) -> None:
    _update(keys, gone=True)


def _mark_back(keys: list[int]) -> None:
    _update(keys, gone=False)


def _update(keys: list[int], *, gone: bool) -> None:
    """In chunks: a database takes only so many parameters. Policies bind what is present, so they are applied anew."""
    for at in range(0, len(keys), CHUNK):
        services = Service.objects.filter(pk__in=keys[at : at + CHUNK])
        services.update(gone_at=timezone.now() if gone else None)
        snapshots.apply_policies(services)


def _count_traffic(scan: Scan, endpoint: Endpoint) -> None:
    Scan.objects.filter(pk=scan.pk).update(
        requests=F("requests") + endpoint.stats.requests,
        received_bytes=F("received_bytes") + endpoint.stats.received_bytes,
    )
