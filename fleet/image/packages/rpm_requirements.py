"""What an RPM package requires: a name, or a boolean expression over names.

Source: https://rpm-software-management.github.io/rpm/manual/boolean_dependencies.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.image.packages.listing import short

# Names hold brackets of their own: libc.so.6(GLIBC_2.34)(64bit), config(bash).
_TOKEN = re.compile(r"[^\s()](?:[^\s()]|\([^\s()]*\))*|[()]")
_COMPARISONS = frozenset({"<", "<=", "=", ">=", ">"})
_BOTH = frozenset({"and", "with"})
_EXCLUSIONS = frozenset({"if", "unless", "without"})
_OPERATORS = frozenset({"or", "else"}) | _BOTH | _EXCLUSIONS
_FEATURE_OF_RPM = "rpmlib("


def read_requirement(text: str) -> Iterator[tuple[str, ...]]:
    """One tuple of alternatives for each thing that must be there.

    Expressions are read flat and on the safe side: what is required on a condition counts as required, and of the
    condition the first name is left out.
    """
    alternatives: dict[str, None] = {}
    is_left_out = False
    for word in _words(text) if text.startswith("(") else (text,):
        if word in _BOTH and alternatives:
            yield tuple(alternatives)
            alternatives = {}
        if word in _OPERATORS:
            is_left_out = word in _EXCLUSIONS
        elif not is_left_out and not word.startswith(_FEATURE_OF_RPM) and (name := short(word)):
            alternatives[name] = None
    if alternatives:
        yield tuple(alternatives)


def _words(expression: str) -> Iterator[str]:
    """Names and operators without brackets and versions."""
    is_version = False
    for word in _TOKEN.findall(expression):
        if word in _COMPARISONS:
            is_version = True
        elif is_version:
            is_version = False
        elif word not in "()":
            yield word
