"""The ladder of an image: current, cleaned, slim, distroless, scratch. Each rung is offered only where it takes
something off the one before, and one is recommended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, get_args

from fleet.analysis.findings import Analysis
from fleet.dockerfile.bases import Bases
from fleet.dockerfile.parse import InvalidDockerfile
from fleet.dockerfile.suggest import suggest
from fleet.dockerfile.suggestion import TIERS, Mode, NothingToSuggest, Obstacle, Suggestion, Tier
from fleet.dockerfile.wording import megabytes
from fleet.image.loading import LoadedImage
from fleet.oci.errors import RegistryError

Offer = Suggestion | Obstacle

MODES: tuple[Mode, ...] = get_args(Mode)
# A rung must take so much of the original off the one before, to be worth its risk.
_STEP = 0.01
# And so much of a pull, to be recommended in its stead: where nothing at all lies below, more has to speak for it.
_WORTH_RISK = {"cleaned": 0.0, "slim": 0.05, "distroless": 0.05, "scratch": 0.15}


@dataclass(frozen=True, slots=True)
class Ladder:
    """Every rung in every mode, or why it is not offered; by mode, then from the largest."""

    rungs: tuple[Offer, ...]

    @property
    def recommended(self) -> Suggestion | None:
        return recommended(self.rungs)


def ladder(image: LoadedImage, analysis: Analysis, *, bases: Bases, dockerfile: str | None = None) -> Ladder:
    """All that can be offered for an image. ``dockerfile`` is the team's own."""
    return climb(partial(offer, image, analysis, bases=bases, dockerfile=dockerfile))


def offer(
    image: LoadedImage, analysis: Analysis, mode: Mode, tier: Tier, *, bases: Bases, dockerfile: str | None = None
) -> Offer:
    """One rung, or why it is not offered."""
    try:
        return suggest(image, analysis, mode=mode, tier=tier, bases=bases, dockerfile=dockerfile)
    except (NothingToSuggest, InvalidDockerfile, RegistryError) as reason:
        return Obstacle(mode, tier, str(reason))


def climb(offer: Callable[[Mode, Tier], Offer]) -> Ladder:
    """The ladder of what ``offer`` makes, less the rungs that gain nothing."""
    return Ladder(tuple(rung for mode in MODES for rung in only_gains([offer(mode, tier) for tier in TIERS])))


def only_gains(rungs: Sequence[Offer]) -> Iterable[Offer]:
    """The rungs of one mode, the largest first; one that takes next to nothing off those before is an obstacle."""
    best: Suggestion | None = None
    for rung in rungs:
        if isinstance(rung, Suggestion) and best is not None and (reason := _gains_nothing(rung, best)):
            yield Obstacle(rung.mode, rung.tier, reason)
            continue
        if isinstance(rung, Suggestion) and rung.usable:
            best = rung
        yield rung


def _gains_nothing(rung: Suggestion, best: Suggestion) -> str:
    least = rung.before.unpacked_bytes * _STEP
    if best.after.unpacked_bytes - rung.after.unpacked_bytes >= least:
        return ""
    return (
        f"It would weigh {megabytes(rung.after.unpacked_bytes)} unpacked, against "
        f"{megabytes(best.after.unpacked_bytes)} on the {best.tier} step: no gain worth its risk."
    )


def recommended(rungs: Iterable[Offer]) -> Suggestion | None:
    """The rung to take, all of whose gates passed."""
    usable = [rung for rung in rungs if isinstance(rung, Suggestion) and rung.usable]
    steps = [Step(rung.tier, rung.savings.compressed_bytes, rung.before.compressed_bytes) for rung in usable]
    best = best_step(steps)
    return None if best is None else usable[best]


class Step(NamedTuple):
    """A rung as far as it matters for which to take: how much of ``before_bytes`` of a pull it saves."""

    tier: str
    saved_bytes: int
    before_bytes: int


def best_step(steps: Sequence[Step]) -> int | None:
    """The position of the step to take: down the ladder as long as each takes a share of a pull off that is worth its
    risk. Of two on a rung the one that takes more off. None where none takes anything off."""
    best: int | None = None
    for tier in TIERS:
        there = [at for at, step in enumerate(steps) if step.tier == tier]
        if not there:
            continue
        most = max(there, key=lambda at: steps[at].saved_bytes)
        step = steps[most]
        least = 0 if best is None else steps[best].saved_bytes + step.before_bytes * _WORTH_RISK[tier]
        if step.saved_bytes > least:
            best = most
    return best
