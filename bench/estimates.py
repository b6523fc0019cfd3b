"""How far estimates are off what an engine builds: ``python bench/estimates.py [NAME…]``.

The applications are those of tests/applications, built as their teams do. Each suggestion for each is built, run,
pushed and weighed. The engine is the one that DOCKER_HOST names, else one of our own; Debian's docker-registry and
debootstrap are needed, and the registries of packages.

Prints a JSON line for each suggestion that was built, with its estimated and its built sizes in bytes and how many
percent the estimate is off (too low is negative), and a last line with the worst of both and how many there were. Exits
with 1 when one is off by more than 5 % unpacked or 10 % compressed, or does not work, unless --report-only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.lib.processes import Processes  # noqa: E402
from scripts.lib.servers import Servers, clear_mounts  # noqa: E402
from tests.applications.application import Application, applications, load  # noqa: E402
from tests.applications.bases import Shelf  # noqa: E402
from tests.applications.proof import COMPRESSED_PERCENT, UNPACKED_PERCENT, Proof, Rung, prove  # noqa: E402
from tests.applications.workshop import DoesNotWork, Workshop, closing_engine  # noqa: E402
from tests.servers import debian_registry  # noqa: E402

AT_A_TIME = 2
Figures = dict[str, str | int | float]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="applications, else all")
    parser.add_argument("--report-only", action="store_true")
    options = parser.parse_args()
    chosen = [load(name) for name in options.names] or list(applications())
    lines, failures = [], 0
    with _workshop() as workshop, ThreadPoolExecutor(AT_A_TIME) as pool:
        shelf = Shelf(workshop)
        for proof in pool.map(lambda application: _proven(workshop, shelf, application), chosen):
            if proof is None:
                failures += 1
                continue
            failures += sum(1 for rung in proof.rungs if rung.failure)
            for line in _lines(proof):
                lines.append(line)
                print(json.dumps(line), flush=True)
    worst = _worst(lines) | {"applications": len(chosen), "suggestions": len(lines), "failures": failures}
    print(json.dumps(worst))
    missed = (
        failures
        or worst["worst_unpacked_percent"] > UNPACKED_PERCENT
        or worst["worst_compressed_percent"] > COMPRESSED_PERCENT
    )
    return 1 if missed and not options.report_only else 0


def _proven(workshop: Workshop, shelf: Shelf, application: Application) -> Proof | None:
    """None where the original does not work, which is told."""
    try:
        return prove(workshop, shelf, application)
    except DoesNotWork as error:
        print(f"{application.name}: {error}", file=sys.stderr)
        return None


def _lines(proof: Proof) -> Iterator[Figures]:
    for rung in proof.rungs:
        if rung.failure:
            print(f"{proof.application.name}, {rung.name}: {rung.failure}", file=sys.stderr)
        if rung.errors_percent is not None:
            yield {"app": proof.application.name, "mode": rung.mode, "tier": rung.tier, **_figures(rung)}


def _figures(rung: Rung) -> Figures:
    assert rung.estimated is not None
    assert rung.built is not None
    assert rung.errors_percent is not None
    unpacked_percent, compressed_percent = rung.errors_percent
    return {
        "estimated_unpacked_bytes": rung.estimated.unpacked_bytes,
        "built_unpacked_bytes": rung.built.unpacked_bytes,
        "estimated_compressed_bytes": rung.estimated.compressed_bytes,
        "built_compressed_bytes": rung.built.compressed_bytes,
        "error_unpacked_percent": round(unpacked_percent, 2),
        "error_compressed_percent": round(compressed_percent, 2),
    }


def _worst(lines: list[Figures]) -> dict[str, float]:
    kinds = ("unpacked", "compressed")
    return {f"worst_{kind}_percent": max((abs(float(line[f"error_{kind}_percent"])) for line in lines), default=0.0)
            for kind in kinds}  # fmt: skip


@contextlib.contextmanager
def _workshop() -> Iterator[Workshop]:
    """An engine and a registry for the length of a block, with none of our images left in the engine."""
    with tempfile.TemporaryDirectory(prefix="plimsoll-bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        try:
            with contextlib.ExitStack() as stack:
                address = os.environ.get("DOCKER_HOST") or _own_engine(stack, directory)
                engine = stack.enter_context(closing_engine(address))
                registry = stack.enter_context(debian_registry(directory))
                workshop = Workshop(engine, registry, directory)
                try:
                    yield workshop
                finally:
                    workshop.forget_all()
        finally:
            clear_mounts(directory)


def _own_engine(stack: contextlib.ExitStack, directory: Path) -> str | None:
    """Its address; None where the machine's own serves."""
    servers = Servers(directory, stack.enter_context(Processes(directory / "log", grace_seconds=30)))
    servers.start_engine()
    if servers.missing:
        raise SystemExit(" ".join(servers.missing))
    return servers.env.get("DOCKER_HOST")


if __name__ == "__main__":
    sys.exit(main())
