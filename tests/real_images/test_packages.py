"""The packages are those that Syft finds. Where they differ, a rule below says why, for each package and by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

import pytest

from fleet.image.packages import Package, read_packages
from tests.real_images import syft
from tests.real_images.conftest import Built
from tests.real_images.syft import Found

pytestmark = [pytest.mark.engine, pytest.mark.registry]

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """What one of the two finds and the other does not. ``images`` are those in which it has to occur."""

    why: str
    explains: Callable[[Key, Collection[str]], bool]
    images: frozenset[str]


def _outside_node_modules(key: Key, places: Collection[str]) -> bool:
    return key[0] == "npm" and not any("node_modules/" in place for place in places)


def _main_module(version: str, key: Key, places: Collection[str]) -> bool:
    return key == ("go", "github.com/anchore/syft", version) and set(places) == {"usr/local/bin/syft"}


def _web_application(key: Key, places: Collection[str]) -> bool:
    return key == ("maven", "shelf", "") and set(places) == {"srv/webapps/shelf.war"}


SYFT_ALONE = (
    Difference(
        "A package.json outside of node_modules describes the application itself, or a part of what another package "
        "manager installed. We list what npm installed.",
        _outside_node_modules,
        frozenset({"node", "ruby"}),
    ),
    Difference(
        "A program says of its own module that it is (devel) unless Go built it by version. Syft looks for a version "
        "in its linker's flags; we say what the program says.",
        partial(_main_module, f"v{syft.VERSION}"),
        frozenset({"go"}),
    ),
)
OURS_ALONE = (
    Difference("See above.", partial(_main_module, "(devel)"), frozenset({"go"})),
    Difference(
        "An archive that says nothing of itself has the name of its file and no version. Syft leaves it out; we weigh "
        "it, less what lies in it.",
        _web_application,
        frozenset({"java"}),
    ),
)
# What each image is there for.
HOLDS = {
    "debian": {"deb"},
    "python": {"deb", "pypi"},
    "node": {"deb", "npm"},
    "go": {"deb", "go"},
    "java": {"deb", "maven"},
    "ruby": {"deb", "gem"},
    "nginx": {"deb"},
}


@pytest.fixture(scope="session")
def theirs(built: Built, tmp_path_factory: pytest.TempPathFactory) -> dict[Key, set[str]]:
    """The places by package."""
    found: dict[Key, set[str]] = {}
    for package in syft.scan(built.reference, tmp_path_factory.mktemp("syft")):
        found.setdefault(_key(package), set()).update(package.places)
    return found


@pytest.fixture(scope="session")
def packages(built: Built) -> tuple[Package, ...]:
    return read_packages(built.by_registry.tree)


def test_packages_are_those_that_syft_finds(
    built: Built, theirs: Mapping[Key, set[str]], packages: tuple[Package, ...]
) -> None:
    ours: dict[Key, set[str]] = {}
    for package in packages:
        ours.setdefault(_key(package), set()).update(package.paths)
    assert _explained(SYFT_ALONE, {key: theirs[key] for key in theirs.keys() - ours.keys()}) == _expected(
        SYFT_ALONE, built.name
    )
    assert _explained(OURS_ALONE, {key: ours[key] for key in ours.keys() - theirs.keys()}) == _expected(
        OURS_ALONE, built.name
    )


def test_each_image_holds_the_packages_that_it_is_there_for(built: Built, packages: tuple[Package, ...]) -> None:
    counts = Counter(package.ecosystem for package in packages)
    assert counts.keys() == HOLDS[built.name]
    assert all(counts[ecosystem] >= 10 for ecosystem in HOLDS[built.name])


def test_packages_weigh_no_more_than_the_files_that_are_theirs(built: Built, packages: tuple[Package, ...]) -> None:
    nodes = built.by_registry.tree.nodes
    paths = {path for package in packages for path in package.paths}
    assert paths <= nodes.keys()
    assert (
        0 < sum(package.unpacked_bytes for package in packages) <= sum(nodes[path].entry.size_bytes for path in paths)
    )


def _key(package: Package | Found) -> Key:
    """Names on the Python index mean the same however they are spelled: https://peps.python.org/pep-0503/"""
    name = package.name
    if package.ecosystem == "pypi":
        name = re.sub(r"[-_.]+", "-", name).lower()
    return package.ecosystem, name, package.version


def _explained(rules: Collection[Difference], alone: Mapping[Key, Collection[str]]) -> set[str]:
    """The reasons for what one of the two finds alone. Anything without a reason is given as it is."""
    reasons = set()
    for key, places in alone.items():
        why = [rule.why for rule in rules if rule.explains(key, places)]
        reasons.add(why[0] if why else f"{key} in {sorted(places)[:3]}")
    return reasons


def _expected(rules: Collection[Difference], image: str) -> set[str]:
    return {rule.why for rule in rules if image in rule.images}
