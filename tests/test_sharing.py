"""What services share, and what is their own: what deleting them would free."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from fleet import scanning, snapshots
from fleet.models import Layer, LayerUse, Registry, Scan, Service, Snapshot
from fleet.sample.build import BuiltImage
from tests.dashboard.pages import queries_of, words
from tests.fakes.pushable import PushableRegistry, day, image

pytestmark = pytest.mark.django_db

A1, A2 = image(day(1), app=b"a1" * 3000), image(day(2), app=b"a2" * 3000)
B1 = image(day(1), app=b"b1" * 3000)


@pytest.fixture(autouse=True)
def plain_http(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = False


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"shop/a": {"1": A1, "2": A2}, "shop/b": {"1": B1}, "other/c": {"1": B1}}) as registry:
        yield registry


@pytest.fixture
def registry(server: PushableRegistry) -> Registry:
    return Registry.objects.create(name="Hub", url=server.url)


def scan(registry: Registry, service: Service | None = None) -> Scan:
    return scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND, service))


def service(repository: str) -> Service:
    return Service.objects.select_related("registry", "snapshot__image").get(repository=repository)


def layer_bytes(*built: BuiltImage) -> dict[str, int]:
    found = {layer.digest for each in built for layer in each.layers}
    return dict(Layer.objects.filter(digest__in=found).values_list("digest", "compressed_bytes"))


def config_bytes(*built: BuiltImage) -> int:
    return sum(len(b"".join(each.config.chunks())) for each in built)


class TestWeighing:
    def test_what_others_use_is_shared_and_the_rest_is_its_own(self, registry: Registry) -> None:
        scan(registry)
        mine, others = layer_bytes(A1, A2), layer_bytes(B1)
        a = service("shop/a")
        assert a.shared_bytes == sum(size for digest, size in mine.items() if digest in others) > 0
        assert a.unique_bytes == sum(mine.values()) - a.shared_bytes + config_bytes(A1, A2)

    def test_an_image_of_two_services_is_shared_config_and_all(self, registry: Registry) -> None:
        scan(registry)
        b = service("shop/b")
        assert (b.unique_bytes, b.shared_bytes) == (0, b.compressed_bytes)

    def test_a_project_keeps_its_layers_to_itself(self, registry: Registry) -> None:
        registry.sharing = Registry.Sharing.PROJECT
        registry.save()
        scan(registry)
        c = service("other/c")
        assert (c.unique_bytes, c.shared_bytes) == (c.compressed_bytes, 0)
        assert service("shop/b").shared_bytes == sum(
            size for digest, size in layer_bytes(B1).items() if digest in layer_bytes(A1, A2)
        )

    def test_amazon_keeps_layers_apart_for_each_repository(self, registry: Registry) -> None:
        scan(registry)
        registry.listing = Registry.Listing.ECR
        registry.save()
        snapshots.weigh_sharing(registry)
        assert {each.shared_bytes for each in Service.objects.all()} == {0}
        assert not LayerUse.objects.exists()

    def test_the_registry_says_what_sharing_saves(self, registry: Registry) -> None:
        scan(registry)
        registry.refresh_from_db()
        assert registry.stored_bytes == sum(layer_bytes(A1, A2, B1).values()) + config_bytes(A1, A2, B1)
        assert registry.pulled_bytes == sum(Snapshot.objects.values_list("compressed_bytes", flat=True))

    def test_what_is_the_same_under_two_registries_is_kept_twice(self, registry: Registry) -> None:
        scan(registry)
        with PushableRegistry({"shop/a": {"1": A1}}) as elsewhere:
            scan(Registry.objects.create(name="Elsewhere", url=elsewhere.url))
        alone = Service.objects.get(registry__name="Elsewhere")
        assert (alone.unique_bytes, alone.shared_bytes) == (alone.compressed_bytes, 0)

    def test_a_tag_that_is_gone_no_longer_counts(self, registry: Registry, server: PushableRegistry) -> None:
        scan(registry)
        server.delete("shop/a", "1")
        scan(registry)
        assert service("shop/a").unique_bytes == sum(
            size for digest, size in layer_bytes(A2).items() if digest not in layer_bytes(B1)
        ) + config_bytes(A2)

    def test_a_rollback_counts_what_the_tag_points_to_now(self, registry: Registry, server: PushableRegistry) -> None:
        scan(registry)
        before = service("shop/b").unique_bytes
        for built in (A1, B1):
            server.push("shop/b", "1", built)
            scan(registry)
        assert service("shop/b").unique_bytes == before
        assert service("shop/b").snapshots.count() == 3

    def test_a_scan_that_changes_nothing_weighs_nothing(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scan(registry)
        weighed: list[Registry] = []
        monkeypatch.setattr(snapshots, "weigh_sharing", weighed.append)
        scan(registry)
        assert weighed == []

    def test_a_service_without_tags_has_no_share(self, registry: Registry, server: PushableRegistry) -> None:
        scan(registry)
        server.delete("shop/b", "1")
        scan(registry)
        assert service("shop/b").unique_bytes is None
        assert service("other/c").unique_bytes is not None


class TestPage:
    def text(self, client: Client, repository: str) -> str:
        page = client.get(f"/services/{service(repository).pk}/").content.decode()
        return words(page[page.index('id="sharing"') :].split("</section>")[0])

    def test_it_says_who_shares_most_and_what_a_tag_would_free(self, registry: Registry, admin_client: Client) -> None:
        scan(registry)
        text = self.text(admin_client, "shop/a")
        assert "layers are stored once across the registry" in text
        assert "shop/b" in text
        assert "Of the tags that Plimsoll reads" in text

    def test_two_tags_of_one_image_free_nothing_alone(
        self, registry: Registry, server: PushableRegistry, admin_client: Client
    ) -> None:
        server.push("shop/a", "latest", A2)
        scan(registry)
        assert "latest the same image as 2" in self.text(admin_client, "shop/a")

    def test_layers_say_how_many_services_use_them(self, registry: Registry, admin_client: Client) -> None:
        scan(registry)
        page = admin_client.get(f"/services/{service('shop/b').pk}/").content.decode()
        assert "in 3 services" in page

    def test_queries_do_not_grow_with_tags(
        self, registry: Registry, server: PushableRegistry, admin_client: Client
    ) -> None:
        scan(registry)
        address = f"/services/{service('shop/a').pk}/"
        before = queries_of(admin_client, address)
        for release in range(3, 9):
            server.push("shop/a", str(release), image(day(release), app=b"%d" % release * 4000))
        scan(registry)
        assert queries_of(admin_client, address) == before

    def test_before_the_first_weighing_it_says_so(self, registry: Registry, admin_client: Client) -> None:
        scan(registry)
        Service.objects.update(unique_bytes=None, shared_bytes=None)
        assert "Not weighed yet" in self.text(admin_client, "shop/a")

    def test_the_registrys_page_tells_what_sharing_saves(self, registry: Registry, admin_client: Client) -> None:
        scan(registry)
        assert "without sharing they would take" in words(
            admin_client.get(f"/registries/{registry.pk}/").content.decode()
        )
