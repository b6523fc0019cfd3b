"""Which layer indexes stay, and which are dropped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from fleet import scanning, tasks
from fleet.models import BaseImage, Image, Layer, Registry, Scan, Service
from fleet.snapshots import prune_indexes
from tests.fakes.pushable import PushableRegistry, day, image

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"team/app": {"1.0": image(day(0), app=b"0" * 2000)}}) as registry:
        yield registry


@pytest.fixture
def registry(server: PushableRegistry) -> Registry:
    """Three releases of one service, each read when it was the newest; they share their first layer."""
    registry = Registry.objects.create(name="Hub", url=server.url)
    scan(registry)
    for release in (1, 2):
        server.push("team/app", f"1.{release}", image(day(release), app=b"%d" % release * 2000))
        scan(registry)
    age()
    return registry


def scan(registry: Registry) -> Scan:
    return scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND))


def age() -> None:
    Layer.objects.update(indexed_at=timezone.now() - timedelta(days=2))


def indexed() -> set[str]:
    return set(Layer.objects.filter(index__isnull=False).values_list("digest", flat=True))


def layers_of(tag: str) -> set[str]:
    return set(Layer.objects.filter(images__snapshots__tag=tag).values_list("digest", flat=True))


def test_the_newest_images_of_a_service_keep_theirs(registry: Registry) -> None:
    assert prune_indexes(2).layers == len(layers_of("1.0") - layers_of("1.1"))
    assert indexed() == layers_of("1.1") | layers_of("1.2")


def test_a_layer_that_a_kept_image_shares_stays(registry: Registry) -> None:
    shared = layers_of("1.0") & layers_of("1.2")
    assert shared
    prune_indexes(1)
    assert indexed() == layers_of("1.2")
    assert shared <= indexed()


def test_what_is_dropped_is_counted_in_bytes(registry: Registry) -> None:
    dropped = layers_of("1.0") - layers_of("1.1") - layers_of("1.2")
    sizes = [
        len(bytes(index or b"")) for index in Layer.objects.filter(digest__in=dropped).values_list("index", flat=True)
    ]
    assert prune_indexes(2).index_bytes == sum(sizes) > 0


def test_a_second_time_there_is_nothing_left_to_drop(registry: Registry) -> None:
    prune_indexes(1)
    assert prune_indexes(1).layers == 0


def test_bases_keep_theirs(registry: Registry) -> None:
    oldest = Image.objects.get(snapshots__tag="1.0")
    BaseImage.objects.create(name="python:3.11-slim", image=oldest)
    prune_indexes(1)
    assert layers_of("1.0") <= indexed()


def test_an_older_image_that_the_service_came_back_to_stays(registry: Registry, server: PushableRegistry) -> None:
    Service.objects.update(snapshot=Service.objects.get().snapshots.get(tag="1.0"))
    prune_indexes(1)
    assert layers_of("1.0") <= indexed()


@pytest.mark.parametrize("busy", [{"indexed_at": timedelta(hours=-1)}, {"claimed_until": timedelta(minutes=1)}])
def test_layers_that_are_being_read_or_just_were_stay(registry: Registry, busy: dict[str, timedelta]) -> None:
    Layer.objects.update(**{column: timezone.now() + offset for column, offset in busy.items()})
    assert prune_indexes(1).layers == 0


def test_sizes_stay_and_a_dropped_layer_is_read_again_when_it_is_needed(
    registry: Registry, server: PushableRegistry
) -> None:
    prune_indexes(1)
    assert not Layer.objects.filter(unpacked_bytes__isnull=True).exists()
    server.push("team/app", "1.3", image(day(3), app=b"0" * 2000))  # the content of 1.0 again
    assert scan(registry).status == Scan.Status.DONE
    assert layers_of("1.0") <= indexed()


def test_beat_has_it_done_by_a_worker(registry: Registry, settings: pytest.FixtureRequest) -> None:
    settings.INDEXED_IMAGES = 1  # type: ignore[attr-defined]
    tasks.keep_house()
    assert indexed() == layers_of("1.2")


def test_the_command_says_what_it_dropped(registry: Registry) -> None:
    out = StringIO()
    call_command("prune_indexes", stdout=out)
    assert out.getvalue().startswith("0 layer indexes dropped")
