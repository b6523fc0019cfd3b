"""``manage.py compare``: two images from a registry that answers over HTTP, without a database."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.commands.conftest import HOSTILE, Outcome
from tests.fakes.pushable import PushableRegistry

Run = Callable[..., Outcome]


@pytest.fixture
def pair(registry: PushableRegistry) -> tuple[str, str]:
    return f"{registry.address}/library/python:3.11-slim-bookworm", f"{registry.address}/team/fat:1.0"


def test_json_has_the_keys_that_programs_rely_on(pair: tuple[str, str], run: Run) -> None:
    outcome = run("compare", *pair, "--json")
    told = json.loads(outcome.out)
    assert (outcome.status, outcome.err) == (0, "")
    assert set(told) == {"before", "after", "delta", "causes", "packages", "layers", "moved_files"}
    assert set(told["before"]) == {
        "reference", "digest", "platform", "unpacked_bytes", "compressed_bytes", "compressed_estimated",
    }  # fmt: skip
    assert (told["before"]["reference"], told["after"]["reference"]) == pair
    assert set(told["causes"][0]) == {"kind", "change", "label", "detail", "unpacked_bytes", "compressed_bytes"}
    assert (told["causes"][0]["change"], told["causes"][0]["label"]) == ("added", "/usr/lib/gcc/cc1")
    assert sorted(layer["shared"] for layer in told["layers"]) == [False, False, True, True]


def test_the_causes_add_up_to_the_difference_of_what_the_images_weigh(pair: tuple[str, str], run: Run) -> None:
    told = json.loads(run("compare", *pair, "--json").out)
    for kind in ("unpacked_bytes", "compressed_bytes"):
        assert told["delta"][kind] == told["after"][kind] - told["before"][kind]
        assert sum(cause[kind] for cause in told["causes"]) == told["delta"][kind]


def test_layers_of_both_are_read_once(registry: PushableRegistry, pair: tuple[str, str], run: Run) -> None:
    before = len(registry.requests)
    assert run("compare", *pair).status == 0
    paths = [line.path for line in registry.requests[before:] if line.method == "GET" and "/blobs/" in line.path]
    digests = [path.rpartition("/")[2] for path in paths]
    assert len(digests) == len(set(digests)) == 6  # four layers and two configs


def test_people_get_the_causes_and_the_difference(pair: tuple[str, str], run: Run) -> None:
    outcome = run("compare", *pair)
    assert outcome.status == 0
    for text in ("2 of 4 layers are in both images.", "/usr/lib/gcc/cc1", "+400.0 kB", "Difference: +"):
        assert text in outcome.out


def test_nothing_in_an_image_drives_the_terminal_or_leaks(registry: PushableRegistry, run: Run) -> None:
    references = f"{registry.address}/team/app:1.0", f"{registry.address}/team/hostile:1.0"
    for extra in ((), ("--json",)):
        outcome = run("compare", *references, *extra)
        assert outcome.status == 0
        assert not set(HOSTILE) & set("\x1b\x07") & set(outcome.out + outcome.err)
        assert "hunter2" not in outcome.out


def test_an_image_that_cannot_be_read_is_said_in_a_sentence(registry: PushableRegistry, run: Run) -> None:
    good, bad = f"{registry.address}/team/app:1.0", f"{registry.address}/team/nobody:1.0"
    for pair in ((good, bad), (bad, good)):
        outcome = run("compare", *pair)
        assert (outcome.status, outcome.out) == (2, "")
        assert "nobody" in outcome.err
