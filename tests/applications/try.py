"""Try applications by hand: ``.venv/bin/python -m tests.applications.try [NAME…]``, all without a name.

Builds each as its team does, and builds, runs and weighs every suggestion for it; a line a rung. Bases, originals and
their registry are kept in --state between calls, so that another try takes seconds, and the Dockerfiles of the
suggestions are left there; --clean removes it all.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

from fleet.image.sizes import Sizes
from tests.applications.application import Application, applications, load
from tests.applications.bases import Shelf
from tests.applications.proof import Proof, Rung, build_original, prove
from tests.applications.workshop import DoesNotWork, Workshop, closing_engine
from tests.servers import DebianRegistry, listens, wait_until


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--engine", help="its address, else DOCKER_HOST")
    parser.add_argument("--state", type=Path, default=Path("var/applications"))
    parser.add_argument("--port", type=int, default=5799, help="where the registry of --state listens")
    parser.add_argument("--keep", action="store_true", help="keep the images of the suggestions")
    parser.add_argument("--only", default="", help="a regular expression of the rungs to build: 'repack|scratch'")
    parser.add_argument("--originals", action="store_true", help="build and run what the teams have, and no more")
    parser.add_argument("--clean", action="store_true", help="remove all images, stop the registry, and end")
    options = parser.parse_args()
    state = options.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    with closing_engine(options.engine) as engine:
        workshop = Workshop(engine, _registry(state, options.port), state)
        if options.clean:
            return _clean(workshop)
        shelf = Shelf(workshop)
        chosen = [load(name) for name in options.names] or list(applications())
        faulty = 0
        for application in chosen:
            print(f"\n== {application.name}: {application.title}", flush=True)
            began = time.monotonic()
            try:
                if options.originals:
                    _print_original(workshop, shelf, application)
                    continue
                proof = prove(workshop, shelf, application, keep=options.keep, only=options.only)
            except DoesNotWork as error:
                print(f"   the original does not work: {error}")
                faulty += 1
                continue
            except Exception:
                traceback.print_exc()
                faulty += 1
                continue
            _print(proof)
            _write(proof, state / "dockerfiles")
            faulty += any(proof.faults())
            print(f"   {time.monotonic() - began:.1f} s", flush=True)
    return 1 if faulty else 0


def _print_original(workshop: Workshop, shelf: Shelf, application: Application) -> None:
    began = time.monotonic()
    reference = build_original(workshop, shelf, application)
    built = time.monotonic() - began
    behaviour = workshop.behaviour(application, reference)
    print(f"   original            {_sizes(workshop.weigh(reference))}, as uid {behaviour.uid}")
    for code, said in behaviour.answers:
        print(f"   {code} {said[:200]!r}")
    print(f"   built in {built:.1f} s, tried in {time.monotonic() - began - built:.1f} s", flush=True)


def _print(proof: Proof) -> None:
    print(f"   original            {_sizes(proof.original)}")
    for rung in proof.rungs:
        print(f"   {rung.name:19} {_told(rung)}")
    for fault in proof.faults():
        print(f"   FAULT {fault if len(fault) < 900 else f'{fault[:100]} … {fault[-800:]}'}")


def _write(proof: Proof, directory: Path) -> None:
    """The Dockerfiles, to be looked at and built by hand."""
    directory.mkdir(exist_ok=True)
    for rung in proof.rungs:
        path = directory / f"{proof.application.name}.{rung.mode}-{rung.tier}"
        path.unlink(missing_ok=True)
        if rung.dockerfile:
            path.write_text(rung.dockerfile)


def _told(rung: Rung) -> str:
    if rung.obstacle:
        return f"not offered: {rung.obstacle}"
    errors = rung.errors_percent
    if errors is None or rung.estimated is None or rung.built is None:
        return "is not built"
    off = f"({errors[0]:+.1f} %, {errors[1]:+.1f} %)"
    sizes = f"{_sizes(rung.built)}, estimated {_sizes(rung.estimated)} {off}"
    times = " ".join(f"{seconds:.0f}" for seconds in rung.seconds)
    return f"{sizes}: {'FAILS' if rung.failure else 'works'} ({times} s)"


def _sizes(sizes: Sizes) -> str:
    return f"{sizes.unpacked_bytes / 1e6:.1f}/{sizes.compressed_bytes / 1e6:.1f} MB"


def _registry(state: Path, port: int) -> DebianRegistry:
    """The one that serves ``state``, started where it does not run; it outlives us."""
    registry = DebianRegistry(f"127.0.0.1:{port}", state / "registry.log")
    if not listens(port):
        config = state / "registry.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {state / 'storage'}}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'}}\n"
        )
        with registry.log.open("ab") as log:
            process = subprocess.Popen(
                ["docker-registry", "serve", str(config)], stdout=log, stderr=log, start_new_session=True
            )
        (state / "registry.pid").write_text(str(process.pid))
        wait_until(lambda: listens(port), "docker-registry")
    return registry


def _clean(workshop: Workshop) -> int:
    workshop.forget_all()
    pid = workshop.directory / "registry.pid"
    if pid.exists():
        os.kill(int(pid.read_text()), signal.SIGTERM)
    shutil.rmtree(workshop.directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
