"""Reads of services and snapshots."""

from __future__ import annotations

import pytest
from django.utils import timezone

from fleet.models import Image, Registry, Service, Snapshot

pytestmark = pytest.mark.django_db


def test_latest_by_tag_gives_the_last_seen_of_each_tag_in_one_query(django_assert_num_queries) -> None:
    registry = Registry.objects.create(name="Hub", url="https://r.example.com")
    service, other = (
        Service.objects.create(registry=registry, repository=name, platform="linux/amd64") for name in ("a", "b")
    )
    images = [
        Image.objects.create(digest=f"sha256:{number}", compressed_bytes=number, manifest=b"m", config=b"c")
        for number in range(3)
    ]
    for owner, tag, image in (
        (service, "1", images[0]),
        (service, "1", images[1]),
        (service, "2", images[2]),
        (other, "1", images[2]),
    ):
        Snapshot.objects.create(
            service=owner,
            tag=tag,
            image=image,
            head_digest=image.digest,
            taken_at=timezone.now(),
            compressed_bytes=image.compressed_bytes,
        )
    with django_assert_num_queries(1):
        latest = Snapshot.objects.latest_by_tag(service.pk)
        assert {tag: snapshot.image.digest for tag, snapshot in latest.items()} == {"1": "sha256:1", "2": "sha256:2"}


def test_ranking_puts_the_unknown_last_and_breaks_ties_by_key() -> None:
    registry = Registry.objects.create(name="Hub", url="https://r.example.com")
    for name, savings in (("a", 5), ("b", None), ("c", 9), ("d", 5)):
        Service.objects.create(
            registry=registry, repository=name, platform="linux/amd64", savings_compressed_bytes=savings
        )
    assert [service.repository for service in Service.objects.ranked()] == ["c", "a", "d", "b"]
