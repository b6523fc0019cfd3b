"""The engine that the tests of this directory verify on, and a watch over what stays on it."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from fleet.verification.cleanup import Mark
from tests.verification.parts import SERVE, Images, command, engine_client, left_behind


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    yield from engine_client()


@pytest.fixture(scope="module")
def images(engine: docker.DockerClient) -> Iterator[Images]:
    made = Images(engine)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def server(images: Images) -> str:
    """An image that serves a page over HTTP and carries five megabytes of waste."""
    files = {"www/index.html": b"<h1>Shop</h1>\n", "waste": bytes(range(256)) * 20_000}
    return images.add("server", files, command(SERVE), "EXPOSE 8080")


@pytest.fixture
def clean(engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test does, nothing of it stays on the engine. Others may be busy there: what is marked here counts."""
    marks: list[Mark] = []
    fresh = Mark.fresh

    def noted(seconds: float) -> Mark:
        marks.append(fresh(seconds))
        return marks[-1]

    monkeypatch.setattr(Mark, "fresh", noted)
    yield
    assert not marks or left_behind(engine, *(mark.key for mark in marks)) == []
