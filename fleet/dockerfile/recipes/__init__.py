"""Which recipe makes a rung for which image."""

from __future__ import annotations

from collections.abc import Callable

from fleet.dockerfile.recipes import cleaned, gathered, python
from fleet.dockerfile.request import Request
from fleet.dockerfile.suggestion import Suggestion

Recipe = Callable[[Request], Suggestion]


def recipe_for(request: Request) -> Recipe:
    """Official Python images keep their interpreter's own base at slim; all else is gathered, whatever it runs."""
    if request.tier == "cleaned":
        return cleaned.suggest
    if request.tier == "slim" and request.analysis.runtime.name == "python" and python.is_official(request):
        return python.suggest
    return gathered.suggest
