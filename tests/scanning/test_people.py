"""What people add to a service: Dockerfiles, owners, policies."""

from __future__ import annotations

import pytest

from fleet import scanning
from fleet.models import (
    Analysis,
    Registry,
    Scan,
    Service,
    SizePolicy,
    Suggestion,
    Violation,
)
from tests.fakes.pushable import PushableRegistry, day, image
from tests.scanning.runs import only_service, scan, sentences

pytestmark = pytest.mark.django_db


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
        assert "Dockerfile" in Suggestion.objects.get(mode="rebuild", tier="slim").obstacle

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
