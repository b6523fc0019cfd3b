"""Debug symbols that lie beside the programs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey, below

_ROOTS = re.compile(r"usr/(?:local/)?lib/debug/|(?:.*?/)?[^/]{1,100}\.dSYM/", re.DOTALL)


def _claims(survey: Survey) -> Iterator[Claim]:
    return below(survey, _ROOTS)


DEBUG_SYMBOLS = Rule(
    "debug-symbols",
    "Debug symbols",
    "Do not install -dbg and -dbgsym packages in the final stage; keep symbols where crashes are analysed.",
    _claims,
)
