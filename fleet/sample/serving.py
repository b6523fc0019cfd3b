"""The sample registry as a program runs it: its fleet remembered in a directory, with the date that it is of."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from fleet.sample.fleet import sample_fleet
from fleet.sample.registry import ReadOnlyRegistry
from fleet.sample.shelf import publish


def sample_date(cache: Path, asked: date | None, today: date) -> date:
    """The date that the fleet's releases lead up to: the one asked for, else the one of the first start, so that the
    fleet stays the same from start to start."""
    kept = cache / "as-of.txt"
    if asked is None:
        try:
            return date.fromisoformat(kept.read_text().strip())
        except (OSError, ValueError):
            asked = today
    cache.mkdir(parents=True, exist_ok=True)
    kept.write_text(f"{asked.isoformat()}\n")
    return asked


def sample_registry(cache: Path, as_of: date, *, host: str = "127.0.0.1", port: int = 0) -> ReadOnlyRegistry:
    """The registry of the whole fleet, not yet started. The first time takes some seconds a gigabyte of layers."""
    images = publish(sample_fleet(as_of), cache / f"layers-{as_of.isoformat()}.json")
    return ReadOnlyRegistry(images, host=host, port=port)
