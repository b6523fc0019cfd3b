"""The bases that there are, as data, and which of them a final stage may start from."""

from fleet.dockerfile.catalog.choosing import Kind, candidates, distroless_kind
from fleet.dockerfile.catalog.entries import CatalogEntry, end_of_life_note, entries, entry_of, is_catalogued
from fleet.dockerfile.catalog.families import FAMILIES, Family
from fleet.dockerfile.catalog.releases import Release

__all__ = [
    "FAMILIES",
    "CatalogEntry",
    "Family",
    "Kind",
    "Release",
    "candidates",
    "distroless_kind",
    "end_of_life_note",
    "entries",
    "entry_of",
    "is_catalogued",
]
