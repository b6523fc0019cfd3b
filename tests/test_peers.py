"""scripts/test --peers: what it builds, what it says where it cannot, and who runs without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib import peers
from scripts.lib.steps import ROOT, SetupError

# Builds what it is asked for unless that is zot, and tells versions as Go does: from what it wrote itself.
GO = f"""#!{sys.executable}
import os, pathlib, sys
if sys.argv[1] == "version":
    print("\\tmod\\t" + pathlib.Path(sys.argv[-1]).read_text())
    sys.exit()
package, version = sys.argv[-1].split("@")
print("asked for", package)
if package.endswith("/zot"):
    sys.exit("module lookup disabled")
module = package.partition("/cmd/")[0]
pathlib.Path(os.environ["GOBIN"], "registry").write_text(f"{{module}}\\t{{version}}\\th1:x=\\n")
with open(os.environ["GOBIN"] + "/log", "a") as log:
    log.write(version + "\\n")
"""


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Go of our own on PATH, and where it builds."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "go").write_text(GO)
    (programs / "go").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return tmp_path / "peers"


def test_without_go_the_run_ends_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"builds distribution v3 and zot with Go, and no go is on PATH\. Install Go"):
        peers.build(tmp_path / "peers")
    assert not (tmp_path / "peers").exists()


def test_what_cannot_be_built_is_named_and_the_others_are_there(go: Path) -> None:
    (sentence,) = peers.build(go)
    assert sentence.startswith("zot could not be built:")
    assert "module lookup disabled" in sentence
    assert (go / "registry").exists()


def test_a_pinned_version_is_built_once_and_again_when_the_pin_moves(go: Path) -> None:
    package, version = peers.REGISTRIES["registry"]
    peers.build(go)
    peers.build(go)
    assert (go / "log").read_text().split() == [version]
    assert peers.build(go, {"registry": (package, "v3.9.9")}) == []
    assert (go / "log").read_text().split() == [version, "v3.9.9"]


@pytest.mark.parametrize(("directory", "among"), [("", False), ("/nowhere", True)])
def test_without_peers_their_tests_are_no_part_of_a_run(directory: str, among: bool) -> None:
    """Nor are they skipped: that would fail with --require-all."""
    env = os.environ | {"PLIMSOLL_TEST_PEERS": directory, "PLIMSOLL_TEST_REQUIRE_ALL": "1", "PLIMSOLL_TEST_TOTALS": ""}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/matrix"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)
    assert done.returncode == 0, done.stdout
    assert ("test_every_registry_gives_the_same[zot]" in done.stdout) is among
    assert "test_every_way_in_leads_to_the_same[token]" in done.stdout
    assert ("deselected" in done.stdout) is not among


def test_help_shows_it() -> None:
    done = subprocess.run([ROOT / "scripts" / "test", "--help"], capture_output=True, text=True)
    assert "--peers" in done.stdout
