"""What there is to say of an image beside its weight, as the service page shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TypedDict

from fleet.analysis.findings import Observation, Severity

_ORDER: tuple[Severity, ...] = ("danger", "warning", "info")
# As the page's pills are called.
_LEVELS = {"danger": "fail", "warning": "warn", "info": "deep"}
_WORDS = {"danger": "act", "warning": "plan", "info": "know"}


class StoredObservation(TypedDict):
    """As ``Analysis.observations`` keeps it; ``on`` is an ISO date."""

    name: str
    severity: Severity
    title: str
    detail: str
    advice: str
    on: str | None


@dataclass(frozen=True, slots=True)
class Remarkable:
    """``level`` is that of a pill, ``word`` what to do about it. Equal titles stand together, with all ``details``."""

    level: str
    word: str
    title: str
    details: tuple[str, ...]
    advice: str


def remarkable(stored: Iterable[StoredObservation], today: date) -> list[Remarkable]:
    """The most pressing first; an end of life that is far off is left out."""
    told: dict[tuple[Severity, str], list[Observation]] = {}
    for each in stored:
        observation = _restored(each)
        if severity := observation.severity_on(today):
            told.setdefault((severity, observation.title), []).append(observation)
    return [
        Remarkable(
            level=_LEVELS[severity],
            word=_WORDS[severity],
            title=title,
            details=tuple(observation.told_on(today) for observation in same),
            advice=same[0].advice,
        )
        for (severity, title), same in sorted(told.items(), key=lambda item: _ORDER.index(item[0][0]))
    ]


def _restored(stored: StoredObservation) -> Observation:
    on = stored["on"]
    return Observation(
        name=stored["name"],
        severity=stored["severity"],
        title=stored["title"],
        detail=stored["detail"],
        advice=stored["advice"],
        on=date.fromisoformat(on) if on else None,
    )
