"""Values that the analysis of one image consists of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from fleet.analysis.ownership import NO_BASE, Base
from fleet.image.packages.package import Package
from fleet.image.sizes import NOTHING, Sizes


@dataclass(frozen=True, slots=True)
class Runtime:
    """``name`` is one of python, node, go, java, rust, ruby, php, dotnet, nginx, c, unknown; ``version`` may be
    empty; ``evidence`` says in a few words how it was seen."""

    name: str
    version: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Bytes that one rule claims in one layer. ``paths`` are absolute, largest first, capped; ``path_count`` is how
    many there are in all. A path version belongs to one finding only, so findings add up exactly."""

    rule: str
    title: str
    advice: str
    sizes: Sizes
    layer: int
    paths: tuple[str, ...]
    path_count: int


Severity = Literal["info", "warning", "danger"]
# So long before an end of life there is time to plan, and no need to before.
NOTICE = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Observation:
    """A fact about an image that weighs nothing: it runs as root, its base gets no more updates, a secret lies in it.

    ``name`` is stable (``runs-as-root``), ``title`` says what, ``detail`` names the evidence and never a secret's
    value, ``advice`` is a sentence on what to do. ``on`` is the day on which an end of life comes or came; whoever
    shows it compares it with today.
    """

    name: str
    severity: Severity
    title: str
    detail: str
    advice: str = ""
    on: date | None = None

    def severity_on(self, today: date) -> Severity | None:
        """How pressing it is today; None for an end of life that is far off."""
        if self.on is None:
            return self.severity
        if self.on < today:
            return "danger"
        return "warning" if self.on - today <= NOTICE else None

    def told_on(self, today: date) -> str:
        """The detail with its day in the right tense."""
        if self.on is None:
            return self.detail
        verb = "ended" if self.on < today else "end"
        return f"{self.detail}: updates {verb} on {self.on.day} {self.on:%B %Y}."


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One layer of the image in order. ``base`` is True when it came with the base image."""

    digest: str
    diff_id: str
    media_type: str
    sizes: Sizes
    entries: int
    created_by: str
    base: bool


@dataclass(frozen=True, slots=True)
class Analysis:
    ruleset: int
    runtime: Runtime
    layers: tuple[LayerFacts, ...]
    packages: tuple[Package, ...]
    findings: tuple[Finding, ...]
    observations: tuple[Observation, ...] = ()
    base: Base = NO_BASE

    @property
    def reclaimable(self) -> Sizes:
        return sum((finding.sizes for finding in self.findings), NOTHING)
