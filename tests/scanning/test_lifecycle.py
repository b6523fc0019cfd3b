"""A scan from queued to its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from fleet import scanning
from fleet.models import (
    Image,
    Registry,
    Scan,
    Service,
    Snapshot,
)
from fleet.models.scan import STALE_AFTER
from tests.scanning.runs import scan

pytestmark = pytest.mark.django_db


class TestLifecycle:
    def test_a_scan_under_way_is_given_instead_of_a_second(self, registry: Registry) -> None:
        first = scanning.start(registry, Scan.Trigger.PAGE)
        assert scanning.start(registry, Scan.Trigger.SCHEDULE) == first
        assert scanning.begin(first)
        assert scanning.start(registry, Scan.Trigger.SCHEDULE) == first
        assert not scanning.begin(Scan.objects.get(pk=first.pk))

    def test_a_scan_whose_worker_stopped_is_closed_by_the_next(self, registry: Registry) -> None:
        lost = scanning.start(registry, Scan.Trigger.PAGE)
        scanning.begin(lost)
        Scan.objects.update(progress_at=timezone.now() - STALE_AFTER - timedelta(seconds=1))
        fresh = scanning.start(registry, Scan.Trigger.PAGE)
        lost.refresh_from_db()
        assert fresh != lost
        assert lost.status == Scan.Status.FAILED
        assert "worker stopped" in lost.message

    def test_a_late_worker_of_a_closed_scan_writes_nothing(self, registry: Registry) -> None:
        late = scanning.start(registry, Scan.Trigger.PAGE)
        scanning.begin(late)
        (key,) = scanning.discover(late)
        scanning.fail(Scan.objects.get(pk=late.pk), "closed meanwhile")
        assert not scanning.scan_service(late, Service.objects.get(pk=key))
        assert not Snapshot.objects.exists()
        assert not Image.objects.exists()

    def test_a_service_that_is_read_twice_counts_once(self, registry: Registry) -> None:
        running = scanning.start(registry, Scan.Trigger.PAGE)
        scanning.begin(running)
        (key,) = scanning.discover(running)
        first, second = Service.objects.get(pk=key), Service.objects.get(pk=key)
        assert scanning.scan_service(running, first)
        assert not scanning.scan_service(running, second)
        assert scanning.finish(running)
        assert (running.services_done, running.snapshots, running.status) == (1, 2, Scan.Status.DONE)
        assert not scanning.finish(running)

    def test_a_scan_that_comes_back_before_it_began_starts_now(self, registry: Registry) -> None:
        queued = scanning.start(registry, Scan.Trigger.PAGE)
        assert scanning.begin(queued)
        began = queued.started_at
        assert began is not None
        assert not scanning.begin(queued), "its worker was busy a moment ago"
        assert scanning.begin(queued, mark=queued.progress_at)
        assert queued.started_at == began

    def test_a_fault_of_ours_in_the_listing_closes_the_scan(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(self: object) -> Iterator[str]:
            raise ZeroDivisionError("secret detail")

        monkeypatch.setattr("fleet.oci.client.RegistryClient.repositories", broken)
        running = scanning.start(registry, Scan.Trigger.PAGE)
        scanning.begin(running)
        assert scanning.discover(running) == ()
        assert running.status == Scan.Status.FAILED
        assert "ZeroDivisionError" in running.message
        assert "secret" not in running.message

    def test_an_interrupted_scan_is_closed(self, registry: Registry) -> None:
        def interrupt(progress: scanning.Progress) -> None:
            raise KeyboardInterrupt

        queued = scanning.start(registry, Scan.Trigger.COMMAND)
        with pytest.raises(KeyboardInterrupt):
            scanning.run_scan(queued, interrupt)
        assert Scan.objects.get().status == Scan.Status.FAILED
        assert "interrupted" in Scan.objects.get().message

    def test_deleting_a_registry_takes_its_services_along(self, registry: Registry) -> None:
        scan(registry)
        registry.delete()
        assert not Service.objects.exists()
        assert not Scan.objects.exists()
