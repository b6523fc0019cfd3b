"""The crates that a Rust program was built from, where ``cargo auditable`` built it.

Zlib-compressed JSON in a section of its own.
Format: https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

from fleet.image.elf_sections import Section
from fleet.image.elf_tables import Content
from fleet.image.entries import Component
from fleet.image.limits import Budget

_SECTION = b".dep-v0"
_STORED_BYTES = 1 << 20
_LONGEST_BYTES = 1 << 20
_MOST_CRATES = 10_000


def read_crates(content: Content, sections: Sequence[Section], budget: Budget) -> tuple[Component, ...]:
    """What is linked into the program, itself first; crates that only its build ran are left out."""
    section = next((section for section in sections if section.name == _SECTION), None)
    if section is None:
        return ()
    packages = _packages(content.read(section.offset, min(section.size, _STORED_BYTES)), budget)
    linked = [each for each in packages if isinstance(each, dict) and each.get("kind", "runtime") == "runtime"]
    linked.sort(key=lambda each: each.get("root") is not True)
    return tuple(
        Component("cargo", name, version)
        for each in linked[:_MOST_CRATES]
        if isinstance(name := each.get("name"), str) and isinstance(version := each.get("version"), str)
    )


def _packages(compressed: bytes, budget: Budget) -> list[object]:
    try:
        inflater = zlib.decompressobj()
        # Zero would be no limit.
        text = inflater.decompress(compressed, max(1, min(_LONGEST_BYTES, budget.inflated_bytes)))
        budget.inflated_bytes -= len(text)
        document = json.loads(text) if inflater.eof else None
    except (zlib.error, ValueError, RecursionError):
        return []
    packages = document.get("packages") if isinstance(document, dict) else None
    return packages if isinstance(packages, list) else []
