"""Debian's packages, installed only as root on Debian itself. Syntax of Python 3.8, see bootstrap.py."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .steps import run

POLICY = Path("/usr/sbin/policy-rc.d")
REFUSE = (
    "#!/bin/sh\n# Written by Plimsoll's set-up while it installs packages: starts none of their services.\nexit 101\n"
)


def may_install() -> bool:
    """Whether this is Debian (no derivative: their package names differ) and we are root."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return False
    return "ID=debian" in lines and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str]) -> None:
    """apt-get, without questions and without starting the services that come along. Raises SetupError."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_services():
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            run(["apt-get", *command], "See that apt reaches its archive.", env)


@contextmanager
def _no_services() -> Iterator[None]:
    """https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt"""
    if POLICY.exists():  # The machine has a policy of its own: it holds.
        yield
        return
    POLICY.write_text(REFUSE)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
