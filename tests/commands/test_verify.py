"""``manage.py verify`` on a real engine: what it prints, and the exit status that scripts rely on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from fleet.management.verifying import Rung, status_of
from fleet.verification.comparing import Verdict
from fleet.verification.verify import Outcome
from tests.commands.conftest import Outcome as Run
from tests.fakes.pushable import PushableRegistry
from tests.servers import REPOSITORY_ROOT, wait_until
from tests.verification.parts import left_behind

Runner = Callable[..., Run]


@pytest.fixture
def arguments(registry: PushableRegistry) -> tuple[str, ...]:
    mirror = f"docker.io/library={registry.address}/library"
    return ("verify", f"{registry.address}/team/fat:1.0", "--mirror", mirror, "--tier", "slim")


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.mark.engine
def test_what_cannot_run_is_not_proven_and_says_why(arguments: tuple[str, ...], run: Runner) -> None:
    """The registry of these tests serves images that no processor runs: they are pulled, built, and end there."""
    outcome = run(*arguments, "--json")
    told = json.loads(outcome.out)
    assert (outcome.status, told["status"]) == (2, 2), told
    (rung,) = told["rungs"]
    assert (rung["mode"], rung["tier"], rung["verdict"]) == ("repack", "slim", "inconclusive")
    assert rung["cause"].startswith("original-"), rung
    assert rung["estimated"]["compressed_bytes"] > 0
    assert rung["measured"]["compressed_bytes"] > 0
    assert rung["dockerfile"].count("FROM ") == 2


@pytest.mark.engine
def test_a_person_gets_a_table_and_sentences(arguments: tuple[str, ...], run: Runner) -> None:
    outcome = run(*arguments)
    assert outcome.status == 2
    assert "repack to slim" in outcome.out
    assert "inconclusive" in outcome.out
    assert "The original itself" in outcome.out
    assert "Building" in outcome.err


def test_an_engine_that_is_away_is_status_2(arguments: tuple[str, ...], run: Runner) -> None:
    outcome = run(*arguments, "--engine", "unix:///nowhere/docker.sock")
    assert outcome.status == 2
    assert "docker.sock cannot be reached" in " ".join(outcome.out.split())


def test_nothing_to_verify_is_status_2_with_the_reason(registry: PushableRegistry, run: Runner) -> None:
    outcome = run("verify", f"{registry.address}/team/app:1.0")
    assert outcome.status == 2
    assert "not offered" in outcome.out


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        (("verified",), 0),
        (("verified", ""), 0),
        (("verified", "failed", "inconclusive"), 1),
        (("verified", "inconclusive"), 2),
        (("",), 2),
    ],
)
def test_each_verdict_has_its_status(verdicts: tuple[Verdict | str, ...], status: int) -> None:
    """Rungs that are not offered are left out of account, unless there is no other."""
    outcomes = (Outcome(verdict, ("So it is.",)) if verdict else None for verdict in verdicts)  # type: ignore[arg-type]
    assert status_of([Rung("repack", "slim", outcome=outcome) for outcome in outcomes]) == status


def test_a_rebuild_without_a_context_is_not_proven(arguments: tuple[str, ...], run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text('FROM python:3.11\nCOPY . /app\nCMD ["python3.11", "main.py"]\n')
    outcome = run(*arguments, "--dockerfile", str(path))
    assert outcome.status == 2
    assert "--context" in outcome.out


@pytest.mark.parametrize(
    ("extra", "part"),
    [
        (("--mirror", "nonsense"), "nonsense"),
        (("--http", "health"), "HTTP path"),
        (("--port", "70000"), "70000"),
        (("--command", "'"), "quotes"),
        (("--env", "A"), "NAME=value"),
        (("--http", "/", "--command", "x"), "one thing"),
        (("--context", "/does/not/exist"), "/does/not/exist"),
        (("--context", "https://ada:enter@example.com/x.git"), "no password"),
        (("--memory", "1"), "--memory"),
    ],
)
def test_arguments_are_refused_before_anything_is_downloaded(
    extra: tuple[str, ...], part: str, registry: PushableRegistry, run: Runner
) -> None:
    registry.forget_requests()
    outcome = run("verify", f"{registry.address}/team/app:1.0", *extra)
    assert (outcome.status, outcome.out) == (2, "")
    assert part in outcome.err
    assert not registry.requests


@pytest.mark.engine
def test_ctrl_c_is_status_130_and_leaves_nothing(
    arguments: tuple[str, ...], engine: docker.DockerClient, tmp_path: Path
) -> None:
    before = left_behind(engine)
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, str(REPOSITORY_ROOT / "manage.py"), *arguments], stdout=said, stderr=said
        )
        try:
            wait_until(lambda: b": Building" in (tmp_path / "said").read_bytes(), "the build", every=0.02)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130, (tmp_path / "said").read_text()
        finally:
            process.kill()
            process.wait()
    assert [each for each in left_behind(engine) if each not in before] == []
