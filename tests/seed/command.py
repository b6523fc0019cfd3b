"""What scripts/seed does once .venv is there."""

from __future__ import annotations

import sys

from scripts.lib.steps import SetupError
from tests.applications.workshop import DoesNotWork
from tests.seed import document, setting
from tests.seed.document import DOCUMENT, UnusableDocument
from tests.seed.proof import Proof, prove


def run(*, check: bool) -> int:
    """Returns 0 when the seed is proven and, to be checked, documented so. Raises SetupError."""
    try:
        text = DOCUMENT.read_text()
        documented = document.measured_part(text)
    except (OSError, UnusableDocument) as error:
        raise SetupError(str(error)) from error
    try:
        with setting.bench() as bench:
            proof = prove(bench, say=lambda sentence: print(f"  {sentence}", file=sys.stderr, flush=True))
    except DoesNotWork as error:
        raise SetupError(
            f"The article's traditional image does not work, so nothing can be compared: {error}"
        ) from error
    measured = document.render(proof)
    print(measured)
    wrong = list(proof.faults())
    if check:
        wrong += _undocumented(documented, measured)
    else:
        DOCUMENT.write_text(document.with_measured(text, measured))
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    print(_last_line(proof, wrong, check))
    return 1 if wrong else 0


def _undocumented(documented: str, measured: str) -> list[str]:
    if not document.is_comparable(documented, measured):
        print(f"{DOCUMENT.name} was measured on other bases or another Python: its figures are not compared.")
        return []
    return list(document.differences(documented, measured))


def _last_line(proof: Proof, wrong: list[str], check: bool) -> str:
    tried = sum(rung.answer is not None for rung in proof.rungs)
    done = "docs/seed.md was compared" if check else "docs/seed.md is written"
    return f"{tried} of {len(proof.rungs)} rungs built and answered, {len(wrong)} things wrong; {done}."
