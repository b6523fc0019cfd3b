"""What is refused, and why."""

from dataclasses import replace

import pytest

from fleet.analysis.analyse import analyse
from fleet.analysis.findings import Runtime
from fleet.dockerfile.suggest import suggest
from fleet.dockerfile.suggestion import NothingToSuggest
from tests.dockerfile import images as i


def ask(runtime="python", tier="slim", loaded=None):
    loaded = loaded or i.service()
    analysis = replace(analyse(loaded), runtime=Runtime(runtime))
    return suggest(loaded, analysis, mode="repack", tier=tier, bases=i.Served({"python:3.11-slim": i.SLIM}))


@pytest.mark.parametrize(("runtime", "name"), [("node", "Node.js"), ("go", "Go"), ("dotnet", r"\.NET")])
def test_runtimes_without_a_recipe_are_named(runtime, name):
    with pytest.raises(NothingToSuggest, match=f"no recipe for {name} yet"):
        ask(runtime)


def test_an_unknown_runtime_is_no_runtime_without_recipe():
    with pytest.raises(NothingToSuggest, match="not known"):
        ask("unknown")


@pytest.mark.parametrize("tier", ["distroless", "scratch"])
def test_other_tiers_are_not_offered_yet(tier):
    with pytest.raises(NothingToSuggest, match=f"The {tier} tier is not offered yet"):
        ask(tier=tier)


def test_debians_own_python_is_refused_with_its_place():
    debian = i.image(
        {**i.DEBIAN, "usr/bin/python3.11": i.SHELL, "usr/bin/python3": "-> python3.11"},
        {"app/main.py": 10},
        config=replace(i.CONFIG, cmd=("python3", "/app/main.py")),
    )
    with pytest.raises(NothingToSuggest, match=r"lies in /usr, not in /usr/local"):
        ask(loaded=debian)
