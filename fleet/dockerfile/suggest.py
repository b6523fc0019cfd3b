"""Facts about an image in, a smaller Dockerfile out."""

from __future__ import annotations

from dataclasses import replace

from fleet.analysis.findings import Analysis
from fleet.dockerfile.bases import Bases
from fleet.dockerfile.buildkit import buildkit_profile, secret_arguments
from fleet.dockerfile.quoting import Unwritable
from fleet.dockerfile.recipes import recipe_for
from fleet.dockerfile.request import Request
from fleet.dockerfile.suggestion import Mode, NothingToSuggest, Suggestion, Tier
from fleet.dockerfile.wording import listed, megabytes
from fleet.image.loading import LoadedImage

_WORTH_WHILE = 0.01


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
    request = Request(image, analysis, mode, tier, bases, dockerfile)
    if mode == "repack" and image.config.on_build:
        raise NothingToSuggest(
            "The image has ONBUILD instructions, which run in what starts from it: nothing can be made from it alone."
        )
    try:
        suggestion = recipe_for(request)(request)
    except Unwritable as error:
        raise NothingToSuggest(str(error)) from error
    _refuse_little(suggestion)
    return _with_buildkit(suggestion) if mode == "rebuild" else suggestion


def _with_buildkit(suggestion: Suggestion) -> Suggestion:
    """The suggestion with its profile for BuildKit; a repack has nothing to cache."""
    profile = buildkit_profile(suggestion.dockerfile)
    secrets = secret_arguments(suggestion.dockerfile) if profile else ()
    notes = suggestion.notes
    if secrets:
        flags = " ".join(f"--secret id={name},env={name}" for name in secrets)
        notes = (
            *notes,
            f"{listed(secrets)}: a build argument stays readable in the image's history. The profile for BuildKit "
            f"takes it as a secret: docker build {flags}",
        )
    return replace(suggestion, buildkit=profile, notes=notes)


def _refuse_little(suggestion: Suggestion) -> None:
    before, after = suggestion.before, suggestion.after
    if suggestion.savings.unpacked_bytes < before.unpacked_bytes * _WORTH_WHILE:
        where = "Cleaned" if suggestion.tier == "cleaned" else f"On {suggestion.base.reference}"
        raise NothingToSuggest(
            f"{where} the image would weigh {megabytes(after.unpacked_bytes)} unpacked against "
            f"{megabytes(before.unpacked_bytes)} now: nothing to gain."
        )
