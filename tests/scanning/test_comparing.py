"""What each snapshot grew by since the one before it: kept with the snapshot, and no question to the registry."""

from __future__ import annotations

import random

import pytest

from fleet import scanning, snapshots
from fleet.analysis.growth import Growth
from fleet.image.sizes import Sizes
from fleet.models import Image, Layer, Registry, Service, Snapshot
from fleet.scanning import comparing
from fleet.snapshots import StoredGrowth, growth, read_growth
from tests.fakes.pushable import BASE, PushableRegistry, day, image, layer
from tests.scanning.runs import only_service, scan

MODEL = random.Random(4).randbytes(60_000)


def grown(tag: str) -> StoredGrowth:
    stored = read_growth(Snapshot.objects.get(tag=tag).growth)
    assert stored is not None
    return stored


def difference(before: str, after: str) -> int:
    sizes = dict(Snapshot.objects.values_list("tag", "compressed_bytes"))
    return sizes[after] - sizes[before]


def push(server: PushableRegistry, tag: str = "1.2") -> None:
    """A release with a large file in a layer of its own."""
    files = layer({"app/main.py": b"x" * 9000, "app/model.bin": MODEL})
    server.push("team/app", tag, image(day(14), layers=[BASE, files]))


class TestFirstScan:
    def test_history_is_compared_by_layers(self, registry: Registry) -> None:
        scan(registry)
        stored = grown("1.1")
        assert not stored.growth.by_files
        assert stored.growth.delta == Sizes(0, difference("1.0", "1.1"))
        assert stored.growth.causes[0].label == "RUN step 1"
        assert (stored.before_tag, stored.before_digest) == ("1.0", Snapshot.objects.get(tag="1.0").image.digest)

    def test_the_oldest_has_nothing_before_it(self, registry: Registry) -> None:
        scan(registry)
        assert Snapshot.objects.get(tag="1.0").growth is None

    def test_it_asks_the_registry_nothing_more(self, registry: Registry, server: PushableRegistry) -> None:
        """HEAD and manifest of each tag, both configs, and the two layers of the newest."""
        scan(registry)
        asked = server.asked("GET", "/blobs/") + server.asked("GET", "/manifests/sha256:")
        assert len(asked) == len(set(asked)) == 6


class TestNewRelease:
    def test_it_is_compared_by_files_without_a_further_request(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        scan(registry)
        push(server)
        before = len(server.requests)
        scan(registry)
        # The new manifest, config and layer; the layers of the image before it are known.
        assert len([line for line in server.requests[before:] if line.method == "GET" and "/blobs/" in line.path]) == 2
        stored = grown("1.2")
        assert stored.growth.by_files
        assert stored.growth.delta.compressed_bytes == difference("1.1", "1.2")
        assert stored.before_tag == "1.1"
        assert stored.growth.causes[0].label == "/app/model.bin"
        assert sum(cause.delta.compressed_bytes for cause in stored.growth.causes) == difference("1.1", "1.2")

    def test_a_scan_that_finds_nothing_new_changes_nothing(self, registry: Registry, server: PushableRegistry) -> None:
        scan(registry)
        push(server)
        scan(registry)
        before = dict(Snapshot.objects.values_list("tag", "growth"))
        scan(registry)
        assert dict(Snapshot.objects.values_list("tag", "growth")) == before

    def test_where_layers_of_the_image_before_are_unknown_it_is_by_layers(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        scan(registry)
        Layer.objects.update(index=None)
        push(server)
        scan(registry)
        assert not grown("1.2").growth.by_files

    def test_another_tag_of_the_same_image_did_not_grow(self, registry: Registry, server: PushableRegistry) -> None:
        scan(registry)
        push(server)
        push(server, "1.3")
        scan(registry)
        growths = [grown(tag).growth for tag in ("1.2", "1.3")]
        assert sorted(growth == Growth() for growth in growths) == [False, True]


class TestHistoryReadLater:
    def test_one_that_slips_in_between_is_compared_and_its_successor_anew(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        scan(registry)
        server.push("team/app", "1.0.5", image(day(3), app=b"y" * 5000))
        scan(registry)
        assert grown("1.0.5").before_tag == "1.0"
        assert grown("1.1").before_tag == "1.0.5"
        assert grown("1.1").growth.delta.compressed_bytes == difference("1.0.5", "1.1")


class TestFailure:
    def test_a_scan_does_not_fail_for_it(
        self, registry: Registry, server: PushableRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def failing(*_: object) -> Growth:
            raise ZeroDivisionError

        monkeypatch.setattr(growth, "grow_by_layers", failing)
        monkeypatch.setattr(comparing, "grow", failing)
        scan(registry)
        push(server)
        done = scan(registry)
        assert (done.status, done.error_count, done.snapshots) == ("done", 0, 1)
        assert only_service().snapshot.tag == "1.2"
        assert Snapshot.objects.get(tag="1.2").growth is None

    def test_what_does_not_add_up_to_the_sizes_shown_is_not_stored(self, registry: Registry) -> None:
        scan(registry)
        before, after = Snapshot.objects.order_by("taken_at")
        known = after.growth
        assert not snapshots.write_growth(before, after, Growth(Sizes(0, 1)))
        after.refresh_from_db()
        assert after.growth == known

    @pytest.mark.parametrize("stored", [None, {}, {"version": growth.VERSION + 1, "causes": [{}]}])
    def test_json_of_another_version_counts_as_not_compared(self, stored: dict | None) -> None:
        assert read_growth(stored) is None


class TestReanalysis:
    def test_it_fills_in_what_earlier_versions_left_out(self, registry: Registry, server: PushableRegistry) -> None:
        scan(registry)
        push(server)
        scan(registry)
        Snapshot.objects.update(growth=None)
        scanning.reanalyse(scanning.due(Service.objects.all(), everything=True))
        assert grown("1.2").growth.by_files
        assert not grown("1.1").growth.by_files


class TestCompare:
    def test_any_two_stored_images_are_compared_by_files_where_these_are_known(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        scan(registry)
        push(server)
        scan(registry)
        old, middle, new = Image.objects.order_by("created_at")
        by_files = scanning.compare(middle, new, most_entries=1000)
        assert by_files.growth.by_files
        assert [layer.shared for layer in by_files.layers] == [True, False]
        back = scanning.compare(new, middle, most_entries=1000)
        assert back.growth.delta.compressed_bytes == -by_files.growth.delta.compressed_bytes
        assert not scanning.compare(old, new, most_entries=1000).growth.by_files

    def test_more_files_than_are_compared_at_once_are_left_to_layers(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        scan(registry)
        push(server)
        scan(registry)
        _, middle, new = Image.objects.order_by("created_at")
        assert not scanning.compare(middle, new, most_entries=3).growth.by_files
