"""Programs of other makers, built from their sources with Go: registries, which the tests' matrix runs with on demand,
and what bench/peers.py asks for. Runs in .venv.

Go fetches the modules from its proxy and checks them against its checksum database. It keeps them, and what it
compiled, in its own caches.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .steps import ROOT, SetupError, run, step

DIRECTORY = ROOT / "var" / "peers"
Programs = Mapping[str, tuple[str, str]]
# Program → its package and the pinned version of its module.
REGISTRIES: Programs = {
    "registry": ("github.com/distribution/distribution/v3/cmd/registry", "v3.1.2"),
    "zot": ("zotregistry.dev/zot/v2/cmd/zot", "v2.1.20"),
}
NAMES = {"registry": "distribution v3"}


def build(directory: Path = DIRECTORY, programs: Programs = REGISTRIES, asked_by: str = "--peers") -> list[str]:
    """Build what is missing or of another version. Gives a sentence for each that could not be built; raises
    SetupError where there is no Go to build with."""
    wanted = [program for program in programs if not _is_there(directory / program, *programs[program])]
    if wanted and shutil.which("go") is None:
        names = " and ".join(map(_name, wanted))
        raise SetupError(f"{asked_by} builds {names} with Go, and no go is on PATH. Install Go 1.26 or newer.")
    directory.mkdir(parents=True, exist_ok=True)
    missing = []
    for program in wanted:
        try:
            _build(directory, program, *programs[program])
        except SetupError as error:
            missing.append(f"{_name(program)} could not be built: {error}")
    return missing


def _name(program: str) -> str:
    return NAMES.get(program, program)


def _build(directory: Path, program: str, package: str, version: str) -> None:
    (directory / program).unlink(missing_ok=True)
    env = {**os.environ, "GOBIN": str(directory), "CGO_ENABLED": "0"}
    with step(f"{_name(program)} {version}"):
        advice = "See that Go is new enough and reaches its module proxy."
        run(["go", "install", f"{package}@{version}"], advice, env)


def _is_there(binary: Path, package: str, version: str) -> bool:
    """Go writes into a binary which version of which module it was made of."""
    if not binary.exists():
        return False
    if shutil.which("go") is None:
        return True  # whatever its version: there is nothing to ask and nothing to build it with
    told = subprocess.run(["go", "version", "-m", str(binary)], capture_output=True, text=True, check=False).stdout
    module = package.partition("/cmd/")[0]
    return any(line.split()[:3] == ["mod", module, version] for line in told.splitlines())
