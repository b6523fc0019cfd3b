"""Debug symbols: those that lie beside the programs, and those within.

Of a program itself only its symbol table and debug sections are claimed, which is what strip(1) would take; the rest
of it stays. What is small is left alone, as libraries keep a few symbols everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey, below
from fleet.image.sizes import Sizes

_ROOTS = re.compile(r"usr/(?:local/)?lib/debug/|(?:.*?/)?[^/]{1,100}\.dSYM/", re.DOTALL)
_LEAST_BYTES = 64 << 10


def _claims(survey: Survey) -> Iterator[Claim]:
    return below(survey, _ROOTS)


def _sections(survey: Survey) -> Iterator[Claim]:
    for path, facts in survey.tree.elf.items():
        node = survey.tree.nodes.get(path)
        if node is None or node.entry.kind != "file" or facts.debug_bytes < _LEAST_BYTES:
            continue
        # A file may claim more than it has.
        unpacked_bytes = min(facts.debug_bytes, node.entry.size_bytes)
        compressed_bytes = min(facts.debug_compressed_bytes, node.entry.compressed_bytes)
        yield Claim(node.entry, node.layer, part=Sizes(unpacked_bytes, compressed_bytes))


DEBUG_SYMBOLS = Rule(
    "debug-symbols",
    "Debug symbols",
    "Do not install -dbg and -dbgsym packages in the final stage; keep symbols where crashes are analysed.",
    _claims,
)

UNSTRIPPED_PROGRAMS = Rule(
    "unstripped-programs",
    "Symbols within programs and libraries",
    'Strip them in the build stage (strip --strip-unneeded, go build -ldflags="-s -w", strip = true in a Cargo '
    "profile) and keep the symbols where crashes are analysed.",
    _sections,
)
