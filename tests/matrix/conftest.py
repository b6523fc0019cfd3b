"""The matrix's registries, started when first asked for, and those of scripts/test --peers only where it built them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.matrix.registries import PEERS, Matrix


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --peers its tests are none of this run; they are not skipped either."""
    others = [] if PEERS else [item for item in items if item.get_closest_marker("peers")]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    registries = Matrix(tmp_path_factory.mktemp)
    try:
        yield registries
    finally:
        registries.close()
