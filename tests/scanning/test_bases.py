"""Bases of images that the fleet itself knows: by the layers that registries serve, whoever compressed them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fleet import snapshots
from fleet.models import Analysis, BaseImage, Image, Registry, Scan, Service
from fleet.sample.build import BuiltImage, Bytes, Layer
from fleet.scanning import judging
from fleet.scanning.bases import known_bases
from tests.fakes.pushable import BASE, PushableRegistry, RawLayer, day, image, layer
from tests.scanning.runs import scan

pytestmark = pytest.mark.django_db

TOOLS = layer({"usr/bin/tool": b"t" * 9000})
APP = layer({"app/main.py": b"a" * 4000})
PYTHON = image(day(1), layers=[BASE, TOOLS])
NAMES = {"name": "org.opencontainers.image.base.name", "digest": "org.opencontainers.image.base.digest"}


def compressed_anew(original: Layer) -> RawLayer:
    return RawLayer(gzip.compress(gzip.decompress(b"".join(original.chunks())), 1, mtime=0), original.diff_id)


def claiming(built: BuiltImage, diff_ids: list[str]) -> BuiltImage:
    """The image with another config, as nobody's builder writes it."""
    config = json.loads(built.config.content)
    config["rootfs"]["diff_ids"] = diff_ids
    lie = Bytes(json.dumps(config).encode())
    manifest = json.loads(built.document.body)
    manifest["config"] |= {"digest": lie.digest, "size": lie.size_bytes}
    return replace(built, config=lie, document=replace(built.document, body=json.dumps(manifest).encode()))


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"corp/python": {"3.12": PYTHON}}) as registry:
        yield registry


@pytest.fixture
def registry(server: PushableRegistry) -> Registry:
    return Registry.objects.create(name="Hub", url=server.url)


def ship(server: PushableRegistry, built: BuiltImage, tag: str = "1") -> None:
    server.push("shop/a", tag, built)


def base_of(repository: str = "shop/a") -> tuple[int, str, str]:
    service = Service.objects.get(repository=repository)
    analysis = Analysis.objects.get(image=service.snapshot.image_id)  # type: ignore[union-attr]
    return analysis.base_layers, analysis.base_source, analysis.base_name


