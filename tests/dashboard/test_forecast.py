"""What the fleet stores and pulls, and would if the top suggestions were adopted; and what was adopted already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from dashboard import adoption
from fleet.dockerfile.benefits import Load
from fleet.models import BaseImage, Image, ImageLayer, Layer, Registry, Service
from tests.dashboard.factories import MB, digest, make_registry, make_service, make_suggestion
from tests.dashboard.pages import HTMX, body, queries_of, words
from tests.dashboard.test_suggestions import adopt

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def layer(name: str, size: int) -> Layer:
    fields = {"media_type": "x", "compressed_bytes": size * MB}
    return Layer.objects.get_or_create(digest=digest(name), defaults=fields)[0]


def image(name: str, *layers: Layer) -> Image:
    size_bytes = sum(each.compressed_bytes for each in layers)
    made = Image.objects.create(digest=digest(name), compressed_bytes=size_bytes, manifest=b"{}", config=b"{}")
    ImageLayer.objects.bulk_create(
        ImageLayer(image=made, layer=each, position=position) for position, each in enumerate(layers)
    )
    return made


def service(name: str, *layers: Layer, registry: Registry, after: int | None = None, **fields: Any) -> Service:
    """A service of these layers; ``after``: its recommended suggestion's size, of which 30 MB are the base."""
    size_bytes = sum(each.compressed_bytes for each in layers)
    savings = None if after is None else size_bytes - after * MB
    made = make_service(
        name, registry=registry, sizes=(size_bytes,), image=image(name, *layers), savings=savings, **fields
    )
    if after is not None:
        make_suggestion(
            made, "rebuild", before_compressed_bytes=size_bytes, after_compressed_bytes=after * MB,
            base_compressed_bytes=30 * MB, base_digest="sha256:slim",
        )  # fmt: skip
    return made


@pytest.fixture
def hub() -> Registry:
    return make_registry("hub", sharing=Registry.Sharing.REGISTRY)


def test_layers_that_services_share_count_once(hub: Registry) -> None:
    base = layer("base", 50)
    service("a", base, layer("a", 100), registry=hub, weight=2)
    service("b", base, layer("b", 10), registry=hub, weight=5)
    found = adoption.forecast(10)
    assert found.adopted == 0
    assert found.now == found.after
    assert found.now == Load(160 * MB, (5 * 50 + 2 * 100 + 5 * 10) * MB)


def test_a_suggested_base_counts_once_for_all_that_start_from_it(hub: Registry) -> None:
    base = layer("base", 50)
    service("a", base, layer("a", 200), registry=hub, after=70)
    service("b", base, layer("b", 100), registry=hub, after=50)
    found = adoption.forecast(10)
    assert (found.adopted, found.now.stored_bytes) == (2, 350 * MB)
    assert found.after.stored_bytes == (30 + 40 + 20) * MB
    assert found.stored_less == 260 * MB


def test_a_base_that_images_have_already_costs_nothing(hub: Registry) -> None:
    slim = layer("slim", 30)
    BaseImage.objects.create(name="python:3.12-slim", image=image("slim", slim), head_digest="sha256:slim")
    service("a", layer("fat", 300), registry=hub, after=70)
    service("b", slim, layer("b", 5), registry=hub)
    found = adoption.forecast(10)
    assert found.now.stored_bytes == 335 * MB
    assert found.after.stored_bytes == (30 + 5 + 40) * MB


def test_only_the_top_ones_are_adopted_and_what_others_share_stays(hub: Registry) -> None:
    base = layer("base", 50)
    service("most", base, layer("a", 300), registry=hub, after=100)
    service("less", base, layer("b", 200), registry=hub, after=100)
    found = adoption.forecast(1)
    assert found.adopted == 1
    assert found.after.stored_bytes == (50 + 200 + 100) * MB


def test_a_layer_is_stored_once_within_what_its_registry_shares() -> None:
    base = layer("base", 50)
    each_its_own = make_registry("ecr", sharing=Registry.Sharing.REPOSITORY)
    service("a", base, registry=each_its_own)
    service("b", base, registry=each_its_own)
    assert adoption.forecast(10).now == Load(100 * MB, 50 * MB)


