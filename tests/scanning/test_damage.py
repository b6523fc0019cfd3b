"""What is broken on the way, and what a scan makes of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from fleet.models import (
    Analysis,
    Finding,
    Image,
    Layer,
    Registry,
    Scan,
    Service,
    Snapshot,
    Suggestion,
)
from fleet.sample.build import BuiltImage, Document
from fleet.sample.registry import Response
from tests.fakes.pushable import BASE, PushableRegistry, day, image, raw_layer
from tests.scanning.runs import NEWEST, only_service, scan, sentences

pytestmark = pytest.mark.django_db


class TestDamage:
    def test_a_corrupt_blob_keeps_the_history_and_nothing_half_written(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        mine = NEWEST.layers[1]
        server.damage(mine)
        done = scan(registry)
        assert done.status == Scan.Status.PARTIAL
        assert done.errors.get().tag == "1.1"
        assert mine.digest[:19] in sentences(done)
        service = only_service()
        assert service.snapshot.tag == "1.1"
        assert (service.unpacked_bytes, service.savings_compressed_bytes, service.runtime) == (None, None, "")
        assert not Analysis.objects.exists()
        assert not Suggestion.objects.exists()
        row = Layer.objects.get(digest=mine.digest)
        assert (row.index, row.unpacked_bytes, row.claimed_until) == (None, None, None)

    def test_the_next_scan_tries_again_and_reads_only_what_is_missing(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        mine = NEWEST.layers[1]
        server.damage(mine)
        scan(registry)
        server.damaged.clear()
        server.forget_requests()
        assert scan(registry).status == Scan.Status.DONE
        assert server.asked("GET", "/blobs/") == [f"/v2/team/app/blobs/{mine.digest}"]
        assert only_service().unpacked_bytes is not None
        assert Analysis.objects.count() == 1

    def test_a_truncated_blob_is_named(self, registry: Registry, server: PushableRegistry) -> None:
        mine = NEWEST.layers[1]
        server.damaged[mine.digest] = b"".join(mine.chunks())[:100]
        assert scan(registry).status == Scan.Status.PARTIAL
        assert not Analysis.objects.exists()

    def test_a_manifest_that_is_not_the_one_asked_for_writes_nothing_of_it(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        wanted = NEWEST
        server.replies[f"/v2/team/app/manifests/{wanted.digest}"] = Response(
            200, {"Content-Type": wanted.document.media_type}, (b"{}" + b" " * 400,), 402
        )
        done = scan(registry)
        assert done.status == Scan.Status.PARTIAL
        assert done.errors.get().tag == "1.1"
        assert list(Snapshot.objects.values_list("tag", flat=True)) == ["1.0"]
        assert only_service().snapshot.tag == "1.0"
        assert not Image.objects.filter(digest=wanted.digest).exists()

    def test_one_bad_tag_does_not_stop_the_others(self, registry: Registry, server: PushableRegistry) -> None:
        server.push("team/app", "0.9", image(day(-5)))
        server.replies["/v2/team/app/manifests/1.0"] = Response(500)
        done = scan(registry)
        assert done.status == Scan.Status.PARTIAL
        assert set(Snapshot.objects.values_list("tag", flat=True)) == {"0.9", "1.1"}

    def test_a_scan_whose_services_all_fail_failed_and_says_why(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        server.replies["/v2/team/app/tags/list"] = Response(500)
        done = scan(registry)
        assert (done.status, done.services_failed) == (Scan.Status.FAILED, 1)
        assert done.message == done.errors.get().message
        assert only_service().checked_at is None

    def test_text_that_a_database_refuses_is_made_fit(self, registry: Registry, server: PushableRegistry) -> None:
        odd = raw_layer({"app/na\udcffme.pyc": b"1" * 100, "root/.cache/pip/\udcfe": b"2" * 5000})
        labels = {"org.opencontainers.image.vendor": "Te\0am \ud800" + "x" * 200}
        server.push("team/app", "2.0", image(day(9), layers=(BASE, odd), labels=labels))
        done = scan(registry)
        assert done.status == Scan.Status.DONE, sentences(done)
        assert only_service().owner.startswith("Te")
        assert len(only_service().owner) <= 100
        assert any("root/.cache/pip" in path for finding in Finding.objects.all() for path in finding.paths)

    def test_a_newest_tag_that_cannot_be_read_for_once_stays_the_newest(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        scan(registry)
        server.replies["/v2/team/app/manifests/1.1"] = Response(500)
        assert scan(registry).status == Scan.Status.PARTIAL
        service = only_service()
        assert service.snapshot.tag == "1.1"
        assert service.suggestions.exists()

    def test_a_newest_tag_that_was_deleted_gives_way_to_the_one_before(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        scan(registry)
        server.replies["/v2/team/app/manifests/1.1"] = Response(404)
        scan(registry)
        assert only_service().snapshot.tag == "1.0"

    def test_sizes_that_no_column_holds_leave_out_their_tag_alone(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        old = image(day(-1))
        config, layers = old.document.body.split(b'"layers"')
        huge = config + b'"layers"' + re.sub(rb'"size": ?\d+', b'"size":%d' % (2**63 - 1), layers)
        server.push("team/app", "0.1", BuiltImage(Document(old.document.media_type, huge), old.config, old.layers))
        done = scan(registry)
        assert done.status == Scan.Status.PARTIAL
        assert done.errors.get().tag == "0.1"
        assert set(Snapshot.objects.values_list("tag", flat=True)) == {"1.0", "1.1"}

    def test_what_cannot_be_stored_fails_the_service_and_not_the_scan(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise OverflowError("secret detail")

        monkeypatch.setattr("fleet.snapshots.writing.store_images", broken)
        done = scan(registry)
        assert (done.status, done.services_failed) == (Scan.Status.FAILED, 1)
        assert "OverflowError" in done.message
        assert "secret" not in done.message
        assert not Snapshot.objects.exists()

    def test_a_clock_that_ran_ahead_makes_no_image_the_newest_for_ever(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        server.push("team/app", "0.9", image(datetime(2199, 1, 1, tzinfo=UTC)))
        scan(registry)
        assert only_service().snapshot.tag == "1.1"


class TestRegistriesThatCannotBeRead:
    def test_a_web_page_is_told_from_a_registry(self, server: PushableRegistry, registry: Registry) -> None:
        page = b"<!doctype html><title>It works</title>"
        server.replies["/v2/"] = Response(200, {"Content-Type": "text/html"}, (page,), len(page))
        done = scan(registry)
        assert done.status == Scan.Status.FAILED
        assert "registry" in done.message
        assert not Service.objects.exists()

    def test_a_refused_login_is_named_and_not_quoted(self) -> None:
        with PushableRegistry({"a": {"1": image()}}, credentials=("robot", "right")) as server:
            row = Registry.objects.create(name="Locked", url=server.url, username="robot", secret="wr0ng-s3cret")
            done = scan(row)
        assert done.status == Scan.Status.FAILED
        assert "login" in done.message
        assert "wr0ng-s3cret" not in done.message
        assert "right" not in done.message

    def test_nobody_there_is_unreachable(self, server: PushableRegistry, registry: Registry) -> None:
        registry.url = "http://127.0.0.1:1"
        registry.save()
        done = scan(registry)
        assert done.status == Scan.Status.FAILED
        assert "127.0.0.1:1" in done.message

    def test_a_failed_listing_takes_no_service_away(self, server: PushableRegistry, registry: Registry) -> None:
        scan(registry)
        server.replies["/v2/_catalog"] = Response(500)
        assert scan(registry).status == Scan.Status.FAILED
        assert only_service().gone_at is None

    def test_a_secret_that_no_key_opens_is_named(self, registry: Registry, settings) -> None:
        Registry.objects.update(secret="")
        registry.secret = "s3cret"
        registry.save()
        settings.PLIMSOLL_SECRET_KEYS = ["MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="]
        done = scan(Registry.objects.get())
        assert done.status == Scan.Status.FAILED
        assert "decrypted" in done.message