class TestRecognised:
    def test_an_image_that_another_service_ships(self, server: PushableRegistry, registry: Registry) -> None:
        ship(server, image(day(2), layers=[BASE, TOOLS, APP]))
        scan(registry)
        assert base_of() == (2, "shared", "corp/python:3.12")

    def test_one_whose_layers_were_compressed_anew(self, server: PushableRegistry, registry: Registry) -> None:
        ship(server, image(day(2), layers=[compressed_anew(BASE), compressed_anew(TOOLS), APP]))
        scan(registry)
        assert base_of() == (2, "shared", "corp/python:3.12")

    def test_one_that_another_registry_keeps(self, server: PushableRegistry, registry: Registry) -> None:
        scan(registry)
        with PushableRegistry({"shop/a": {"1": image(day(2), layers=[BASE, TOOLS, APP])}}) as elsewhere:
            scan(Registry.objects.create(name="Elsewhere", url=elsewhere.url))
        assert base_of() == (2, "shared", "corp/python:3.12")

    def test_one_that_was_read_as_a_base_by_the_name_of_its_from(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        scan(registry)
        snapshots.store_base("python:3.12-slim", "", PYTHON.digest, 1)
        ship(server, image(day(2), layers=[BASE, TOOLS, APP]))
        scan(registry)
        assert base_of() == (2, "known", "python:3.12-slim")

    def test_the_longest_of_several(self, server: PushableRegistry, registry: Registry) -> None:
        server.push("corp/base", "1", image(day(0), layers=[BASE]))
        ship(server, image(day(2), layers=[BASE, TOOLS, APP]))
        scan(registry)
        assert base_of() == (2, "shared", "corp/python:3.12")
        assert base_of("corp/python") == (1, "shared", "corp/base:1")

    def test_the_services_own_earlier_image_where_a_digest_names_it(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        below = image(day(0), layers=[BASE, TOOLS], labels={"stage": "base"})
        server.delete("corp/python", None)
        ship(server, below, tag="0")
        scan(registry)
        named = {NAMES["name"]: "shop/a:0", NAMES["digest"]: below.digest}
        ship(server, image(day(2), layers=[BASE, TOOLS, APP], labels=named))
        scan(registry)
        assert base_of() == (2, "label", "shop/a:0")

    def test_its_name_is_what_a_label_says_beside_the_digest_of_it(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        named = {NAMES["name"]: "hub.corp/python:3", NAMES["digest"]: PYTHON.digest}
        ship(server, image(day(2), layers=[BASE, TOOLS, APP], labels=named))
        scan(registry)
        assert base_of() == (2, "shared", "hub.corp/python:3")

    def test_a_base_that_was_read_for_this_very_image(self, server: PushableRegistry, registry: Registry) -> None:
        """The first of the fleet that is built on it is not the one that learns of it last."""
        scan(registry)
        Service.objects.filter(repository="corp/python").delete()
        host = server.url.removeprefix("http://")
        registry.include, registry.base_mirrors = "shop/*", f"docker.io/library={host}/hub"
        registry.save()
        server.push("hub/python", "3.11-slim-bookworm", PYTHON)
        server.push("hub/python", "3.11-slim", PYTHON)
        ship(server, image(day(2), layers=[BASE, TOOLS, APP]))
        scan(registry)
        assert BaseImage.objects.exists()
        assert base_of()[:2] == (2, "known")


class TestLeftAlone:
    def test_the_services_own_earlier_image(self, server: PushableRegistry, registry: Registry) -> None:
        server.delete("corp/python", None)
        ship(server, image(day(0), layers=[BASE, TOOLS]), tag="0")
        scan(registry)
        ship(server, image(day(2), layers=[BASE, TOOLS, APP]))
        scan(registry)
        assert base_of()[1] != "shared"

    def test_an_image_that_nobody_ships(self, server: PushableRegistry, registry: Registry) -> None:
        scan(registry)
        Service.objects.filter(repository="corp/python").delete()
        server.delete("corp/python", None)
        ship(server, image(day(2), layers=[BASE, TOOLS, APP]))
        scan(registry)
        assert Image.objects.filter(digest=PYTHON.digest).exists()
        assert base_of()[1] != "shared"

    def test_the_same_image_under_another_name(self, server: PushableRegistry, registry: Registry) -> None:
        ship(server, PYTHON)
        scan(registry)
        assert base_of()[1] != "shared"

    def test_an_image_that_shares_only_its_first_layers(self, server: PushableRegistry, registry: Registry) -> None:
        ship(server, image(day(2), layers=[BASE, APP]))
        scan(registry)
        assert base_of()[1] != "shared"

    def test_a_config_that_claims_the_layers_of_others(self, server: PushableRegistry, registry: Registry) -> None:
        server.delete("corp/python", None)
        small = [layer({f"{n}": b"x"}) for n in range(2)]
        server.push("evil/x", "2", image(day(3), layers=small))
        server.push("evil/x", "1", claiming(image(day(1), layers=small), [BASE.diff_id, TOOLS.diff_id]))
        server.push("evil/x", "0", claiming(image(day(0), layers=small[:1]), [BASE.diff_id, TOOLS.diff_id]))
        ship(server, image(day(2), layers=[BASE, TOOLS, APP]))
        scan(registry)
        assert Service.objects.get(repository="evil/x").snapshots.count() == 3
        assert base_of()[1] != "shared"

    @pytest.mark.parametrize("claimed", ["sha256:" + "a" * 400, f"sha512:{'b' * 128}", "no digest"])
    def test_what_is_no_digest_costs_no_scan(self, server: PushableRegistry, registry: Registry, claimed: str) -> None:
        ship(server, claiming(image(day(0), layers=[APP]), [claimed]), tag="0")
        ship(server, image(day(2), layers=[BASE, TOOLS, APP]))
        assert scan(registry).status == Scan.Status.DONE
        assert base_of() == (2, "shared", "corp/python:3.12")


def test_what_is_known_costs_the_same_few_queries_however_many_ship_it(
    server: PushableRegistry, registry: Registry
) -> None:
    named = {NAMES["digest"]: PYTHON.digest}
    ship(server, image(day(2), layers=[BASE, TOOLS, APP], labels=named))
    scan(registry)
    service = Service.objects.select_related("snapshot__image").get(repository="shop/a")
    loaded = judging.recall(service.snapshot.image, "x")  # type: ignore[union-attr]
    assert loaded is not None

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert known_bases(service, loaded)
        return len(captured)

    before = queries()
    for number in range(5):
        server.push(f"corp/base{number}", "1", image(day(number), layers=[BASE, TOOLS], labels={"n": str(number)}))
        server.push(f"corp/root{number}", "1", image(day(number), layers=[BASE], labels={"n": str(number)}))
    scan(registry)
    assert queries() == before <= 3


def test_images_that_were_stored_before_get_their_chain_as_new_ones_do(
    server: PushableRegistry, registry: Registry
) -> None:
    server.push("shop/b", "1", claiming(image(day(0), layers=[APP]), ["no digest"]))
    scan(registry)
    chains = dict(Image.objects.values_list("pk", "chain_id"))
    assert {len(chain) for chain in chains.values()} == {0, 71}
    Image.objects.update(chain_id="")
    import_module("fleet.migrations.0003_analysis").fill_chain_ids(apps, None)
    assert dict(Image.objects.values_list("pk", "chain_id")) == chains
