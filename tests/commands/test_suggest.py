import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import Outcome
from tests.fakes.pushable import PushableRegistry

Run = Callable[..., Outcome]


@pytest.fixture
def arguments(registry: PushableRegistry) -> tuple[str, ...]:
    mirror = f"docker.io/library={registry.address}/library"
    return ("suggest", f"{registry.address}/team/fat:1.0", "--mirror", mirror)


def test_json_has_the_keys_that_programs_rely_on(arguments: tuple[str, ...], run: Run) -> None:
    outcome = run(*arguments, "--json")
    told = json.loads(outcome.out)
    assert (outcome.status, outcome.err) == (0, "")
    assert (told["mode"], told["tier"]) == ("repack", "slim")
    assert told["dockerfile"].count("FROM ") == 2
    assert told["base"]["reference"].endswith("/library/python:3.11-slim-bookworm")
    assert told["base"]["digest"].startswith("sha256:")
    assert told["base"]["source"] == "registry"
    for kind in ("unpacked_bytes", "compressed_bytes"):
        assert told["savings"][kind] == told["before"][kind] - told["after"][kind] > 300_000
        assert told["base"][kind] > 0
    assert told["gates"]
    assert all(set(gate) == {"name", "passed", "detail"} for gate in told["gates"])
    assert isinstance(told["notes"], list)


def test_standard_output_is_the_dockerfile_alone(arguments: tuple[str, ...], run: Run) -> None:
    outcome = run(*arguments)
    assert outcome.status == 0
    assert outcome.out.rstrip() == json.loads(run(*arguments, "--json").out)["dockerfile"].rstrip()
    for text in ("before", "saves", "python:3.11-slim-bookworm"):
        assert text in outcome.err


def test_a_dockerfile_makes_it_a_rebuild(arguments: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(
        'FROM python:3.11\nRUN apt-get update && apt-get install -y gcc\nCOPY . /app\nCMD ["python3.11", "main.py"]\n'
    )
    told = json.loads(run(*arguments, "--json", "--dockerfile", str(path)).out)
    assert told["mode"] == "rebuild"
    assert "AS " in told["dockerfile"]


@pytest.mark.parametrize("extra", [("--tier", "scratch"), ("--tier", "distroless")])
def test_nothing_to_suggest_is_status_1_with_the_reason(
    extra: tuple[str, ...], registry: PushableRegistry, run: Run
) -> None:
    reference = f"{registry.address}/team/app:1.0"
    outcome = run("suggest", reference, *extra)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.count("\n") == 1
    told = run("suggest", reference, "--json", *extra)
    assert told.status == 1
    assert json.loads(told.out) == {"reason": told.err.strip()}


@pytest.mark.parametrize(
    ("extra", "part"),
    [
        (("--mirror", "nonsense"), "nonsense"),
        (("--dockerfile", "/does/not/exist"), "/does/not/exist"),
        (("--dockerfile", "/"), "/"),
        (("--dockerfile", "/bin/true"), "UTF-8"),
    ],
)
def test_arguments_are_refused_before_anything_is_downloaded(
    extra: tuple[str, ...], part: str, registry: PushableRegistry, run: Run
) -> None:
    registry.forget_requests()
    outcome = run("suggest", f"{registry.address}/team/app:1.0", *extra)
    assert (outcome.status, outcome.out) == (2, "")
    assert part in outcome.err
    assert outcome.err.count("\n") == 1
    assert not registry.requests


def test_a_dockerfile_that_is_none_is_refused_with_its_line(
    registry: PushableRegistry, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FROM python:3.11\nINSTALL everything\n")
    outcome = run("suggest", f"{registry.address}/team/app:1.0", "--dockerfile", str(path))
    assert outcome.status == 2
    assert "Line 2" in outcome.err


def test_an_image_that_cannot_be_read_is_status_2(registry: PushableRegistry, run: Run) -> None:
    outcome = run("suggest", f"{registry.address}/team/app:9.9", "--json")
    assert (outcome.status, outcome.out) == (2, "")
    assert "9.9" in outcome.err
