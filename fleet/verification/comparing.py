"""Two behaviours beside each other: whether the candidate does what the original does, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from fleet.verification.behaviour import Answer, Behaviour
from fleet.verification.causes import OUT_OF_MEMORY, OUTSIDE, find_cause
from fleet.verification.probing import Probe
from fleet.verification.volatile import steady

Verdict = Literal["verified", "failed", "inconclusive"]
_SHOWN_CHARACTERS = 160
_ENDED_BY_SIGNAL = 128


@dataclass(frozen=True, slots=True)
class Comparison:
    """``cause`` is a machine's word for why it is not verified, empty where it is; ``reasons`` say in sentences what
    was seen, the most important first. ``only_output`` is whether nothing but lines of output differ."""

    verdict: Verdict
    reasons: tuple[str, ...]
    cause: str = ""
    only_output: bool = False


def compare(original: Behaviour, candidate: Behaviour, probe: Probe, again: Behaviour | None = None) -> Comparison:
    """``original`` did what its probe asks of it. ``again`` is what it did a second time: what differs between the two
    is no difference."""
    broken = list(_broken(original, candidate, probe))
    if broken:
        cause = OUT_OF_MEMORY if candidate.out_of_memory else find_cause(candidate.said)
        if cause is not None and cause.code in OUTSIDE:
            cause = None  # the original ran under the same conditions, and did not miss it
        why = (cause.sentence,) if cause else ()
        return Comparison("failed", (*broken, *why), cause.code if cause else "behaves-otherwise")
    different = list(_different(original, candidate, again))
    if different:
        return Comparison("failed", tuple(different), "output-differs", only_output=True)
    return Comparison("verified", tuple(_same(original, candidate, probe)))


def why_not(original: Behaviour, probe: Probe) -> Comparison:
    """Nothing can be proven with an original that does not do what its probe asks of it."""
    cause = OUT_OF_MEMORY if original.out_of_memory else find_cause(original.said)
    sentence = f"The original itself {_ended(original, probe)}, so that there is nothing to compare with."
    last = [*original.stdout[-1:], *original.stderr[-1:]]
    said = [f"It said: {_cut(last[-1])}"] if last else []
    return Comparison(
        "inconclusive",
        (sentence, *((cause.sentence,) if cause else ()), *said),
        f"original-{cause.code}" if cause else "original-fails",
    )


def _broken(original: Behaviour, candidate: Behaviour, probe: Probe) -> Iterator[str]:
    """What matters whatever either of them says."""
    if candidate.refusal:
        yield f"The candidate does not start: {_cut(candidate.refusal)}"
        return
    if candidate.out_of_memory and not original.out_of_memory:
        yield "The candidate ran out of memory, where the original did not."
    elif original.running and not candidate.running:
        yield f"The candidate {_ended(candidate, probe)}, where the original keeps running."
    elif not original.running and candidate.running:
        yield f"The candidate keeps running, where the original {_ended(original, probe)}."
    elif original.exit_code != candidate.exit_code:
        yield f"The candidate {_ended(candidate, probe)}, where the original {_ended(original, probe)}."
    elif probe.kind in ("http", "tcp") and original.port_open and not candidate.port_open:
        yield f"Nothing listens on port {probe.port} in the candidate, where the original answers."
    elif original.answer and not candidate.answer:
        yield f"The candidate does not speak HTTP on port {probe.port}, where the original does."
    if original.answer and candidate.answer:
        yield from _answers(original.answer, candidate.answer, probe)
    if candidate.is_root and not original.is_root:
        yield f"The candidate runs as root, where the original runs as {original.user}."


def _answers(original: Answer, candidate: Answer, probe: Probe) -> Iterator[str]:
    if original.status != candidate.status:
        yield (
            f"The candidate answers {probe.path} with status {candidate.status}, where the original answers "
            f"{original.status}."
        )
    elif original.content_type != candidate.content_type:
        yield (
            f"The candidate's answer is {candidate.content_type or 'of no type'}, where the original's is "
            f"{original.content_type or 'of no type'}."
        )
    elif steady(original.location) != steady(candidate.location):
        yield (
            f"The candidate redirects to {_cut(candidate.location)}, where the original redirects to "
            f"{_cut(original.location)}."
        )


def _different(original: Behaviour, candidate: Behaviour, again: Behaviour | None) -> Iterator[str]:
    """Differences in lines alone. A server's own words are its log: they tell what happened, not what it does."""
    if original.answer and candidate.answer:
        second = again.answer.lines if again and again.answer else ()
        yield from _lines("body of its answer", original.answer.lines, candidate.answer.lines, second)
    elif not original.running:
        yield from _lines("output", original.stdout, candidate.stdout, again.stdout if again else ())


def _lines(what: str, original: Sequence[str], candidate: Sequence[str], again: Sequence[str]) -> Iterator[str]:
    for number in range(max(len(original), len(candidate))):
        old = original[number] if number < len(original) else ""
        new = candidate[number] if number < len(candidate) else ""
        other = again[number] if number < len(again) else old
        if steady(old) != steady(new) and steady(old) == steady(other):
            yield f"Line {number + 1} of the {what} is {_quoted(new)}, where the original's is {_quoted(old)}."
            return


def _same(original: Behaviour, candidate: Behaviour, probe: Probe) -> Iterator[str]:
    if original.answer:
        yield (
            f"Both answer {probe.path} on port {probe.port} with status {original.answer.status}"
            + (f" and {original.answer.content_type}" if original.answer.content_type else "")
            + (", the same first lines." if original.answer.lines else ".")
        )
    elif probe.kind == "tcp":
        yield f"Both accept connections on port {probe.port}."
    elif original.running:
        yield "Both start and keep running; neither listens on a port that could be asked."
    else:
        yield f"Both end with exit code {original.exit_code}" + (
            " and the same first lines of output." if original.stdout else ", without output."
        )
    if not candidate.is_root:
        yield f"The candidate runs as {candidate.user}, not as root."
    if original.stderr and not original.running and _steady(original.stderr) != _steady(candidate.stderr):
        yield "What they write to their error output differs; that alone is not held against the candidate."


def _steady(lines: Sequence[str]) -> list[str]:
    return [steady(line) for line in lines]


def _ended(behaviour: Behaviour, probe: Probe) -> str:
    if behaviour.refusal:
        return "does not start"
    if behaviour.out_of_memory:
        return "ran out of memory"
    if behaviour.exit_code is not None:
        code = behaviour.exit_code
        return (
            f"is ended by signal {code - _ENDED_BY_SIGNAL}"
            if code > _ENDED_BY_SIGNAL
            else f"ends with exit code {code}"
        )
    if behaviour.answer is not None:
        return f"answers {probe.path} with status {behaviour.answer.status}"
    if probe.kind in ("http", "tcp"):
        return f"does not answer on port {probe.port}"
    return "runs on"


def _quoted(line: str) -> str:
    return f"“{_cut(line)}”" if line else "missing"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
