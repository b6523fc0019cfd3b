import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, time
from itertools import pairwise
from pathlib import Path

import pytest

from fleet.analysis.analyse import analyse
from fleet.dockerfile.bases import RegistryBases, parse_mirrors
from fleet.dockerfile.suggest import suggest
from fleet.image.loading import load_image
from fleet.oci.manifest import Platform
from fleet.oci.reference import Reference
from fleet.oci.sources.opening import open_location
from fleet.sample import debian
from fleet.sample.fleet import BASES, SERVICES, sample_fleet
from fleet.sample.registry import ReadOnlyRegistry
from fleet.sample.serving import sample_date
from fleet.sample.shelf import publish

AS_OF = date(2026, 3, 14)
AMD64 = Platform("linux", "amd64")
FLEET = sample_fleet(AS_OF)


def releases(repository):
    return [plan for tag, plan in FLEET[repository].items() if tag != "latest"]


def test_it_is_a_fleet_of_many_runtimes_and_teams():
    runtimes = Counter(repository.partition("/")[0] for repository in FLEET)
    assert 12 <= len(SERVICES) <= 16
    assert len({service.team for service in SERVICES}) >= 10
    assert runtimes[BASES] == 7


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.repository)
def test_every_service_has_a_dated_history_up_to_now(service):
    plans = releases(service.repository)
    moments = [plan.config.created for plan in plans]
    assert 6 <= len(plans) <= 12
    assert all(earlier < later for earlier, later in pairwise(moments))
    age = datetime.combine(AS_OF, time(0), UTC) - moments[-1]
    assert -1 < age.days <= 7
    assert all(plan.config.labels["org.opencontainers.image.vendor"] == service.team for plan in plans)


def test_latest_is_the_newest_release():
    for service in SERVICES:
        if service.latest:
            assert FLEET[service.repository]["latest"] is releases(service.repository)[-1]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.repository)
def test_history_has_a_line_for_every_layer_and_only_goes_forward(service):
    for plan in releases(service.repository):
        made = [entry for entry in plan.config.history if not entry.empty_layer]
        assert len(made) == len(plan.recipes)
        assert plan.config.history[-1].created == plan.config.created
        assert all(earlier.created <= later.created for earlier, later in pairwise(plan.config.history))


def test_both_builders_histories_are_there():
    lines = [entry.created_by for tags in FLEET.values() for plan in tags.values() for entry in plan.config.history]
    assert any(line.startswith("RUN /bin/sh -c ") and line.endswith("# buildkit") for line in lines)
    assert any(line.startswith("/bin/sh -c #(nop) COPY dir:") for line in lines)


def test_services_share_the_layers_of_the_bases_that_the_registry_serves():
    python = FLEET[f"{BASES}/python"]["3.11"].recipes
    node = FLEET[f"{BASES}/node"]["20"].recipes
    for repository in ("shop/checkout-api", "data/report-worker", "billing/invoices"):
        for plan in releases(repository):
            assert plan.recipes[: len(python)] == python
    assert python[:4] == node[:4]


def test_releases_reuse_the_dependencies_until_they_change():
    layers = [plan.recipes for plan in releases("shop/catalog")]
    dependencies = [recipe for recipes in layers for recipe in recipes if recipe.make.__name__ == "pip_install"]
    assert len({recipe.key for recipe in dependencies}) == 3


def test_the_same_date_gives_the_same_digests_in_another_process(tmp_path):
    code = (
        "from datetime import date\n"
        "from fleet.sample.fleet import sample_fleet\n"
        "from fleet.sample.shelf import publish\n"
        f"fleet = sample_fleet(date.fromisoformat('{AS_OF}'))\n"
        "chosen = {name: fleet[name] for name in ('platform/feature-flags',)}\n"
        "chosen['library/debian'] = {'bookworm-slim': fleet['library/debian']['bookworm-slim']}\n"
        "print([image.document.digest for tags in publish(chosen, threads=1).values() for image in tags.values()])\n"
    )

    def digests(seed):
        environment = {**os.environ, "PYTHONPATH": ".", "PYTHONHASHSEED": seed}
        return subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)

    first = digests("1")
    assert first.count("sha256:") == 14
    assert first == digests("2")


