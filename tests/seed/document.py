"""docs/seed.md: what was measured, between two markers, and how another measurement differs from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from fleet.image.sizes import Sizes
from scripts.lib.steps import ROOT
from tests.applications.bases import MINOR, SUITE
from tests.seed.article import CLAIMS, TRADITIONAL, path
from tests.seed.proof import Broken, Proof, Rung

DOCUMENT = ROOT / "docs" / "seed.md"
BEGIN = "<!-- Measured by scripts/seed, which writes everything from here … -->"
END = "<!-- … to here. -->"
# How far a figure may be off on another machine: percent of a size, points of a percentage.
TOLERANCE = 3.0
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_KILOBYTES = 100_000

Row = tuple[str, ...]


class UnusableDocument(Exception):
    """The document lacks its markers; the message says what to do."""


def measured_part(text: str) -> str:
    """What stands between the markers. Raises UnusableDocument."""
    return _parts(text)[1]


def with_measured(text: str, measured: str) -> str:
    """The document with another measurement in it. Raises UnusableDocument."""
    before, _, after = _parts(text)
    return f"{before}{BEGIN}\n\n{measured}\n{END}{after}"


def _parts(text: str) -> tuple[str, str, str]:
    before, begins, rest = text.partition(BEGIN)
    measured, ends, after = rest.partition(END)
    if not begins or not ends:
        raise UnusableDocument(f"{DOCUMENT.name} lacks the lines {BEGIN!r} and {END!r}. Put them back and try again.")
    return before, measured, after


def render(proof: Proof) -> str:
    return "\n".join((_bases(proof), *_files(proof), *_words(proof), *_analysis(proof), *_rungs(proof)))


def _bases(proof: Proof) -> str:
    if proof.official:
        return f"Bases: the published `python:{MINOR}` and its like, pulled from Docker Hub and gcr.io.\n"
    return (
        f"Bases: none could be pulled, so `python:{MINOR}` and its like were made by the command, of Debian {SUITE} "
        "and the machine's own Python. They have fewer packages than the published ones.\n"
    )


def _files(proof: Proof) -> Iterator[str]:
    yield "### The article's files, built and started\n"
    yield "| file | the article says | unpacked MB | compressed MB | what it does |\n| --- | --- | --- | --- | --- |"
    original = proof.original
    does = f"answers {original.answer.status} as uid {original.answer.shown_uids}"
    yield _row((TRADITIONAL, CLAIMS[TRADITIONAL], *_both(original.sizes), does))
    for each in proof.broken:
        does = f"answers {each.answer.status}" if each.answer else f"ends: `{_plain(each.said)}`"
        yield _row((each.name, CLAIMS[each.name], *_both(each.sizes), does))
    yield ""


def _words(proof: Proof) -> Iterator[str]:
    yield "### What our check says of their text\n"
    for each in proof.broken:
        yield from _check(each)
    yield ""


def _check(broken: Broken) -> Iterator[str]:
    yield f"`manage.py check_dockerfile {path(broken.name).relative_to(ROOT)}`\n"
    yield "```"
    yield from broken.sentences
    yield "```\n"


def _analysis(proof: Proof) -> Iterator[str]:
    original = proof.original
    yield "### What the analysis finds in the traditional image\n"
    yield f"Runtime: {original.runtime}. Notes: {'; '.join(original.notes) or 'none'}.\n"
    yield "| finding | unpacked MB | compressed MB |\n| --- | --- | --- |"
    for title, sizes in original.findings:
        yield _row((title, *_both(sizes)))
    yield _row(("all findings", *_both(original.reclaimable)))
    yield ""


def _rungs(proof: Proof) -> Iterator[str]:
    yield "### What is suggested instead, built and asked\n"
    heads = (
        "mode", "rung", "starts from", "estimated MB", "measured MB", "estimate off", "smaller by", "GET /", "uid"
    )  # fmt: skip
    yield _row(heads)
    yield _row(("---",) * len(heads))
    for rung in proof.rungs:
        yield _row(_cells(rung, proof.original.sizes))
    yield "\nSizes and percentages: unpacked / compressed."
    if any(rung.answer and rung.answer.user for rung in proof.rungs):
        yield (
            "*: it keeps root, as the original has it. It was started with `--user 65532:65532`, and its working "
            "directory, where the application keeps its database, was given to that user."
        )


def _cells(rung: Rung, original: Sizes) -> Row:
    if rung.obstacle:
        return (rung.mode, rung.tier, f"not offered: {_plain(rung.obstacle)}", *("",) * 6)
    if rung.failure or not (rung.measured and rung.estimated and rung.answer and rung.percents_off):
        return (rung.mode, rung.tier, rung.base, f"FAILS: {_plain(rung.failure[-200:])}", *("",) * 5)
    off = rung.percents_off
    saved = (
        100 * (1 - rung.measured.unpacked_bytes / original.unpacked_bytes),
        100 * (1 - rung.measured.compressed_bytes / original.compressed_bytes),
    )
    return (
        rung.mode,
        rung.tier,
        rung.base,
        " / ".join(_both(rung.estimated)),
        " / ".join(_both(rung.measured)),
        f"{_signed(off[0])} % / {_signed(off[1])} %",
        f"{saved[0]:.1f} % / {saved[1]:.1f} %",
        str(rung.answer.status),
        f"{rung.answer.shown_uids}{' *' if rung.answer.user else ''}",
    )


def _both(sizes: Sizes) -> tuple[str, str]:
    return _megabytes(sizes.unpacked_bytes), _megabytes(sizes.compressed_bytes)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f}" if count >= _KILOBYTES else f"{count / 1e6:.4f}"


def _signed(percent: float) -> str:
    return f"{round(percent, 1) + 0:+.1f}"


def _plain(text: str) -> str:
    """On one line, and nothing that would end a cell or its code."""
    return re.sub(r"\s+", " ", text).replace("|", "/").replace("`", "'").strip()


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def rows(measured: str) -> Mapping[Row, Row]:
    """Every row of every table by its leading cells without a number: the rest of it."""
    found = {}
    for line in measured.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            cells = tuple(cell.strip() for cell in line.strip("| ").split(" | "))
            length = next((place for place, cell in enumerate(cells) if re.search(r"\d", cell)), len(cells))
            found[cells[:length]] = cells[length:]
    return found


def of_ours(found: Mapping[Row, Row]) -> Mapping[Row, Row]:
    """Less what a base brings: one that is made here has the packages of the day."""
    return {key: cells for key, cells in found.items() if not key or not key[0].endswith("(in the base image)")}


def is_comparable(documented: str, measured: str) -> bool:
    """Whether both stand on bases of the same origin and Python; sizes differ otherwise."""
    return documented.strip().partition("\n")[0] == measured.strip().partition("\n")[0]


def differences(documented: str, measured: str) -> Iterator[str]:
    """What was measured now and is not documented so, in sentences."""
    known = rows(documented)
    for key, cells in of_ours(rows(measured)).items():
        name = " ".join(key)
        if key not in known:
            yield f"{name}: not in {DOCUMENT.name}"
        elif not _agree(" | ".join(known[key]), " | ".join(cells)):
            yield f"{name}: {DOCUMENT.name} says {' | '.join(known[key])}, measured now {' | '.join(cells)}"


def _agree(one: str, other: str) -> bool:
    """The same words, and figures that are near enough."""
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    return all(map(_near, _NUMBER.findall(one), _NUMBER.findall(other)))


def _near(one: str, other: str) -> bool:
    """Whole numbers are names and statuses; a sign stands before percentages."""
    if "." not in one:
        return one == other
    allowed = TOLERANCE if one[0] in "+-" else float(one) * TOLERANCE / 100
    return abs(float(one) - float(other)) <= allowed
