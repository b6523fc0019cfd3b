"""What an observer looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fleet.analysis.findings import Observation, Runtime
from fleet.analysis.rules.rule import Survey
from fleet.image.loading import LoadedImage


@dataclass(frozen=True, slots=True)
class View:
    """An image with what was found out about it so far."""

    image: LoadedImage
    survey: Survey
    runtime: Runtime


Observer = Callable[[View], Iterator[Observation]]
