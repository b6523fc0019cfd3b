"""The ranking as CSV for spreadsheets and scripts: one row a service, sizes in bytes. A service without a name
bears that of its repository."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from django.db.models import QuerySet

from fleet.models import Service

COLUMNS = (
    "service",
    "repository",
    "registry",
    "platform",
    "owner",
    "runtime",
    "runtime_version",
    "compressed_bytes",
    "unpacked_bytes",
    "savings_compressed_bytes",
    "savings_unpacked_bytes",
    "savings_percent",
    "savings_source",
    "policy_state",
    "newest_tag",
    "newest_tag_at",
)
# A spreadsheet runs a cell that starts so: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file that hands back what is written to it, so that rows stream out one by one."""

    def write(self, text: str) -> str:
        return text


def csv_lines(services: QuerySet[Service]) -> Iterator[str]:
    """The header and one line a service; reads the database in chunks."""
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for service in services.iterator(chunk_size=500):
        yield writer.writerow(neutralised(_cells(service)))


def neutralised(cells: Iterable[object]) -> list[object]:
    """The cells with every text that a spreadsheet would run as a formula made plain by a leading apostrophe."""
    return [f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell for cell in cells]


def _cells(service: Service) -> tuple[object, ...]:
    percent = service.savings_percent
    return (
        service.name or service.repository,
        service.repository,
        service.registry.name,
        service.platform,
        service.owner,
        service.runtime,
        service.runtime_version,
        service.compressed_bytes,
        service.unpacked_bytes,
        service.savings_compressed_bytes,
        service.savings_unpacked_bytes,
        None if percent is None else round(percent, 1),
        service.savings_source,
        service.policy_state,
        service.snapshot.tag if service.snapshot else "",
        service.snapshot.taken_at.isoformat() if service.snapshot else "",
    )