def test_what_is_gone_or_was_suggested_for_another_image_is_left_out(hub: Registry) -> None:
    service("gone", layer("a", 100), registry=hub, after=40, gone_at="2026-01-01T00:00Z")
    moved = service("moved", layer("b", 100), registry=hub, after=40)
    moved.suggestions.update(image=image("old", layer("old", 100)))
    found = adoption.forecast(10)
    assert (found.adopted, found.now.stored_bytes) == (0, 100 * MB)
    assert found.now == found.after


@pytest.mark.parametrize(
    ("query", "expected"),
    [("", 10), ("?top=25", 25), ("?top=7", 7), ("?top=0", 1), ("?top=9999", 100), ("?top=x", 10), ("?top=-5", 10),
     ("?top=%C2%B2", 10), ("?top=99999999999999999999", 10), ("?top=", 10)],
)  # fmt: skip
def test_the_address_says_how_many(reader: Client, hub: Registry, query: str, expected: int) -> None:
    service("a", layer("a", 100), registry=hub, after=40)
    page = body(reader.get(f"/{query}"))
    assert f'<span aria-current="true">{expected}</span>' in page


def test_the_ranking_tells_it_with_what_was_adopted(reader: Client, hub: Registry) -> None:
    shop = service("a", layer("a", 300), registry=hub, after=100)
    adopt(shop)
    text = words(body(reader.get("/")))
    assert "If the one suggestion was adopted" in text
    assert "The fleet stores 300 MB measured after 100 MB estimate" in text
    assert "Its replicas pull 300 MB measured after 100 MB estimate" in text
    assert "Adopted so far: 1 214 MB estimate promised; real: 209 MB measured −2 %" in text


@pytest.mark.parametrize(
    ("offers", "query", "title"),
    [
        (0, "", "Nothing is suggested yet"),
        (3, "", "If all 3 suggestions were adopted"),
        (3, "?top=2", "If the top 2 suggestions were adopted"),
        (3, "?top=1", "If the top 1 suggestion was adopted"),
    ],
)
def test_the_title_counts_what_there_is(reader: Client, hub: Registry, offers: int, query: str, title: str) -> None:
    service("plain", layer("plain", 100), registry=hub)
    for at in range(offers):
        service(f"s{at}", layer(f"l{at}", 300), registry=hub, after=100)
    assert title in words(body(reader.get(f"/{query}")))


def test_without_adoptions_nothing_is_said_of_them(reader: Client, hub: Registry) -> None:
    service("a", layer("a", 300), registry=hub, after=100)
    assert "Adopted" not in words(body(reader.get("/")))


def test_a_large_fleet_is_weighed_after_the_page(
    reader: Client, hub: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "QUICK_SERVICES", 0)
    service("a", layer("a", 300), registry=hub, after=100)
    page = body(reader.get("/?top=5"))
    assert 'hx-get="/forecast/?top=5"' in page
    assert "The fleet stores" not in page
    part = words(body(reader.get("/forecast/?top=5", headers=HTMX)))
    assert part.startswith("If the one suggestion was adopted")
    assert "The fleet stores 300 MB" in words(body(reader.get("/?top=5")))


def test_without_scripts_a_link_weighs_it(reader: Client, hub: Registry) -> None:
    service("a", layer("a", 300), registry=hub, after=100)
    assert reader.get("/forecast/?owner=web&top=5").headers["Location"] == "/?owner=web&top=5#benefits"


def test_what_was_weighed_is_kept_for_a_while(reader: Client, hub: Registry) -> None:
    service("a", layer("a", 300), registry=hub, after=100)
    first = queries_of(reader, "/")
    assert queries_of(reader, "/") < first


def test_one_more_query_for_five_hundred_services(hub: Registry, django_assert_max_num_queries: Any) -> None:
    for at in range(30):
        service(f"s{at}", layer(f"l{at}", 100 + at), registry=hub, after=50)
    with django_assert_max_num_queries(8):
        assert adoption.forecast(100).adopted == 30


def test_a_stranger_learns_nothing(client: Client) -> None:
    assert client.get("/forecast/").headers["Location"].startswith("/accounts/login/")
