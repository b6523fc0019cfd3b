"""What a first scan reads and writes, and what later ones leave alone."""

from __future__ import annotations

import pytest
from django.utils import timezone

from fleet.models import (
    Analysis,
    Image,
    Registry,
    Scan,
    Service,
    Snapshot,
    Suggestion,
)
from tests.fakes.pushable import BASE, PushableRegistry, day, image
from tests.scanning.runs import NEWEST, only_service, scan

pytestmark = pytest.mark.django_db


class TestFirstScan:
    def test_history_has_the_dates_of_the_images(self, registry: Registry) -> None:
        scan(registry)
        assert list(Snapshot.objects.values_list("tag", "taken_at")) == [("1.0", day(0)), ("1.1", day(7))]

    def test_sizes_are_those_of_registry_and_files(self, registry: Registry) -> None:
        scan(registry)
        service = only_service()
        assert service.compressed_bytes == NEWEST.compressed_bytes
        files = len(b'ID=debian\nVERSION_CODENAME="bookworm"\n') + 50_000 + 9000 + 20_000
        assert service.unpacked_bytes == service.snapshot.image.unpacked_bytes == files
        assert service.sparkline == [image(day(0)).compressed_bytes, NEWEST.compressed_bytes]

    def test_newest_image_is_judged(self, registry: Registry) -> None:
        scan(registry)
        service = only_service()
        analysis = Analysis.objects.get()
        assert analysis.image == service.snapshot.image
        assert service.runtime == analysis.runtime == "python"
        assert any("/var/cache/apt/archives/gcc.deb" in finding.paths for finding in analysis.findings.all())
        assert {row.mode for row in service.suggestions.all()} == {"repack", "rebuild"}
        assert all(row.dockerfile or row.obstacle for row in service.suggestions.all())
        assert service.savings_compressed_bytes >= 0
        assert 0 <= service.savings_percent <= 100

    def test_only_layers_of_the_newest_image_are_read(self, registry: Registry, server: PushableRegistry) -> None:
        scan(registry)
        configs = {image(day(0)).config.digest, NEWEST.config.digest}
        read = {path.rpartition("/")[2] for path in server.asked("GET", "/blobs/")}
        assert read - configs == {blob.digest for blob in NEWEST.layers}
        assert Image.objects.get(digest=image(day(0)).digest).unpacked_bytes is None

    def test_the_scan_counts_what_it_did(self, registry: Registry, server: PushableRegistry) -> None:
        done = scan(registry)
        assert (done.status, done.services, done.services_done) == (Scan.Status.DONE, 1, 1)
        assert (done.tags, done.snapshots, done.layers_indexed, done.error_count) == (2, 2, 2, 0)
        assert done.requests == len(server.requests)
        assert done.received_bytes >= NEWEST.compressed_bytes
        assert done.duration_seconds is not None

    def test_a_shared_layer_is_read_once_for_the_fleet(self, registry: Registry, server: PushableRegistry) -> None:
        for number in range(3):
            server.push(f"team/other{number}", "1", image(day(1), app=b"other %d" % number))
        scan(registry)
        assert len(server.asked("GET", f"/blobs/{BASE.digest}")) == 1
        assert Service.objects.filter(unpacked_bytes__isnull=True).count() == 0


class TestSecondScan:
    def test_it_costs_one_head_a_tag(self, registry: Registry, server: PushableRegistry) -> None:
        scan(registry)
        server.forget_requests()
        again = scan(registry)
        assert sorted(server.asked("HEAD")) == ["/v2/team/app/manifests/1.0", "/v2/team/app/manifests/1.1"]
        assert not server.asked("GET", "/manifests/")
        assert not server.asked("GET", "/blobs/")
        assert (again.status, again.snapshots, again.layers_indexed) == (Scan.Status.DONE, 0, 0)
        assert Snapshot.objects.count() == 2

    def test_a_moved_tag_is_a_new_snapshot_of_now(self, registry: Registry, server: PushableRegistry) -> None:
        scan(registry)
        server.push("team/app", "1.1", image(day(9), app=b"y" * 5000))
        before = timezone.now()
        scan(registry)
        newest = Snapshot.objects.latest_by_tag(only_service().pk)["1.1"]
        assert newest.taken_at >= before
        assert only_service().snapshot == newest

    def test_a_rollback_is_three_snapshots_and_reads_nothing(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        first, second = image(day(0), app=b"a"), image(day(1), app=b"b")
        server.delete("team/app")
        for pushed in (first, second):
            server.push("roll/back", "prod", pushed)
            scan(registry)
        server.forget_requests()
        server.push("roll/back", "prod", first)
        scan(registry)
        history = Snapshot.objects.filter(service__repository="roll/back")
        assert [snapshot.image.digest for snapshot in history] == [first.digest, second.digest, first.digest]
        assert Service.objects.get(repository="roll/back").snapshot.image.digest == first.digest
        assert not server.asked("GET", "/blobs/")

    def test_new_rules_run_on_what_is_stored(self, registry: Registry, server: PushableRegistry) -> None:
        scan(registry)
        Analysis.objects.update(ruleset=0)
        server.forget_requests()
        scan(registry)
        assert Analysis.objects.get().ruleset > 0
        assert not server.asked("GET", "/blobs/")
        assert not server.asked("GET", "/manifests/")

    def test_a_link_to_a_suggestion_stays_good(self, registry: Registry, server: PushableRegistry) -> None:
        scan(registry)
        keys = set(Suggestion.objects.values_list("pk", flat=True))
        server.push("team/app", "1.2", image(day(8), app=b"z" * 5000))
        scan(registry)
        assert set(Suggestion.objects.values_list("pk", flat=True)) == keys
        assert {row.image.digest for row in Suggestion.objects.all()} == {image(day(8), app=b"z" * 5000).digest}
