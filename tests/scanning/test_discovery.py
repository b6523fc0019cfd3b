"""Which repositories and tags a scan reads."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from fleet.models import (
    Registry,
    Scan,
    ScanError,
    Service,
    Snapshot,
)
from tests.fakes.pushable import PushableRegistry, artifact, day, image
from tests.scanning.runs import NEWEST, only_service, scan

pytestmark = pytest.mark.django_db


class TestDiscovery:
    def test_a_vanished_repository_is_gone_and_comes_back(self, server: PushableRegistry, registry: Registry) -> None:
        server.push("team/other", "1", image(day(1)))
        scan(registry)
        other = server._tags.pop("team/other")
        assert scan(registry).services == 1
        assert Service.objects.get(repository="team/other").gone_at is not None
        server._tags["team/other"] = other
        assert scan(registry).services == 2
        assert Service.objects.get(repository="team/other").gone_at is None

    def test_globs_choose_from_the_catalog(self, server: PushableRegistry, registry: Registry) -> None:
        for name in ("team/old", "lab/app"):
            server.push(name, "1", image())
        registry.include, registry.exclude = "team/*\n", " */old "
        registry.save()
        scan(registry)
        assert only_service().repository == "team/app"

    def test_an_explicit_list_asks_no_catalog(self, server: PushableRegistry, registry: Registry) -> None:
        registry.listing, registry.include = Registry.Listing.NAMES, "team/app"
        registry.save()
        scan(registry)
        assert only_service().snapshot is not None
        assert not server.asked("GET", "_catalog")

    def test_a_name_that_does_not_exist_is_an_error(self, server: PushableRegistry, registry: Registry) -> None:
        registry.listing, registry.include = Registry.Listing.NAMES, "team/typo"
        registry.save()
        done = scan(registry)
        assert done.status == Scan.Status.FAILED
        assert "team/typo" in done.message

    def test_an_empty_repository_is_no_error(self, server: PushableRegistry, registry: Registry) -> None:
        server.push("team/empty", "1", image())
        server.delete("team/empty", "1")
        done = scan(registry)
        assert (done.status, done.error_count) == (Scan.Status.DONE, 0)
        notice = done.errors.get(repository="team/empty")
        assert notice.level == ScanError.Level.NOTICE
        assert Service.objects.get(repository="team/empty").snapshot is None

    def test_a_registry_that_lists_nothing_does_not_blame_the_globs(self, registry: Registry) -> None:
        with PushableRegistry({}) as vacant:
            registry.url = vacant.url
            registry.save()
            done = scan(registry)
        assert done.status == Scan.Status.DONE
        assert "lists no repository" in done.message

    def test_a_registry_without_matching_repositories_says_so(self, registry: Registry) -> None:
        registry.include = "nothing/*"
        registry.save()
        done = scan(registry)
        assert done.status == Scan.Status.DONE
        assert "include" in done.message

    def test_one_service_alone_can_be_scanned(self, server: PushableRegistry, registry: Registry) -> None:
        server.push("team/other", "1", image(day(1)))
        scan(registry)
        server.forget_requests()
        done = scan(registry, Service.objects.get(repository="team/other"))
        assert (done.services, done.services_done) == (1, 1)
        assert not server.asked("HEAD", "team/app")


class TestTagSelection:
    def test_an_artifact_is_named_and_asked_for_once(self, server: PushableRegistry, registry: Registry) -> None:
        server.push("team/app", "chart", artifact())
        done = scan(registry)
        assert (done.status, done.error_count) == (Scan.Status.DONE, 0)
        notice = done.errors.get()
        assert (notice.tag, notice.level) == ("chart", ScanError.Level.NOTICE)
        assert "Helm chart" in notice.message
        server.forget_requests()
        again = scan(registry)
        assert not server.asked("GET", "/manifests/")
        assert "Helm chart" in again.errors.get().message

    def test_signatures_cost_nothing(self, server: PushableRegistry, registry: Registry) -> None:
        server.push("team/app", "sha256-" + "0" * 64 + ".sig", artifact())
        scan(registry)
        assert not server.asked("HEAD", "sha256-")

    def test_only_the_newest_versions_make_the_history(self, server: PushableRegistry, registry: Registry) -> None:
        for minor in range(2, 13):
            server.push("team/app", f"1.{minor}", image(day(minor), app=b"v%d" % minor))
        registry.history_tags = 3
        registry.save()
        scan(registry)
        assert set(Snapshot.objects.values_list("tag", flat=True)) == {"1.12", "1.11", "1.10"}

    def test_two_tags_on_one_image_are_read_once(self, server: PushableRegistry, registry: Registry) -> None:
        server.push("team/app", "latest", NEWEST)
        scan(registry)
        assert len(server.asked("GET", "/manifests/")) == 2
        assert only_service().snapshot.tag == "1.1"

    def test_an_image_without_a_date_is_dated_when_seen(self, server: PushableRegistry, registry: Registry) -> None:
        server.push("undated/app", "1", image(None))
        server.push("zero/app", "1", image(datetime(1970, 1, 1, tzinfo=UTC)))
        before = timezone.now()
        scan(registry)
        for snapshot in Snapshot.objects.filter(service__repository__in=["undated/app", "zero/app"]):
            assert snapshot.taken_at >= before