def test_a_second_start_composes_nothing(tmp_path, monkeypatch):
    memory = tmp_path / "kept" / "layers.json"
    chosen = {"platform/feature-flags": FLEET["platform/feature-flags"]}
    first = publish(chosen, memory)
    monkeypatch.setattr("fleet.sample.shelf.build_layer", lambda files: pytest.fail("composed again"))
    assert publish(chosen, memory) == first


def test_a_damaged_memory_is_made_again(tmp_path):
    memory = tmp_path / "layers.json"
    memory.write_text('{"edition": "other", "layers": {"x"')
    chosen = {"platform/feature-flags": FLEET["platform/feature-flags"]}
    assert publish(chosen, memory) == publish(chosen)


def test_the_date_of_the_first_start_is_kept(tmp_path: Path):
    today, later = date(2026, 3, 14), date(2026, 9, 1)
    assert sample_date(tmp_path / "s", None, today) == today
    assert sample_date(tmp_path / "s", None, later) == today
    assert sample_date(tmp_path / "s", later, today) == later
    assert sample_date(tmp_path / "s", None, today) == later


def test_every_library_that_a_package_needs_is_in_the_table():
    table = debian.packages().values()
    provided = {line.soname for package in table for line in package.elf}
    assert {needed for package in table for line in package.elf for needed in line.needed} <= provided


def test_an_unlabelled_debian_weighs_what_the_real_one_does():
    files = list(debian.base_system(slim=True))
    assert 70_000_000 < sum(file.size_bytes for file in files) < 80_000_000


@pytest.fixture(scope="module")
def python_service():
    """The registry with one release of the checkout service and its bases, and that release analysed."""
    newest = FLEET["shop/checkout-api"]["latest"]
    images = publish({"shop/checkout-api": {"1": newest}, f"{BASES}/python": FLEET[f"{BASES}/python"]})
    with ReadOnlyRegistry(images) as registry:
        source, reference = open_location(Reference.parse(f"{registry.address}/shop/checkout-api:1"))
        image = load_image(source, reference, AMD64)
        source.close()
        yield registry, image, analyse(image)


def test_a_python_service_is_recognised_with_its_packages(python_service):
    _, image, analysis = python_service
    assert (analysis.runtime.name, analysis.runtime.version) == ("python", "3.11.13")
    versions = {(package.ecosystem, package.name.lower()): package.version for package in analysis.packages}
    assert versions["pypi", "django"] == "5.1.5"
    assert versions["deb", "libpq5"].startswith("15.")
    assert [layer.base for layer in analysis.layers].count(True) == 7
    assert 1_000_000_000 < image.sizes.unpacked_bytes < 1_300_000_000


def test_a_python_service_shows_waste_of_many_kinds(python_service):
    _, _, analysis = python_service
    claimed = Counter()
    for finding in analysis.findings:
        claimed[finding.rule] += finding.sizes.unpacked_bytes
    large = {rule for rule, unpacked_bytes in claimed.items() if unpacked_bytes > 10_000_000}
    assert {"toolchain", "documentation", "language-cache", "version-control", "package-manager-cache"} <= large
    assert "changed-metadata" in large


def test_a_python_service_gets_a_suggestion_whose_gates_pass(python_service):
    registry, image, analysis = python_service
    mirrors = parse_mirrors([f"docker.io/library={registry.address}/{BASES}"])
    suggestion = suggest(image, analysis, mode="repack", bases=RegistryBases(mirrors, platform=AMD64))
    assert [gate.name for gate in suggestion.gates if not gate.passed] == []
    assert suggestion.after.unpacked_bytes < image.sizes.unpacked_bytes * 0.4
