"""The seed on a real engine: what the article's files do, what we say of them, and what we suggest in their stead.

The same functions as scripts/seed, less the cleaned rungs, whose images are as large as the original.
"""

from __future__ import annotations

import docker
import pytest

from tests.seed import document
from tests.seed.article import BROKEN, published
from tests.seed.bench import Bench
from tests.seed.document import DOCUMENT, UnusableDocument, differences, measured_part, rows
from tests.seed.proof import COMPRESSED_PERCENT, PROMISED, UNPACKED_PERCENT, Broken, Proof, Rung, last_words, prove

on_engine = [pytest.mark.engine, pytest.mark.registry]
RUNGS = [(mode, tier) for mode in ("repack", "rebuild") for tier in PROMISED]


@pytest.fixture(scope="module")
def proof(bench: Bench) -> Proof:
    return prove(bench, PROMISED, print)


@pytest.fixture
def broken(proof: Proof) -> dict[str, Broken]:
    return {each.name: each for each in proof.broken}


@pytest.fixture(params=RUNGS, ids=" ".join)
def rung(request: pytest.FixtureRequest, proof: Proof) -> Rung:
    return next(each for each in proof.rungs if (each.mode, each.tier) == request.param)


class TestOnTheEngine:
    pytestmark = on_engine

    def test_the_traditional_image_is_read_as_heavy_as_it_is(self, proof: Proof) -> None:
        original = proof.original
        assert original.read == original.sizes
        assert original.runtime.startswith("python 3.")
        assert original.answer.status == 200
        assert original.answer.uids == (0,)
        assert original.reclaimable.unpacked_bytes > 0.2 * original.sizes.unpacked_bytes

    def test_the_two_stage_file_ends_as_the_check_says(self, broken: dict[str, Broken]) -> None:
        found = broken["two-stage"]
        assert found.said == "ModuleNotFoundError: No module named 'django'"
        assert found.kinds == {"dependencies not copied"}
        (sentence,) = found.sentences
        assert "the dependencies are not copied to the final stage, which takes /app/backend alone" in sentence

    def test_the_scratch_file_ends_as_the_check_says(self, broken: dict[str, Broken]) -> None:
        found = broken["scratch"]
        assert 'exec: "/bin/sh"' in found.said
        assert "no such file or directory" in found.said
        said = " ".join(found.sentences)
        assert "CMD starts python, scratch is empty and nothing that is copied brings an interpreter" in said
        assert "CMD is in shell form, which /bin/sh runs, and scratch is empty" in said
        assert "the dependencies are not copied to the final stage" in said

    def test_a_rung_builds_and_answers_as_somebody_else_than_root(self, rung: Rung) -> None:
        assert not rung.obstacle
        assert not rung.failure, f"{rung.failure}\n{rung.dockerfile}"
        assert rung.answer is not None
        assert rung.answer.status == 200, rung.answer.body
        assert rung.answer.uids
        assert 0 not in rung.answer.uids

    def test_a_rung_weighs_what_was_estimated(self, rung: Rung) -> None:
        assert rung.percents_off is not None, rung.failure
        unpacked, compressed = rung.percents_off
        assert abs(unpacked) <= UNPACKED_PERCENT
        assert abs(compressed) <= COMPRESSED_PERCENT

    def test_everything_holds_that_the_command_looks_at(self, proof: Proof) -> None:
        assert list(proof.faults()) == []

    def test_the_document_says_what_was_measured(self, proof: Proof) -> None:
        measured, documented = document.render(proof), measured_part(DOCUMENT.read_text())
        assert document.of_ours(rows(measured)).keys() <= rows(documented).keys()
        if document.is_comparable(documented, measured):
            assert list(differences(documented, measured)) == []

    def test_nothing_of_it_stays(self, bench: Bench, proof: Proof) -> None:
        assert proof.rungs
        assert [name for name in _names(bench.workshop.engine) if name.startswith(bench.name(""))] == []


def _names(engine: docker.DockerClient) -> set[str]:
    """Of all images and all containers' images."""
    images = {tag for image in engine.api.images() for tag in image["RepoTags"] or ()}
    return images | {container["Image"] for container in engine.api.containers(all=True)}


TABLE = "| repack | slim | python:3.11 | 200.0 / 70.0 | +0.5 % / -1.0 % | 200 | 65532 |"


def test_figures_may_differ_a_little_and_nothing_else_at_all() -> None:
    near = TABLE.replace("200.0", "205.9").replace("+0.5", "-0.9")
    assert list(differences(TABLE, near)) == []
    for other in (
        TABLE.replace("200.0", "206.1"),
        TABLE.replace("+0.5", "+3.6"),
        TABLE.replace("| 200 |", "| 500 |"),
        TABLE.replace("65532", "0"),
        TABLE.replace("python:", "debian:"),
        TABLE.replace("repack", "rebuild"),
    ):
        (sentence,) = differences(TABLE, other)
        assert "seed.md" in sentence


def test_only_what_stands_between_the_markers_is_written() -> None:
    text = DOCUMENT.read_text()
    rewritten = document.with_measured(text, f"bases\n{TABLE}")
    assert rewritten.startswith(text.partition(document.BEGIN)[0])
    assert rows(measured_part(rewritten)) == rows(TABLE)
    assert document.with_measured(rewritten, measured_part(text).strip() + "\n") == document.with_measured(
        text, measured_part(text).strip() + "\n"
    )
    with pytest.raises(UnusableDocument, match="Put them back"):
        measured_part(text.replace(document.END, ""))


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (
            'It cannot be started: exec: "sh": stat /bin/sh: no such file: unknown',
            'exec: "sh": stat /bin/sh: no such file',
        ),
        ("It ended: Traceback\n  File\nKeyError: 'django'\n", "KeyError: 'django'"),
        ("It ended: \nkilled\n", "killed"),
        ("", ""),
    ],
)
def test_last_words_are_the_line_that_tells_why(log: str, words: str) -> None:
    assert last_words(log) == words


@pytest.mark.parametrize("name", BROKEN)
def test_the_articles_files_are_as_published(name: str) -> None:
    assert published(name).count("FROM") == 2
    assert "CMD python /app/backend/manage.py runserver 0.0.0.0:8000" in published(name)
