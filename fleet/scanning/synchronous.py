"""A whole scan in this process, one service after the other; layers are read in parallel all the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from fleet.models import Scan, Service
from fleet.oci.errors import RegistryError
from fleet.scanning.connection import connect
from fleet.scanning.discovery import discover
from fleet.scanning.lifecycle import begin, fail, finish
from fleet.scanning.one_service import scan_service

INTERRUPTED = "The scan was interrupted. Its results so far are kept; scan again."
Progress = Callable[[int, int, str], None]


def run_scan(scan: Scan, progress: Progress = lambda done, total, repository: None) -> Scan:
    """Run a queued scan to its end and give its final row. ``progress`` hears how many services are done, of how
    many, and which comes next (empty at the end). A scan that another process runs is left to it."""
    if not begin(scan):
        return scan
    try:
        with closing(connect(scan.registry)) as endpoint:
            keys = discover(scan, endpoint)
            for done, key in enumerate(keys):
                service = Service.objects.select_related("registry", "snapshot").filter(pk=key).first()
                if service:
                    progress(done, len(keys), service.repository)
                    scan_service(scan, service, endpoint)
            progress(len(keys), len(keys), "")
    except RegistryError as error:
        fail(scan, str(error))
    except BaseException:
        fail(scan, INTERRUPTED)
        raise
    finish(scan)
    return scan
