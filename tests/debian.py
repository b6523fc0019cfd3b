"""Debian made on this machine, since no image can be pulled: bootstrapped once a run, imported as often as wanted."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

# What python:3.x-slim has beside a minimal Debian.
PACKAGES = (
    "ca-certificates,netbase,tzdata,libssl3,libffi8,libsqlite3-0,libbz2-1.0,liblzma5,libreadline8,zlib1g,libexpat1,"
    "libncursesw6,libuuid1,libgdbm6,libdb5.3"
)
# Nobody needs an archive of what is installed.
DOWNLOADS = "--exclude=./var/cache/apt/archives/*.deb"


def debian_tarball(directory: Path) -> Path:
    """A tarball of this machine's Debian: its minbase and PACKAGES, with apt's lists. Whoever asks first in a
    directory waits for it; it is kept there for all others."""
    tarball = directory / "debian.tar"
    if not tarball.exists():
        with tempfile.TemporaryDirectory(dir=tarball.parent) as name:
            root, draft = Path(name, "root"), Path(name, "debian.tar")
            run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", _codename(), str(root))
            run("tar", "-C", str(root), "--numeric-owner", DOWNLOADS, "-cf", str(draft), ".")
            draft.rename(tarball)
    return tarball


def unpack(tarball: Path, root: Path) -> None:
    root.mkdir()
    run("tar", "-C", str(root), "--numeric-owner", "--same-permissions", "-xf", str(tarball))


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


def _codename() -> str:
    codename = re.search(r"VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text())
    assert codename, "the reference machine is Debian"
    return codename[1]
