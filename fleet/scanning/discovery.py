"""Which services a registry holds. Absence is believed only after a listing that ended well."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import islice

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from fleet import snapshots
from fleet.models import Registry, Scan, ScanError, Service
from fleet.oci.errors import RateLimited, RegistryError
from fleet.oci.sources.endpoint import Endpoint
from fleet.scanning.budget import note_limit
from fleet.scanning.connection import connect
from fleet.scanning.lifecycle import DATABASE_GONE, ScanOver, calls_for_rest, fail, pause, touch

log = logging.getLogger(__name__)
CHUNK = 500
TOUCH_SECONDS = min(5.0, settings.LEASE_SECONDS / 5)
WRONG_NAMES_SHOWN = 20
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
    except ScanOver:
        scan.refresh_from_db()
    except RegistryError as error:
        if _is_worth_waiting(scan, error):
            pause(scan, error)
        else:
            fail(scan, str(error))
    except DATABASE_GONE:
        raise
    except Exception as error:  # Our own mistake: nobody else would close the scan.
        log.exception("Listing %s failed", scan.registry)
        fail(scan, f"Listing {scan.registry} failed unexpectedly ({type(error).__name__}). The log says more.")
    finally:
        if endpoint is None:
            opened.close()
    return ()


def _is_worth_waiting(scan: Scan, error: RegistryError) -> bool:
    """Whether a listing is tried again later. Of a registry that never answered, and on the command line, people want
    to know at once that it does not."""
    if isinstance(error, RateLimited):
        return True
    is_known = scan.trigger != Scan.Trigger.COMMAND and scan.registry.services.exists()
    return is_known and calls_for_rest(error)


def _discover(scan: Scan, endpoint: Endpoint) -> tuple[int, ...]:
    try:
        keys = _read(scan, endpoint)
    finally:
        _count_traffic(scan, endpoint)
    chosen = scan.registry.includes or scan.registry.excludes
    message = "" if keys else NOTHING_FOUND if chosen else NOTHING_LISTED
    running = Scan.objects.filter(pk=scan.pk, status=Scan.Status.RUNNING)
    if not running.update(services=len(keys), message=message, progress_at=timezone.now()):
        raise ScanOver
    scan.refresh_from_db()
    return keys


def _read(scan: Scan, endpoint: Endpoint) -> tuple[int, ...]:
    endpoint.check()
    if scan.service_id is not None:
        return (scan.service_id,)
    return _bring_in_line(scan, _noticed(scan, _listed(scan.registry, endpoint)))


def _noticed(scan: Scan, names: Iterable[str]) -> Iterator[str]:
    """The names as they come, while the scan shows that it is busy with them. Raises ScanOver."""
    touched_at = time.monotonic()
    for name in names:
        if time.monotonic() - touched_at > TOUCH_SECONDS:
            touched_at = time.monotonic()
            touch(scan)
        yield name


def _listed(registry: Registry, endpoint: Endpoint) -> Iterator[str]:
    """The repositories that the settings select. Without a catalog the include list is taken at its word."""
    by_name = registry.listing == Registry.Listing.NAMES
    names = iter(registry.includes) if by_name else endpoint.repositories()
    return (name for name in names if is_selected(registry, name))


def is_selected(registry: Registry, name: str) -> bool:
    """Whether the registry's settings choose a repository that it holds."""
    includes = registry.includes
    if registry.listing == Registry.Listing.NAMES:
        chosen = name in includes
    else:
        chosen = not includes or _matches(name, includes)
    return chosen and not _matches(name, registry.excludes)


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _bring_in_line(scan: Scan, names: Iterable[str]) -> tuple[int, ...]:
    """Services for new repositories, gone ones marked, returned ones welcomed back; the keys of those present."""
    registry = scan.registry
    # Each name once, however often it is listed, and nothing else of the listing is kept.
    new = set(_names(scan, names))
    gone: list[int] = []
    back: list[int] = []
    rows = registry.services.values_list("pk", "repository", "platform", "gone_at")
    for pk, repository, platform, gone_at in rows.iterator(CHUNK):
        is_listed = platform == registry.platform and repository in new
        if is_listed:
            new.remove(repository)
        if is_listed and gone_at is not None:
            back.append(pk)
        elif not is_listed and gone_at is None:
            gone.append(pk)
    _mark_gone(gone)
    _mark_back(back)
    _add(registry, new)
    here = registry.services.filter(platform=registry.platform, gone_at__isnull=True).order_by("repository")
    return tuple(here.values_list("pk", flat=True))


def _add(registry: Registry, names: Iterable[str]) -> None:
    services = (Service(registry=registry, repository=name, platform=registry.platform) for name in sorted(names))
    while chunk := list(islice(services, CHUNK)):
        Service.objects.bulk_create(chunk, ignore_conflicts=True)


def _names(scan: Scan, names: Iterable[str]) -> Iterator[str]:
    """What can be the name of a repository. Of what cannot, notices tell: one each, and from the 21st on a count."""
    shown: set[str] = set()
    wrong = 0
    for name in names:
        if 0 < len(name) <= 255 and name.isprintable():
            yield name
            continue
        wrong += 1
        if len(shown) < WRONG_NAMES_SHOWN:
            shown.add(snapshots.storable(name, 100))
    left_out = [
        f"The listing of {scan.registry} names {name!r}, which is no repository name; it was left out."
        for name in sorted(shown)
    ]
    if wrong > len(shown) == WRONG_NAMES_SHOWN:
        left_out.append(f"In all, {wrong} names in the listing of {scan.registry} are no repository names.")
    level = ScanError.Level.NOTICE
    ScanError.objects.bulk_create([ScanError(scan=scan, level=level, message=message) for message in left_out])


def _mark_gone(keys: list[int]) -> None:
    _update(keys, gone=True)


def welcome_back(service: Service) -> None:
    """A service whose repository is there again; policies bind it from now on."""
    _mark_back([service.pk])


def _mark_back(keys: list[int]) -> None:
    _update(keys, gone=False)


def _update(keys: list[int], *, gone: bool) -> None:
    """In chunks: a database takes only so many parameters. Policies bind what is present, so they are applied anew."""
    for at in range(0, len(keys), CHUNK):
        services = Service.objects.filter(pk__in=keys[at : at + CHUNK])
        services.update(gone_at=timezone.now() if gone else None)
        snapshots.apply_policies(services)


def _count_traffic(scan: Scan, endpoint: Endpoint) -> None:
    note_limit(scan.registry_id)
    Scan.objects.filter(pk=scan.pk).update(
        requests=F("requests") + endpoint.stats.requests,
        received_bytes=F("received_bytes") + endpoint.stats.received_bytes,
    )
