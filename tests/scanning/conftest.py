"""One registry over HTTP with one service, and its row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fleet.models import Registry
from tests.fakes.pushable import PushableRegistry, day, image
from tests.scanning.runs import NEWEST


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"team/app": {"1.0": image(day(0)), "1.1": NEWEST}}) as registry:
        yield registry


@pytest.fixture
def registry(db: None, server: PushableRegistry) -> Registry:
    return Registry.objects.create(name="Hub", url=server.url)
