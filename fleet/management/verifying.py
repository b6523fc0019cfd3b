"""Outcomes of verifications for people at a terminal and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.management.base import OutputWrapper
from rich.table import Table
from rich.text import Text

from fleet.dockerfile.suggestion import Suggestion
from fleet.management.terminal import bytes_for_people, escaped, make_table, print_lines
from fleet.verification.verify import Outcome

VERIFIED, FAILED, INCONCLUSIVE = 0, 1, 2
_STYLES = {"verified": "green", "failed": "bold red", "inconclusive": "yellow"}


@dataclass(frozen=True, slots=True)
class Rung:
    """A suggestion and what came of it; or the reason why there is none."""

    mode: str
    tier: str
    suggestion: Suggestion | None = None
    outcome: Outcome | None = None
    obstacle: str = ""

    @property
    def verdict(self) -> str:
        return self.outcome.verdict if self.outcome else "not offered"


def status_of(rungs: Sequence[Rung]) -> int:
    """The exit status: failed where any rung did, verified where at least one is and none is in doubt."""
    verdicts = {rung.outcome.verdict for rung in rungs if rung.outcome}
    if "failed" in verdicts:
        return FAILED
    return VERIFIED if verdicts == {"verified"} else INCONCLUSIVE


def print_rungs(out: OutputWrapper, rungs: Sequence[Rung]) -> None:
    table = make_table("Verification", ["compressed", "estimated", "unpacked", "estimated"], ["rung", "verdict"])
    for rung in rungs:
        table.add_row(
            *_sizes(rung),
            Text(f"{rung.mode} to {rung.tier}"),
            Text(rung.verdict, _STYLES.get(rung.verdict, "")),
        )
    lines: list[Text | Table] = [table]
    for rung in rungs:
        lines += [Text(), escaped(f"{rung.mode} to {rung.tier}: {rung.verdict}", "bold"), *_sentences(rung)]
    print_lines(out, lines)


def _sizes(rung: Rung) -> tuple[str, str, str, str]:
    measured = rung.outcome.measured if rung.outcome else None
    after = rung.suggestion.after if rung.suggestion else None
    return (
        bytes_for_people(measured.compressed_bytes) if measured else "",
        bytes_for_people(after.compressed_bytes) if after else "",
        bytes_for_people(measured.unpacked_bytes) if measured else "",
        bytes_for_people(after.unpacked_bytes) if after else "",
    )


def _sentences(rung: Rung) -> Iterator[Text]:
    if rung.obstacle:
        yield escaped(f"  {rung.obstacle}")
    if rung.outcome is None:
        return
    for reason in rung.outcome.reasons:
        yield escaped(f"  {reason}")
    how = "read-only, " if rung.outcome.read_only else ""
    yield escaped(f"  Probe: {rung.outcome.probe.about}; {how}no network, no capabilities.", "dim")
    for name, behaviour in (("original", rung.outcome.original), ("candidate", rung.outcome.candidate)):
        if behaviour and rung.outcome.verdict != "verified":
            for line in behaviour.said[:5]:
                yield escaped(f"  {name}: {line}", "dim")


def as_json(rungs: Sequence[Rung]) -> str:
    return json.dumps({"status": status_of(rungs), "rungs": [_rung(rung) for rung in rungs]}, indent=2)


def _rung(rung: Rung) -> dict[str, Any]:
    told: dict[str, Any] = {"mode": rung.mode, "tier": rung.tier, "verdict": rung.verdict}
    if rung.obstacle:
        told["reason"] = rung.obstacle
    if rung.suggestion:
        told["dockerfile"] = rung.suggestion.dockerfile
        told["estimated"] = _pair(rung.suggestion.after)
    if rung.outcome:
        outcome = rung.outcome
        told |= {
            "cause": outcome.cause,
            "reasons": list(outcome.reasons),
            "measured": _pair(outcome.measured) if outcome.measured else None,
            "probe": outcome.probe.as_json(),
            "read_only": outcome.read_only,
            "original": outcome.original.as_json() if outcome.original else None,
            "candidate": outcome.candidate.as_json() if outcome.candidate else None,
            "seconds": outcome.seconds,
            "log": outcome.log,
        }
    return told


def _pair(sizes: Any) -> dict[str, int]:
    return {"unpacked_bytes": sizes.unpacked_bytes, "compressed_bytes": sizes.compressed_bytes}
