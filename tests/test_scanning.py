"""Scans against a real registry over HTTP: what is read, what is written, and what is left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from fleet import scanning
from fleet.models import (
    Analysis,
    Finding,
    Image,
    Layer,
    Registry,
    Scan,
    ScanError,
    Service,
    SizePolicy,
    Snapshot,
    Suggestion,
    Violation,
)
from fleet.models.scan import STALE_AFTER
from fleet.sample.build import BuiltImage, Document
from fleet.sample.registry import Response
from tests.fakes.pushable import BASE, PushableRegistry, artifact, day, image, raw_layer

NEWEST = image(day(7), app=b"x" * 9000)
pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"team/app": {"1.0": image(day(0)), "1.1": NEWEST}}) as registry:
        yield registry


@pytest.fixture
def registry(server: PushableRegistry) -> Registry:
    return Registry.objects.create(name="Hub", url=server.url)


def scan(registry: Registry, service: Service | None = None) -> Scan:
    return scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND, service))


def only_service() -> Service:
    return Service.objects.select_related("snapshot__image", "registry").get()


def sentences(scan: Scan) -> str:
    return "\n".join(scan.errors.values_list("message", flat=True))


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

    def test_sizes_that_no_column_holds_fail_the_service_and_not_the_scan(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        old = image(day(-1))
        config, layers = old.document.body.split(b'"layers"')
        huge = config + b'"layers"' + re.sub(rb'"size": ?\d+', b'"size":%d' % (2**63 - 1), layers)
        server.push("team/app", "0.1", BuiltImage(Document(old.document.media_type, huge), old.config, old.layers))
        done = scan(registry)
        assert done.status == Scan.Status.FAILED
        assert not Image.objects.exists()

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
        assert scanning.begin(queued, again=True)
        began = queued.started_at
        assert began is not None
        assert scanning.begin(queued, again=True)
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
        def interrupt(done: int, total: int, repository: str) -> None:
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


class TestWhatPeopleAdd:
    def test_a_dockerfile_changes_the_suggestion_without_a_request(
        self, registry: Registry, server: PushableRegistry
    ) -> None:
        scan(registry)
        Service.objects.update(dockerfile="FROM python:3.11\nCOPY . /app\nCMD python3.11 /app/main.py\n")
        Suggestion.objects.update(obstacle="old", dockerfile="old")
        server.forget_requests()
        assert scanning.reconsider(only_service())
        assert not Suggestion.objects.filter(obstacle="old").exists()
        assert not server.requests

    def test_a_dockerfile_that_does_not_parse_leaves_the_rest_of_the_judgement(self, registry: Registry) -> None:
        Service.objects.create(
            registry=registry, repository="team/app", platform="linux/amd64", dockerfile="no instruction\n"
        )
        done = scan(registry)
        assert done.status == Scan.Status.DONE, sentences(done)
        assert Analysis.objects.exists()
        assert "Dockerfile" in Suggestion.objects.get(mode="rebuild").obstacle

    def test_a_word_on_an_image_that_is_the_newest_no_more_changes_nothing(
        self, registry: Registry, server: PushableRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scan(registry)
        stale = only_service()
        server.push("team/app", "1.2", image(day(9), app=b"y" * 5000))
        scan(registry)
        offered = set(Suggestion.objects.values_list("image_id", "before_compressed_bytes"))
        assert not scanning.reconsider(stale)
        assert set(Suggestion.objects.values_list("image_id", "before_compressed_bytes")) == offered

    def test_an_owner_that_people_named_outlives_the_label(self, registry: Registry, server: PushableRegistry) -> None:
        labelled = {"org.opencontainers.image.vendor": "Payments"}
        server.push("team/app", "2.0", image(day(9), labels=labelled))
        server.push("team/own", "2.0", image(day(9), labels=labelled))
        Service.objects.create(registry=registry, repository="team/own", platform="linux/amd64", owner="Ledger")
        scan(registry)
        owners = dict(Service.objects.values_list("repository", "owner"))
        assert owners == {"team/app": "Payments", "team/own": "Ledger"}

    def test_a_policy_flags_the_service_that_a_scan_weighed(self, registry: Registry) -> None:
        SizePolicy.objects.create(name="Small", warn_compressed_bytes=10, fail_unpacked_bytes=1000)
        SizePolicy.objects.create(name="Elsewhere", repository_glob="lab/*", fail_compressed_bytes=1)
        scan(registry)
        service = only_service()
        assert service.policy_state == Service.PolicyState.FAIL
        found = Violation.objects.values_list("policy__name", "kind", "level", "measured_bytes")
        assert set(found) == {
            ("Small", "compressed", "warn", service.compressed_bytes),
            ("Small", "unpacked", "fail", service.unpacked_bytes),
        }
