"""Whole scans over HTTP: a team takes up a suggestion, goes back, and comes again."""

from __future__ import annotations

from random import Random

import pytest

from fleet.models import Adoption, Image, Registry, Service
from fleet.sample.build import BuiltImage
from tests.dashboard.factories import make_suggestion
from tests.fakes.pushable import PushableRegistry, day, image
from tests.scanning.runs import only_service, scan

pytestmark = pytest.mark.django_db
HEAVY_BYTES = 300_000
LIGHT_BYTES = 40_000


def release(number: int, size_bytes: int) -> BuiltImage:
    """An image with so many bytes that do not compress."""
    return image(day(number), app=Random(number).randbytes(size_bytes))


@pytest.fixture
def service(registry: Registry, server: PushableRegistry) -> Service:
    """At 2.0, which is heavy, with a rung on offer that would leave about as much as the light release has."""
    server.push("team/app", "2.0", release(20, HEAVY_BYTES))
    scan(registry)
    service = only_service()
    offer(service, service.snapshot.image)
    return service


def offer(service: Service, heavy: Image) -> None:
    service.suggestions.all().delete()
    saved = HEAVY_BYTES - LIGHT_BYTES - 5000
    make_suggestion(
        service,
        "rebuild",
        image=heavy,
        before_compressed_bytes=heavy.compressed_bytes,
        before_unpacked_bytes=heavy.unpacked_bytes,
        after_compressed_bytes=heavy.compressed_bytes - saved,
        after_unpacked_bytes=heavy.unpacked_bytes - saved,
    )


def test_the_scan_that_sees_the_size_fall_notes_the_adoption(
    registry: Registry, server: PushableRegistry, service: Service
) -> None:
    heavy = service.snapshot.image
    server.push("team/app", "2.1", release(21, LIGHT_BYTES))
    scan(registry)
    adoption = Adoption.objects.get()
    light = only_service().snapshot.image
    assert (adoption.service, adoption.from_image, adoption.to_image) == (service, heavy, light)
    assert adoption.real_compressed_bytes == heavy.compressed_bytes - light.compressed_bytes
    assert adoption.real_unpacked_bytes == heavy.unpacked_bytes - light.unpacked_bytes == HEAVY_BYTES - LIGHT_BYTES
    assert adoption.promised_compressed_bytes == HEAVY_BYTES - LIGHT_BYTES - 5000
    scan(registry)
    assert Adoption.objects.count() == 1


def test_a_rollback_by_deleting_the_tag_and_the_release_after_it(
    registry: Registry, server: PushableRegistry, service: Service
) -> None:
    heavy = service.snapshot.image
    server.push("team/app", "2.1", release(21, LIGHT_BYTES))
    scan(registry)
    server.delete("team/app", "2.1")
    scan(registry)
    assert only_service().snapshot.image == heavy
    offer(only_service(), heavy)
    server.push("team/app", "2.1", release(21, LIGHT_BYTES))
    scan(registry)
    assert only_service().snapshot.tag == "2.1"
    assert Adoption.objects.count() == 1


def test_an_older_release_that_takes_the_place_of_a_deleted_one_adopts_nothing(
    registry: Registry, server: PushableRegistry, service: Service
) -> None:
    server.delete("team/app", "2.0")
    scan(registry)
    assert only_service().snapshot.tag == "1.1"
    assert not Adoption.objects.exists()


def test_a_layer_that_cannot_be_read_leaves_the_compressed_size_to_tell_until_it_is(
    registry: Registry, server: PushableRegistry, service: Service
) -> None:
    light = release(21, LIGHT_BYTES)
    server.push("team/app", "2.1", light)
    server.damage(light.layers[-1])
    scan(registry)
    adoption = Adoption.objects.get()
    assert adoption.real_compressed_bytes > HEAVY_BYTES - LIGHT_BYTES - 5000
    assert adoption.real_unpacked_bytes is None
    server.damaged.clear()
    scan(registry)
    adoption.refresh_from_db()
    assert adoption.real_unpacked_bytes == HEAVY_BYTES - LIGHT_BYTES
