"""The tags that make a service's history: which are read, in what order, over how many scans, and what becomes of those
that vanish."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from fleet import scanning, snapshots
from fleet.models import Registry, Scan, ScanError, Service, SizePolicy, Snapshot, Violation
from fleet.oci.answer import Stats
from fleet.oci.errors import RateLimited, RegistryError
from fleet.sample.build import BuiltImage
from fleet.sample.registry import Request, Response
from fleet.scanning.reading import Sighting, sight, survey
from tests.fakes.pushable import PushableRegistry, artifact, day, image

pytestmark = pytest.mark.django_db

TITLE, VENDOR = "org.opencontainers.image.title", "org.opencontainers.image.vendor"
LIMITED = Response(429, {"Retry-After": "7200"})


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"team/app": {f"1.{n}": image(day(n), app=b"v%d" % n) for n in range(6)}}) as registry:
        yield registry


@pytest.fixture
def registry(server: PushableRegistry) -> Registry:
    return Registry.objects.create(name="Hub", url=server.url)


def begin(registry: Registry, service: Service | None = None) -> Scan:
    running = scanning.start(registry, Scan.Trigger.COMMAND, service)
    scanning.begin(running)
    scanning.discover(running)
    return running


def look(service: Service) -> Sighting:
    with closing(scanning.connect(service.registry)) as endpoint:
        return sight(service, endpoint.source(service.repository), survey(service, endpoint))


def read(running: Scan, service: Service) -> bool:
    try:
        record = look(service).record()
    except RegistryError as error:
        record = snapshots.Record(remarks=(snapshots.Remark(str(error)),), failed=True)
    return snapshots.write(running, service, record)


def scan(registry: Registry) -> Scan:
    registry.save()
    return scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND))


def only_service() -> Service:
    return Service.objects.select_related("registry", "snapshot").get()


def tags() -> set[str]:
    return set(Snapshot.objects.values_list("tag", flat=True))


def gone() -> set[str]:
    return set(Snapshot.objects.filter(gone_at__isnull=False).values_list("tag", flat=True))


def asked(server: PushableRegistry) -> list[str]:
    found = [path.rpartition("/")[2] for path in server.asked("HEAD")]
    server.forget_requests()
    return found


class TestBudget:
    def test_the_newest_are_read_first_and_later_scans_go_on(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        registry.history_tags, registry.history_per_scan = 5, 2
        expected = {"1.5", "1.4"}
        for more, left in (({"1.3", "1.2"}, 3), ({"1.1"}, 1), (set(), 0)):
            done = scan(registry)
            assert (done.status, done.error_count) == (Scan.Status.DONE, 0)
            assert tags() == expected
            assert only_service().snapshot.tag == "1.5"
            assert only_service().history_left == left
            expected |= more
        server.forget_requests()
        scan(registry)
        assert not server.asked("GET", "/manifests/")
        assert sorted(asked(server)) == ["1.1", "1.2", "1.3", "1.4", "1.5"]

    def test_a_notice_says_what_is_left(self, registry: Registry) -> None:
        registry.history_per_scan = 4
        assert "2 more tags of its history are still to be read." in scan(registry).errors.get().message
        assert ScanError.objects.get().level == ScanError.Level.NOTICE
        assert not scan(registry).errors.exists()

    def test_tags_that_give_errors_do_not_hold_up_the_others(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        registry.history_per_scan = 1
        for tag, status in (("1.5", 404), ("1.4", 400)):
            server.replies[f"/v2/team/app/manifests/{tag}"] = Response(status)
        scan(registry)
        scan(registry)
        assert tags() == {"1.3", "1.2"}

    def test_known_tags_that_move_are_read_whatever_is_left(self, server: PushableRegistry, registry: Registry) -> None:
        registry.history_per_scan = 1
        scan(registry)
        server.push("team/app", "1.5", image(day(20), app=b"moved"))
        scan(registry)
        assert Snapshot.objects.filter(tag="1.5").count() == 2
        assert tags() == {"1.5", "1.4"}

    def test_legacy_images_are_named_and_no_failure(self, server: PushableRegistry, registry: Registry) -> None:
        legacy = {"Content-Type": "application/vnd.docker.distribution.manifest.v1+json"}
        server.replies["/v2/team/app/manifests/1.5"] = Response(200, legacy, (b"{}",), 2)
        done = scan(registry)
        assert (done.status, done.error_count) == (Scan.Status.DONE, 0)
        assert "schema 1" in done.errors.get(tag="1.5").message


class TestByDate:
    @pytest.fixture(autouse=True)
    def by_date(self, server: PushableRegistry, registry: Registry) -> None:
        registry.tag_order, registry.history_tags, registry.history_per_scan = Registry.TagOrder.DATE, 2, 2
        server.delete("team/app")
        for tag, number in (("1.0", 9), ("2.0", 1), ("1.1", 5), ("0.1", 7)):
            server.push("team/app", tag, image(day(number), app=tag.encode()))

    def test_unknown_tags_are_read_until_the_newest_by_date_are_known(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        scan(registry)
        assert asked(server) == ["2.0", "1.1"]
        assert (only_service().snapshot.tag, only_service().history_left) == ("1.1", 2)
        scan(registry)
        assert asked(server) == ["1.1", "2.0", "1.0", "0.1"]
        assert (only_service().snapshot.tag, only_service().history_left) == ("1.0", 0)
        scan(registry)
        assert asked(server) == ["1.0", "0.1"]
        assert only_service().snapshot.tag == "1.0"
        assert tags() == {"2.0", "1.1", "1.0", "0.1"}
        assert gone() == set()

    def test_a_new_tag_is_read_and_pushes_the_oldest_out(self, server: PushableRegistry, registry: Registry) -> None:
        scan(registry)
        scan(registry)
        server.push("team/app", "0.9", image(day(30), app=b"new"))
        server.forget_requests()
        scan(registry)
        assert asked(server) == ["1.0", "0.1", "0.9"]
        scan(registry)
        assert asked(server) == ["0.9", "1.0"]
        assert only_service().snapshot.tag == "0.9"

    def test_names_that_move_are_asked_for_however_old_they_are(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        registry.history_per_scan = 9
        server.push("team/app", "latest", image(day(0), app=b"old"))
        scan(registry)
        server.push("team/app", "latest", image(day(40), app=b"moved"))
        scan(registry)
        assert only_service().snapshot.tag == "latest"
        assert Snapshot.objects.filter(tag="latest").count() == 2

    def test_what_is_no_image_is_asked_for_once(self, server: PushableRegistry, registry: Registry) -> None:
        registry.history_per_scan = 9
        server.push("team/app", "3.0-chart", artifact())
        scan(registry)
        assert set(only_service().skipped) == {"3.0-chart"}
        server.forget_requests()
        for _ in range(2):
            scan(registry)
            assert asked(server) == ["1.0", "0.1"]
        assert set(only_service().skipped) == {"3.0-chart"}
        server.delete("team/app", "3.0-chart")
        scan(registry)
        assert only_service().skipped == {}


class TestPatterns:
    @pytest.mark.parametrize(
        ("syntax", "pattern", "read"),
        [
            ("glob", "1.[2-4]", {"1.2", "1.3", "1.4"}),
            ("regex", r"1\.[45]|0", {"1.4", "1.5"}),
            ("semver", "1.2 - 1.3 || >=1.5", {"1.2", "1.3", "1.5"}),
        ],
    )
    def test_only_what_matches_is_read(self, registry: Registry, syntax: str, pattern: str, read: set[str]) -> None:
        registry.tag_syntax, registry.tag_pattern = syntax, pattern
        scan(registry)
        assert tags() == read

    def test_a_stored_pattern_that_cannot_be_used_is_an_error_that_says_so(self, registry: Registry) -> None:
        registry.tag_syntax, registry.tag_pattern = "semver", "newest"
        done = scan(registry)
        assert done.status == Scan.Status.FAILED
        assert "The tag pattern of Hub cannot be used. 'newest' is no version range." in done.message

    def test_a_listing_that_repeats_tags_counts_each_once(self, server: PushableRegistry, registry: Registry) -> None:
        server._tags["team/app"] *= 3
        registry.history_tags = 2
        scan(registry)
        assert sorted(asked(server)) == ["1.4", "1.5"]


class TestInterruption:
    def test_what_was_read_so_far_is_kept_and_the_rest_follows(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        server.push("team/app", "1.9", artifact())
        server.replies["/v2/team/app/manifests/1.3"] = LIMITED
        running = begin(registry)
        requests = Scan.objects.get().requests
        service = only_service()
        sighting = look(service)
        assert isinstance(sighting.interrupted, RateLimited)
        assert snapshots.write(running, service, replace(sighting.record(requests=7), complete=False))
        assert tags() == {"1.5", "1.4"}
        stored = only_service()
        assert (stored.last_scan, stored.checked_at, stored.snapshot) == (None, None, None)
        assert set(stored.skipped) == {"1.9"}
        running.refresh_from_db()
        assert (running.services_done, running.tags, running.snapshots) == (0, 0, 2)
        assert running.requests == requests + 7
        server.replies.clear()
        server.forget_requests()
        read(running, stored)
        assert len(server.asked("GET", "/manifests/")) == 4
        scanning.finish(running)
        assert (running.status, running.services_done, running.snapshots) == (Scan.Status.DONE, 1, 6)
        assert only_service().snapshot.tag == "1.5"

    def test_what_was_not_asked_stays_as_it_was(self, server: PushableRegistry, registry: Registry) -> None:
        server.push("team/app", "1.2", artifact())
        scan(registry)
        server.replies["/v2/team/app/manifests/1.4"] = LIMITED
        server.delete("team/app", "1.0")
        service = only_service()
        sighting = look(service)
        assert {seen.tag for seen in sighting.unread} == {"1.4", "1.3", "1.1"}
        # Whether it is written as a part, or as all that could be had after many pauses.
        for complete in (False, True):
            assert snapshots.write(begin(registry), service, replace(sighting.record(), complete=complete))
            Scan.objects.update(status=Scan.Status.DONE)
            stored = only_service()
            assert (gone(), set(stored.skipped), stored.snapshot.tag) == (set(), {"1.2"}, "1.5")

    def test_while_another_lane_lets_the_scan_rest_a_service_is_written(self, registry: Registry) -> None:
        running = begin(registry)
        Scan.objects.update(status=Scan.Status.PAUSED, pauses=3)
        assert read(running, only_service())
        running.refresh_from_db()
        assert (running.services_done, running.pauses) == (1, 0)

    @pytest.mark.parametrize("complete", [True, False])
    def test_a_scan_that_is_over_gets_nothing(self, registry: Registry, complete: bool) -> None:
        running = begin(registry)
        record = look(only_service()).record()
        scanning.cancel(Scan.objects.get())
        assert not snapshots.write(running, only_service(), replace(record, complete=complete))
        assert tags() == set()
        assert only_service().skipped == {}

    def test_a_login_that_is_refused_is_not_tried_for_every_tag(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        scan(registry)
        for tag in tags():
            server.replies[f"/v2/team/app/manifests/{tag}"] = Response(403)
        server.forget_requests()
        done = scan(registry)
        assert (done.status, done.error_count) == (Scan.Status.FAILED, 1)
        assert asked(server) == ["1.5"]
        assert only_service().snapshot.tag == "1.5"


class TestVanishedTags:
    def test_a_tag_that_vanishes_is_marked_and_unmarked_when_it_returns(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        scan(registry)
        server.delete("team/app", "1.3")
        scan(registry)
        marked = Snapshot.objects.get(tag="1.3").gone_at
        assert gone() == {"1.3"}
        assert len(tags()) == 6
        scan(registry)
        assert Snapshot.objects.get(tag="1.3").gone_at == marked
        server.push("team/app", "1.3", image(day(3), app=b"v3"))
        scan(registry)
        assert gone() == set()
        assert Snapshot.objects.count() == 6

    def test_a_tag_that_returns_as_another_image_was_gone_in_between(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        scan(registry)
        server.delete("team/app", "1.3")
        scan(registry)
        server.push("team/app", "1.3", image(day(33), app=b"again"))
        for _ in range(2):
            scan(registry)
            history = Snapshot.objects.filter(tag="1.3").order_by("pk")
            assert history.count() == 2
            assert history[1].gone_at is None

    def test_the_newest_is_one_that_is_there(self, server: PushableRegistry, registry: Registry) -> None:
        scan(registry)
        server.delete("team/app", "1.5")
        scan(registry)
        assert only_service().snapshot.tag == "1.4"
        assert only_service().compressed_bytes == only_service().snapshot.compressed_bytes

    def test_what_fell_out_of_the_selection_is_not_gone(self, registry: Registry) -> None:
        scan(registry)
        for changes in ({"history_tags": 2}, {"tag_pattern": "1.0"}, {"tag_pattern": "none"}):
            Registry.objects.update(**changes)
            scan(Registry.objects.get())
            assert gone() == set()

    @pytest.mark.parametrize("path", ["/v2/team/app/tags/list", "/v2/_catalog"])
    def test_a_listing_that_fails_takes_nothing_away(
        self, server: PushableRegistry, registry: Registry, path: str
    ) -> None:
        scan(registry)
        server.replies[path] = Response(400)
        assert scan(registry).status == Scan.Status.FAILED
        assert gone() == set()
        assert only_service().compressed_bytes

    def test_a_tag_that_is_listed_and_not_there_is_gone(self, server: PushableRegistry, registry: Registry) -> None:
        scan(registry)
        server.replies["/v2/team/app/manifests/1.5"] = Response(404)
        scan(registry)
        assert (gone(), only_service().snapshot.tag) == ({"1.5"}, "1.4")
        server.replies.clear()
        scan(registry)
        assert (gone(), only_service().snapshot.tag) == (set(), "1.5")

    @pytest.mark.parametrize("answers_404", [True, False])
    def test_a_service_whose_tags_are_all_gone_weighs_nothing_and_keeps_its_history(
        self, server: PushableRegistry, registry: Registry, answers_404: bool
    ) -> None:
        SizePolicy.objects.create(name="Small", fail_compressed_bytes=10)
        scan(registry)
        size = only_service().compressed_bytes
        assert Service.objects.present().count() == Violation.objects.count() == 1
        before, server._tags["team/app"] = server._tags["team/app"], []
        if answers_404:
            server.replies["/v2/team/app/tags/list"] = Response(404)
        for _ in range(2):
            assert scan(registry).status == Scan.Status.DONE
            service = only_service()
            assert (service.gone_at, service.compressed_bytes, service.savings_compressed_bytes) == (None, None, None)
            assert service.snapshot.gone_at is not None
            assert len(gone()) == 6
            assert not Service.objects.present().exists()
            assert not Violation.objects.exists()
        server._tags["team/app"] = before
        server.replies.clear()
        scan(registry)
        assert (gone(), only_service().compressed_bytes) == (set(), size)
        assert Service.objects.present().count() == Violation.objects.count() == 1

    def test_a_typed_name_that_is_not_found_is_a_mistake_and_takes_nothing_away(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        registry.listing, registry.include = Registry.Listing.NAMES, "team/app"
        scan(registry)
        server.replies["/v2/team/app/tags/list"] = Response(404)
        assert scan(registry).status == Scan.Status.FAILED
        assert gone() == set()


class TestMovingTags:
    def test_a_tag_that_moves_while_it_is_read_is_seen_as_it_was(self, registry: Registry) -> None:
        first, second = image(day(0), app=b"first"), image(day(1), app=b"second")
        with _MovesOnHead({"team/app": {"prod": first}}, second) as server:
            registry.url = server.url
            scan(registry)
            assert [snapshot.head_digest for snapshot in Snapshot.objects.all()] == [first.digest]
            assert only_service().snapshot.image.digest == first.digest
            scan(registry)
            assert [snapshot.head_digest for snapshot in Snapshot.objects.all()] == [first.digest, second.digest]
            assert only_service().snapshot.image.digest == second.digest

    def test_two_scans_that_see_the_same_move_write_it_once(self, server: PushableRegistry, registry: Registry) -> None:
        scan(registry)
        server.push("team/app", "1.5", image(day(9), app=b"moved"))
        seen = [look(only_service()).record() for _ in range(2)]
        for record in seen:
            assert snapshots.write(begin(registry), only_service(), record)
            Scan.objects.update(status=Scan.Status.DONE)
        assert Snapshot.objects.filter(tag="1.5").count() == 2

    def test_the_scan_of_one_service_gives_that_of_its_registry_no_work(self, registry: Registry) -> None:
        whole = begin(registry)
        read(whole, only_service())
        single = Scan.objects.create(registry=registry, service=only_service(), trigger="push", status="running")
        assert read(single, only_service())
        assert not read(single, only_service())
        assert only_service().last_scan == whole
        single.refresh_from_db()
        assert single.services_done == 1
        assert scanning.finish(whole)
        again = Scan.objects.create(registry=registry, service=only_service(), trigger="push", status="running")
        assert read(again, only_service())
        assert only_service().last_scan == again


class _MovesOnHead(PushableRegistry):
    """Its one tag moves right after it was asked for."""

    def __init__(self, images: dict[str, dict[str, BuiltImage]], then: BuiltImage) -> None:
        super().__init__(images)
        self.then = then

    def answer(self, request: Request) -> Response:
        response = super().answer(request)
        if request.method == "HEAD":
            self.push("team/app", "prod", self.then)
        return response


class TestUndatedImages:
    def test_versions_decide_where_dates_are_missing(self, server: PushableRegistry, registry: Registry) -> None:
        for tag in ("1.10", "1.9", "latest"):
            server.push("team/app", tag, image(None, app=tag.encode()))
        scan(registry)
        assert only_service().snapshot.tag == "1.10"

    def test_a_name_that_moves_after_the_last_version_is_the_newest(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        server.delete("team/app")
        for tag in ("1.0", "latest"):
            server.push("plain/app", tag, image(None))
        scan(registry)
        assert only_service().snapshot.tag == "1.0"
        server.push("plain/app", "latest", image(None, app=b"moved"))
        scan(registry)
        assert only_service().snapshot.tag == "latest"


class TestNamesAndOwners:
    @pytest.fixture(autouse=True)
    def labelled(self, server: PushableRegistry) -> None:
        server.push("team/app", "2.0", image(day(9), labels={TITLE: "The  App\n", VENDOR: "Acme"}))

    def test_rules_name_services_and_are_followed_when_they_change(
        self, server: PushableRegistry, registry: Registry
    ) -> None:
        for rules, name in (
            (f"label:{TITLE}\nstrip:team/", "The App"),
            ("strip:team/", "app"),
            ("label:missing", ""),
            (f"label:{TITLE}", "The App"),
            ("", ""),
        ):
            registry.name_rules = rules
            scan(registry)
            assert only_service().name == name
        assert len(server.asked("GET", "/manifests/")) == 7

    def test_rules_fill_in_owners_that_nobody_named(self, server: PushableRegistry, registry: Registry) -> None:
        server.push("shop/api", "1", image(day(1)))
        server.push("shop/web", "1", image(day(1)))
        Service.objects.create(registry=registry, repository="shop/web", platform="linux/amd64", owner="Ledger")
        policy = SizePolicy.objects.create(name="Shop", owner="Shop team", warn_compressed_bytes=1)
        scan(registry)
        assert not Violation.objects.exists()
        registry.owner_rules = f"shop/* = Shop team\nlabel:{VENDOR}"
        scan(registry)
        owners = {"team/app": "Acme", "shop/api": "Shop team", "shop/web": "Ledger"}
        assert dict(Service.objects.values_list("repository", "owner")) == owners
        assert policy.violations.get().service.repository == "shop/api"
        registry.owner_rules = "* = Somebody else"
        scan(registry)
        assert dict(Service.objects.values_list("repository", "owner")) == owners


class TestUnchanged:
    def test_a_service_where_nothing_changed_costs_one_query_and_two_updates(
        self, registry: Registry, django_assert_num_queries
    ) -> None:
        scan(registry)
        SizePolicy.objects.create(name="Small", fail_compressed_bytes=10)
        running, service = begin(registry), only_service()
        # The tags as they were last seen; then a savepoint, the service's row, the scan's row, and the savepoint's end.
        with django_assert_num_queries(5):
            assert read(running, service)
        assert only_service().last_scan == running

    def test_a_whole_service_costs_one_query_more(self, registry: Registry, django_assert_num_queries) -> None:
        scan(registry)
        running, service = begin(registry), only_service()
        with closing(scanning.connect(registry)) as endpoint, django_assert_num_queries(6):
            assert scanning.scan_service(running, service, endpoint)

    def test_gone_tags_and_names_cost_nothing_more(
        self, server: PushableRegistry, registry: Registry, django_assert_num_queries
    ) -> None:
        registry.name_rules, registry.owner_rules = "strip:team/", "path:2"
        scan(registry)
        server.delete("team/app", "1.0")
        scan(registry)
        running, service = begin(registry), only_service()
        with django_assert_num_queries(5):
            assert read(running, service)
        assert (only_service().name, gone()) == ("app", {"1.0"})


class _Listing:
    """An endpoint that lists whatever it is told."""

    def __init__(self, *names: str) -> None:
        self.stats = Stats()
        self.names = names

    def check(self) -> None:
        """It answers."""

    def repositories(self) -> Iterator[str]:
        yield from self.names


class TestListings:
    def listed(self, registry: Registry, *names: str) -> Scan:
        running = scanning.start(registry, Scan.Trigger.COMMAND)
        scanning.begin(running)
        scanning.discover(running, _Listing(*names))  # type: ignore[arg-type]
        return running

    def test_a_name_that_is_listed_twice_is_one_service(self, registry: Registry) -> None:
        assert self.listed(registry, "b", "a", "b", "a").services == 2
        assert list(Service.objects.values_list("repository", flat=True)) == ["a", "b"]

    def test_names_that_are_none_are_told_up_to_twenty_and_then_counted(self, registry: Registry) -> None:
        wrong = [f"bad\n{number}" for number in range(5000)] + ["x" * 5000] * 5000
        running = self.listed(registry, "good", *wrong)
        assert running.services == 1
        messages = list(running.errors.values_list("message", flat=True))
        assert len(messages) == 21
        assert "In all, 10000 names" in messages[-1]
        assert max(map(len, messages)) < 300
        assert running.errors.filter(level=ScanError.Level.ERROR).count() == 0

    def test_one_name_that_is_none_is_told_once(self, registry: Registry) -> None:
        assert "'a\\nb'" in self.listed(registry, "a\nb", "good", "a\nb").errors.get().message

    def test_services_of_another_platform_give_way(self, registry: Registry) -> None:
        self.listed(registry, "a", "b")
        Scan.objects.update(status=Scan.Status.DONE)
        registry.platform = "linux/arm64"
        registry.save()
        self.listed(registry, "a")
        found = Service.objects.filter(gone_at=None).values_list("repository", "platform")
        assert list(found) == [("a", "linux/arm64")]
        assert Service.objects.filter(gone_at__gt=timezone.now() - timedelta(minutes=5)).count() == 2
