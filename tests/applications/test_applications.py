"""Real applications, each with all that is suggested for it: built, run under restrictions, asked the same as the
original, and weighed against the estimate.

Two are proven at a time, in the order of the tests, since builds wait for the network and for one another's disk. Bases
are made beside the first: what stands on the fewest comes first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.applications.application import Application, applications
from tests.applications.bases import Shelf, depth, missing_programs
from tests.applications.proof import ALWAYS, Proof, prove
from tests.applications.workshop import Workshop, closing_engine
from tests.servers import debian_registry

AT_A_TIME = 2


def _height(application: Application) -> int:
    return max(map(depth, application.bases))


# One of each kind, on the fewest bases: what every run proves. ``scripts/test --applications`` proves them all.
USUAL = frozenset({"cpp-sqlite", "go-cgo", "nginx-site", "node-express", "python-debian", "shell-tool"})
APPLICATIONS = {application.name: application for application in sorted(applications(), key=_height)}
CHOSEN = [name for name in APPLICATIONS if name in USUAL or os.environ.get("PLIMSOLL_TEST_APPLICATIONS") == "all"]
Proofs = Mapping[str, Future[Proof]]


@pytest.fixture(scope="module")
def proofs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proofs]:
    """The proofs of all applications that are asked for, under way."""
    directory = tmp_path_factory.mktemp("applications")
    chosen = [application for application in _asked_for(request) if not missing_programs(application.bases)]
    with closing_engine() as engine, debian_registry(directory) as registry:
        workshop = Workshop(engine, registry, directory)
        shelf = Shelf(workshop)
        try:
            with ThreadPoolExecutor(AT_A_TIME) as pool:
                bases = {family for application in chosen for family in application.bases}
                pool.submit(shelf.need, (*ALWAYS, *sorted(bases, key=depth)))
                yield {application.name: pool.submit(prove, workshop, shelf, application) for application in chosen}
                pool.shutdown(cancel_futures=True)
        finally:
            workshop.forget_all()


def _asked_for(request: pytest.FixtureRequest) -> list[Application]:
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    names = [str(item.callspec.params["name"]) for item in items if "proofs" in item.fixturenames]
    return [APPLICATIONS[name] for name in dict.fromkeys(names)]


@pytest.mark.engine
@pytest.mark.registry
@pytest.mark.parametrize("name", CHOSEN)
def test_what_is_suggested_builds_runs_and_weighs_what_it_says(name: str, proofs: Proofs) -> None:
    if missing := missing_programs(APPLICATIONS[name].bases):
        pytest.skip(f"{' and '.join(missing)} not installed")
    proof = proofs[name].result()
    for rung in proof.rungs:
        print(rung.name, rung.obstacle or f"{rung.built} built, {rung.estimated} estimated")
    faults = list(proof.faults())
    dockerfiles = "\n".join(f"# {rung.name}\n{rung.dockerfile}" for rung in proof.rungs if rung.failure)
    assert not faults, "\n".join(faults) + f"\n{dockerfiles}"


def test_there_are_twenty_applications_and_no_two_stand_for_the_same() -> None:
    assert len({application.title for application in APPLICATIONS.values()}) >= 20
