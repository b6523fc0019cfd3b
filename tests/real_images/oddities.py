"""What tar can say and hardly a builder does: long names, names that are not UTF-8, large numbers, in tar's own format.

No sparse file is among them: engines import one and then cannot give its layer back."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.debian import run

LONG = "n" * 200


def added_to(tarball: Path, workdir: Path) -> Path:
    """A copy of a tarball with a directory ``odd`` more, in POSIX's format."""
    odd = workdir / "tree" / "odd"
    odd.mkdir(parents=True)
    _write_files(odd)
    archive, both = workdir / "odd.tar", workdir / "both.tar"
    run("tar", "--format=posix", "--numeric-owner", "-C", str(workdir / "tree"), "-cf", str(archive), "./odd")
    shutil.copy(tarball, both)
    run("tar", "-Af", str(both), str(archive))
    return both


def _write_files(odd: Path) -> None:
    deep = odd / LONG / LONG
    deep.mkdir(parents=True)
    for path in (deep / LONG, odd / "café ☃", odd / "caf\udce9", odd / "tab\tin it", odd / "line\nin it"):
        path.write_bytes(os.fsencode(path.name) * 9)
    (odd / "link").symlink_to(f"{LONG}/{LONG}/{LONG}")
    (odd / "setuid").write_bytes(b"#!/bin/sh\n" * 200)
    (odd / "setuid").chmod(0o6755)
    os.link(odd / "setuid", odd / "hard")
    (odd / "another's").touch()
    os.chown(odd / "another's", 4_000_000, 3_000_000)
