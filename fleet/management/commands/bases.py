"""``manage.py bases``: the catalog of bases, and what the admins' rules make of it."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.text import Text

from fleet.dockerfile.catalog import FAMILIES
from fleet.management.terminal import bytes_for_people, escaped, make_table, print_lines
from fleet.oci.errors import RegistryError
from fleet.oci.manifest import Platform
from fleet.scanning.bases import ListedBase, listed_bases

UNKNOWN = 2


class Command(BaseCommand):
    help = (
        "Lists the bases that suggestions choose from, with their ends of life, whether the admins' rules permit them, "
        "and their sizes as far as they were read. No registry is asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--family", choices=[family.name for family in FAMILIES], help="one family alone")
        parser.add_argument("--runtime", metavar="NAME", help="python, node, ...; none for bases without a runtime")
        parser.add_argument("--allowed", action="store_true", help="only what the rules permit")
        parser.add_argument("--platform", default="linux/amd64", help="whose sizes are shown")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            platform = str(Platform.parse(options["platform"]))
        except RegistryError as error:
            raise CommandError(str(error), returncode=UNKNOWN) from None
        rows = [row for row in listed_bases(platform) if _is_asked_for(row, options)]
        if not rows:
            raise CommandError("The catalog has no such base.", returncode=UNKNOWN)
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(row) for row in rows], indent=2))
        else:
            self._print(rows)

    def _print(self, rows: Iterable[ListedBase]) -> None:
        table = make_table("Bases", ["compressed", "unpacked"], ["family", "base", "runtime", "libc", "ends", "use"])
        for row in rows:
            sizes, entry = row.sizes, row.entry
            table.add_row(
                bytes_for_people(sizes.compressed_bytes) if sizes else "",
                bytes_for_people(sizes.unpacked_bytes) if sizes else "",
                entry.family,
                entry.reference,
                f"{entry.runtime} {entry.version}".strip(),
                entry.libc,
                _end(entry.end_of_life),
                _use(row),
            )
        print_lines(self.stdout, [table])


def _is_asked_for(row: ListedBase, options: dict[str, Any]) -> bool:
    runtime = "" if options["runtime"] == "none" else options["runtime"]
    return (
        options["family"] in (None, row.entry.family)
        and runtime in (None, row.entry.runtime)
        and not (options["allowed"] and row.refusal)
    )


def _end(day: date | None) -> Text:
    if day is None:
        return Text()
    return Text(day.isoformat(), "bold red" if day < date.today() else "")


def _use(row: ListedBase) -> Text:
    if row.refusal:
        return escaped(row.refusal, "yellow")
    return escaped("allowed" if row.name == row.entry.reference else f"as {row.name}")


def _as_json(row: ListedBase) -> dict[str, Any]:
    """Sizes are bytes, null where the base was never read; dates are ISO 8601."""
    entry, sizes = row.entry, row.sizes
    return {
        **{key: value for key, value in asdict(entry).items() if key != "end_of_life"},
        "end_of_life": entry.end_of_life.isoformat() if entry.end_of_life else None,
        "allowed": not row.refusal,
        "reason": row.refusal,
        "use": row.name,
        "compressed_bytes": sizes.compressed_bytes if sizes else None,
        "unpacked_bytes": sizes.unpacked_bytes if sizes else None,
        "seen_at": row.seen_at.isoformat() if row.seen_at else None,
    }
