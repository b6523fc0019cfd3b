"""Facts about an image in, a smaller Dockerfile out."""

from __future__ import annotations

from fleet.analysis.findings import Analysis
from fleet.dockerfile.bases import Bases
from fleet.dockerfile.recipes import RECIPES
from fleet.dockerfile.request import Request
from fleet.dockerfile.suggestion import Mode, NothingToSuggest, Suggestion, Tier
from fleet.dockerfile.wording import megabytes
from fleet.image.loading import LoadedImage

_WORTH_WHILE = 0.01
_RUNTIMES = {
    "node": "Node.js", "go": "Go", "java": "Java", "rust": "Rust", "ruby": "Ruby", "php": "PHP", "dotnet": ".NET",
    "nginx": "nginx", "c": "C and C++",
}  # fmt: skip


def suggest(
    image: LoadedImage,
    analysis: Analysis,
    *,
    mode: Mode,
    tier: Tier = "slim",
    bases: Bases,
    dockerfile: str | None = None,
) -> Suggestion:
    """A multi-stage Dockerfile for the image, its estimate and its gates.

    ``dockerfile`` is the team's own, for *rebuild*; without it that mode outlines one from history. Raises
    NothingToSuggest when no smaller image can be offered, InvalidDockerfile when ``dockerfile`` cannot be read.
    """
    if tier != "slim":
        raise NothingToSuggest(f"The {tier} tier is not offered yet: ask for slim.")
    recipe = RECIPES.get(analysis.runtime.name)
    if recipe is None:
        raise NothingToSuggest(_no_recipe(analysis.runtime.name))
    suggestion = recipe(Request(image, analysis, mode, tier, bases, dockerfile))
    _refuse_little(suggestion)
    return suggestion


def _no_recipe(runtime: str) -> str:
    if runtime in _RUNTIMES:
        return f"There is no recipe for {_RUNTIMES[runtime]} yet: only Python images get a Dockerfile."
    return "What the image runs is not known, so no Dockerfile can be written that surely runs it."


def _refuse_little(suggestion: Suggestion) -> None:
    before, after = suggestion.before, suggestion.after
    if suggestion.savings.unpacked_bytes < before.unpacked_bytes * _WORTH_WHILE:
        raise NothingToSuggest(
            f"On {suggestion.base.reference} the image would weigh {megabytes(after.unpacked_bytes)} unpacked against "
            f"{megabytes(before.unpacked_bytes)} now: nothing to gain."
        )
