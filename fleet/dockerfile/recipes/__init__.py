"""One module a runtime: facts about an image in, a Suggestion out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fleet.dockerfile.recipes import python
from fleet.dockerfile.request import Request
from fleet.dockerfile.suggestion import Suggestion

Recipe = Callable[[Request], Suggestion]

RECIPES: Mapping[str, Recipe] = {"python": python.suggest}
