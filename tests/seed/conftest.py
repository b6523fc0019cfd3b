"""The bench of this directory's tests, with bases that are made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.applications.bases import missing_programs
from tests.applications.workshop import Workshop, closing_engine
from tests.seed.article import check_out
from tests.seed.bench import Bench
from tests.seed.setting import FAMILIES, forget_all, make_bases
from tests.servers import debian_registry


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    if missing := missing_programs(FAMILIES):
        pytest.skip(f"{' and '.join(missing)} not installed")
    directory = tmp_path_factory.mktemp("seed")
    with closing_engine() as engine, debian_registry(directory) as registry:
        workshop = Workshop(engine, registry, directory)
        try:
            make_bases(workshop)
            yield Bench(workshop, check_out(directory, registry.host), registry.host)
        finally:
            forget_all(workshop)
