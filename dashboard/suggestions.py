"""The ladder of a service: from its image as it is, rung by rung, to the smallest that makes sense."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from dashboard import wording
from dashboard.benefits import components, monthly, pull_time
from dashboard.highlight import Span, dockerfile_spans
from dashboard.pull_request import markdown
from fleet.dockerfile.adoption import DiffLine, Figure, diff
from fleet.dockerfile.benefits import Tariff
from fleet.dockerfile.suggestion import TIERS
from fleet.dockerfile.wording import listed
from fleet.models import Prices, Service, Suggestion, bodies_of


@dataclass(frozen=True, slots=True)
class Proof:
    """What an engine measured of a suggestion that behaved as the original does; None for a size that it cannot
    tell."""

    compressed_bytes: int | None = None
    unpacked_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A rung that can be taken. ``gain_*`` is what it is smaller than the rung before, in bytes; ``differences`` the
    lines of the patch of the team's Dockerfile, none where that is not known. ``proof``: it was built and run."""

    suggestion: Suggestion
    gain_compressed_bytes: int
    gain_unpacked_bytes: int
    selected: bool
    spans: list[Span]
    buildkit_spans: list[Span]
    differences: list[DiffLine]
    pull: Figure
    cost: Figure | None
    components: list[Figure]
    markdown: str
    proof: Proof | None = None

    @property
    def key(self) -> str:
        return _key(self.suggestion)

    @property
    def name(self) -> str:
        return wording.tier(self.suggestion.tier)

    @property
    def about(self) -> str:
        return wording.TIERS.get(self.suggestion.tier, ("", ""))[1]

    @property
    def delta_compressed_bytes(self) -> int:
        """Against the rung before, negative where this one is smaller."""
        return -self.gain_compressed_bytes

    @property
    def failed(self) -> int:
        """How many checks it did not pass."""
        return sum(not gate.get("passed") for gate in self.suggestion.gates)


@dataclass(frozen=True, slots=True)
class Closed:
    """Rungs next to each other that cannot be taken, for one reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rungs of one mode, lowest saving first. ``shown`` says which of the offers is open."""

    mode: str
    rungs: list[Offer | Closed]
    selected: bool
    recommended: bool

    @property
    def name(self) -> str:
        return wording.mode(self.mode)

    @property
    def offers(self) -> list[Offer]:
        return [rung for rung in self.rungs if isinstance(rung, Offer)]


@dataclass(frozen=True, slots=True)
class Ladders:
    """All that a service is offered. ``obstacles`` are the reasons of all rungs, each once."""

    ladders: list[Ladder] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    tariff: Tariff = field(default_factory=Tariff)

    @property
    def assumed(self) -> bool:
        """Whether no administrator said anything of bandwidth and prices."""
        return self.tariff == Tariff()

    @property
    def any_dockerfile(self) -> bool:
        return any(ladder.offers for ladder in self.ladders)


def ladders(service: Service, mode: str = "", tier: str = "", proofs: Mapping[str, Proof] | None = None) -> Ladders:
    """The ladders of both modes, with the rung open that was asked for, else the recommended one. ``proofs`` are
    known by ``mode-tier``. Two queries."""
    related = service.suggestions.select_related("image")
    rows = sorted(related.defer(*bodies_of("image")), key=_position)
    if not rows:
        return Ladders()
    tariff = Prices.tariff()
    shown = _shown(rows, mode, tier)
    first = _first_mode(rows, mode)
    made = [
        Ladder(
            mode=name,
            rungs=_rungs(service, group := list(rungs), shown.get(name), tariff, proofs or {}),
            selected=name == first,
            recommended=any(row.recommended for row in group),
        )
        for name, rungs in groupby(rows, key=lambda row: row.mode)
    ]
    return Ladders(made, list(dict.fromkeys(row.obstacle for row in rows if row.obstacle)), tariff)


def _key(row: Suggestion) -> str:
    return f"{row.mode}-{row.tier}"


def _position(row: Suggestion) -> tuple[int, str, int, str]:
    modes = list(wording.MODES)
    return (
        modes.index(row.mode) if row.mode in modes else len(modes),
        row.mode,
        TIERS.index(row.tier) if row.tier in TIERS else len(TIERS),
        row.tier,
    )


def _first_mode(rows: Sequence[Suggestion], mode: str) -> str:
    """The mode that was asked for, else that of the best rung."""
    named = [row.mode for row in rows if row.mode == mode]
    return named[0] if named else min(rows, key=_rank).mode


def _rank(row: Suggestion) -> tuple[bool, bool, bool, int]:
    return not row.recommended, not row.dockerfile, not row.usable, -row.savings_compressed_bytes


def _shown(rows: Sequence[Suggestion], mode: str, tier: str) -> dict[str, int]:
    """The key of the open rung in each mode."""
    found = {}
    for name in {row.mode for row in rows}:
        offered = [row for row in rows if row.mode == name and row.dockerfile]
        asked = [row for row in offered if row.tier == tier and row.mode == mode]
        if offered:
            found[name] = (asked or sorted(offered, key=_rank))[0].pk
    return found


def _rungs(
    service: Service, rows: Sequence[Suggestion], shown: int | None, tariff: Tariff, proofs: Mapping[str, Proof]
) -> list[Offer | Closed]:
    """Those that can be taken, then the others."""
    rungs: list[Offer | Closed] = []
    before: Suggestion | None = None
    for row in rows:
        if row.dockerfile:
            rungs.append(_offer(service, row, before, row.pk == shown, tariff, proofs.get(_key(row))))
            before = row
    return [*rungs, *_closed(row for row in rows if not row.dockerfile)]


def _closed(rows: Iterable[Suggestion]) -> Iterator[Closed]:
    """Each reason once, with all rungs that it keeps closed."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row.obstacle or "The image leaves nothing to suggest.", []).append(row.tier)
    for reason, tiers in by_reason.items():
        name = listed([wording.tier(tier).lower() for tier in tiers])
        yield Closed(name[:1].upper() + name[1:], reason)


def _offer(
    service: Service, row: Suggestion, before: Suggestion | None, selected: bool, tariff: Tariff, proof: Proof | None
) -> Offer:
    if before is None:
        gain_compressed, gain_unpacked = row.savings_compressed_bytes, row.savings_unpacked_bytes
    else:
        gain_compressed = (before.after_compressed_bytes or 0) - (row.after_compressed_bytes or 0)
        gain_unpacked = (before.after_unpacked_bytes or 0) - (row.after_unpacked_bytes or 0)
    return Offer(
        suggestion=row,
        gain_compressed_bytes=gain_compressed,
        gain_unpacked_bytes=gain_unpacked,
        selected=selected,
        spans=dockerfile_spans(row.dockerfile),
        buildkit_spans=dockerfile_spans(row.buildkit_dockerfile),
        differences=differences(service, row),
        pull=pull_time(row, tariff),
        cost=monthly(row, service.weight, tariff),
        components=components(row),
        markdown=markdown(service, row, tariff),
        proof=proof,
    )


def teams_dockerfile(service: Service, row: Suggestion) -> str:
    """The Dockerfile that a suggestion rewrites, as the team gave it; empty where it rewrites none."""
    return service.dockerfile if row.mode == "rebuild" and service.dockerfile.strip() else ""


def differences(service: Service, row: Suggestion) -> list[DiffLine]:
    """From the team's own Dockerfile to the suggested one, to be read."""
    own = teams_dockerfile(service, row)
    found = diff(own, row.dockerfile) if own else []
    # A browser would show a line end of its own for each CR.
    return [DiffLine(line.kind, line.text.rstrip("\r")) for line in found]
