"""The ladder of an image as the proofs climb it."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.analysis.findings import Analysis
from fleet.dockerfile import ladder as ladders
from fleet.dockerfile.bases import Bases
from fleet.dockerfile.suggestion import Obstacle, Suggestion
from fleet.image.loading import LoadedImage

__all__ = ["Obstacle", "ladder"]


def ladder(
    image: LoadedImage, analysis: Analysis, *, bases: Bases, dockerfile: str | None = None
) -> Sequence[Suggestion | Obstacle]:
    return ladders.ladder(image, analysis, bases=bases, dockerfile=dockerfile).rungs
