"""The writer: policies bind and let go, and rows are as every database wants them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from fleet import snapshots
from fleet.analysis.findings import Analysis, Finding, LayerFacts, Runtime
from fleet.dockerfile.suggestion import BaseImage, Gate, Mode, Obstacle, Suggestion
from fleet.image.filetree import apply_layers
from fleet.image.loading import LoadedImage
from fleet.image.packages.package import Package
from fleet.image.sizes import Sizes
from fleet.models import Finding as FindingRow
from fleet.models import Image, Registry, Service, SizePolicy, Snapshot, Verification, Violation
from fleet.oci.manifest import Descriptor, ImageConfig, Manifest, Platform
from fleet.snapshots import Judgement
from fleet.snapshots.text import storable

DIGEST = "sha256:" + "1" * 64

State = Service.PolicyState


@pytest.fixture
def registry(db: None) -> Registry:
    return Registry.objects.create(name="Hub", url="https://registry.example.com")


@pytest.fixture
def service(registry: Registry) -> Service:
    return weighed(registry, "team/app", 300)


def weighed(registry: Registry, repository: str, compressed_bytes: int, unpacked_bytes: int | None = None) -> Service:
    return Service.objects.create(
        registry=registry,
        repository=repository,
        platform="linux/amd64",
        compressed_bytes=compressed_bytes,
        unpacked_bytes=unpacked_bytes,
    )


def apply() -> None:
    snapshots.apply_policies(Service.objects.all())


def states() -> dict[str, str]:
    return dict(Service.objects.values_list("repository", "policy_state"))


def test_state_follows_the_worst_verdict(registry: Registry) -> None:
    for repository, size in (("ok/a", 100), ("ok/b", 101), ("ok/c", 201), ("free/d", 999)):
        weighed(registry, repository, size)
    SizePolicy.objects.create(
        name="Limit", repository_glob="ok/*", warn_compressed_bytes=100, fail_compressed_bytes=200
    )
    apply()
    assert states() == {"ok/a": State.OK, "ok/b": State.WARN, "ok/c": State.FAIL, "free/d": State.NONE}


def test_a_violation_that_stays_keeps_its_beginning(service: Service) -> None:
    policy = SizePolicy.objects.create(name="Limit", fail_compressed_bytes=200)
    apply()
    began = timezone.now() - timedelta(days=30)
    Violation.objects.update(since=began)
    Service.objects.update(compressed_bytes=250)
    apply()
    violation = Violation.objects.get()
    assert (violation.since, violation.measured_bytes, violation.limit_bytes) == (began, 250, 200)
    policy.fail_compressed_bytes, policy.warn_compressed_bytes = None, 220
    policy.save()
    apply()
    violation = Violation.objects.get()
    assert (violation.since, violation.level) == (began, Violation.Level.WARN)


def test_a_violation_ends_with_its_cause(service: Service) -> None:
    policy = SizePolicy.objects.create(name="Limit", fail_compressed_bytes=200)
    apply()
    assert Violation.objects.count() == 1
    Service.objects.update(compressed_bytes=200)
    apply()
    assert not Violation.objects.exists()
    assert states() == {"team/app": State.OK}
    policy.enabled = False
    policy.save()
    apply()
    assert states() == {"team/app": State.NONE}


def test_what_counts_is_the_size_of_now(service: Service) -> None:
    """A scan may weigh a service anew between the listing of the fleet and its turn."""
    SizePolicy.objects.create(name="Limit", fail_compressed_bytes=200)
    listed = list(Service.objects.all())
    Service.objects.update(compressed_bytes=100)
    snapshots.apply_policies(listed)
    assert not Violation.objects.exists()
    assert states() == {"team/app": State.OK}


def test_an_unknown_size_breaks_no_limit(service: Service) -> None:
    SizePolicy.objects.create(name="Limit", fail_unpacked_bytes=1)
    apply()
    assert states() == {"team/app": State.OK}


def test_what_is_gone_is_under_no_policy(service: Service) -> None:
    SizePolicy.objects.create(name="Limit", fail_compressed_bytes=1)
    apply()
    Service.objects.update(gone_at=timezone.now())
    apply()
    assert not Violation.objects.exists()
    assert states() == {"team/app": State.NONE}


def test_a_large_fleet_takes_few_queries(registry: Registry, django_assert_max_num_queries) -> None:
    Service.objects.bulk_create(
        Service(registry=registry, repository=f"app/{number}", platform="linux/amd64", compressed_bytes=number)
        for number in range(1200)
    )
    SizePolicy.objects.create(name="Limit", fail_compressed_bytes=600)
    with django_assert_max_num_queries(40):
        apply()
    assert Violation.objects.count() == 599


@pytest.mark.parametrize(
    ("text", "limit", "stored"),
    [
        ("plain", None, "plain"),
        ("a\0b", None, "a\ufffdb"),
        ("a\udcff", None, "a\ufffd\ufffd\ufffd"),
        ("abcdef", 4, "abc…"),
    ],
)
def test_text_is_made_fit_for_every_database(text: str, limit: int | None, stored: str) -> None:
    assert storable(text, limit) == stored


class TestJudgements:
    """What rules and recipes say becomes the ranking's columns."""

    @pytest.fixture
    def service(self, registry: Registry) -> Service:
        service = weighed(registry, "team/app", 1000)
        stored = Image.objects.create(digest=DIGEST, compressed_bytes=1000, manifest=b"{}", config=b"{}")
        service.snapshot = Snapshot.objects.create(
            service=service,
            image=stored,
            tag="1",
            head_digest=DIGEST,
            taken_at=timezone.now(),
            compressed_bytes=1000,
            unpacked_bytes=3000,
        )
        service.save()
        return service

    def judge(self, service: Service, *offers: Suggestion | Obstacle, waste: int = 150) -> Service:
        finding = Finding("apt-cache", "Apt caches", "", Sizes(400, waste), 0, ("/var/cache/\udcff",), 1)
        layer = LayerFacts("sha256:l", "sha256:d", "", Sizes(3000, 1000), 9, "RUN apt-get install gcc", False)
        runtime = Runtime("python", "3.11.9", "PYTHON_VERSION")
        analysis = Analysis(1, runtime, (layer,), (Package("deb", "gcc", "12", 9, 0),), (finding,))
        config = Descriptor("", "sha256:c", 1)
        image = LoadedImage(
            "registry.example.com/team/app",
            Descriptor("", DIGEST, 1),
            Manifest("", config, ()),
            ImageConfig(Platform("linux", "amd64")),
            (),
            apply_layers(()),
        )
        snapshots.write_judgement(service, Judgement(image, analysis, offers))
        return Service.objects.get(pk=service.pk)

    def test_the_usable_suggestion_that_saves_most_is_recommended(self, service: Service) -> None:
        judged = self.judge(service, offer("repack", 400), offer("rebuild", 200))
        assert judged.suggestions.get(recommended=True).mode == "rebuild"
        assert (judged.savings_compressed_bytes, judged.savings_percent) == (800, 80.0)
        assert judged.savings_source == Service.SavingsSource.SUGGESTION

    def test_a_failed_gate_is_never_recommended(self, service: Service) -> None:
        judged = self.judge(service, offer("repack", 400), offer("rebuild", 200, passed=False))
        assert judged.suggestions.get(recommended=True).mode == "repack"
        assert judged.savings_compressed_bytes == 600

    def test_what_an_engine_said_of_the_same_text_still_holds(self, service: Service) -> None:
        judged = self.judge(service, offer("repack", 400))
        text = judged.suggestions.get().dockerfile
        Verification.objects.create(
            service=service,
            image=judged.suggestions.get().image,
            mode="repack",
            tier="slim",
            dockerfile=text,
            dockerfile_sha256=snapshots.digest_of(text),
            status=Verification.Status.FAILED,
            reasons=["It ended with exit code 127."],
        )
        again = self.judge(service, offer("repack", 400))
        assert not again.suggestions.get().usable
        assert again.savings_source == Service.SavingsSource.FINDINGS
        assert "exit code 127" in again.suggestions.get().gates[-1]["detail"]

    def test_without_a_useful_suggestion_the_findings_count(self, service: Service) -> None:
        judged = self.judge(service, offer("repack", 1100), Obstacle("rebuild", "slim", "There is no recipe."))
        assert not judged.suggestions.filter(recommended=True).exists()
        assert (judged.savings_compressed_bytes, judged.savings_unpacked_bytes) == (150, 400)
        assert judged.savings_source == Service.SavingsSource.FINDINGS
        assert judged.suggestions.get(mode="rebuild").obstacle == "There is no recipe."

    def test_a_second_word_replaces_the_first(self, service: Service) -> None:
        self.judge(service, offer("repack", 400), offer("rebuild", 200))
        judged = self.judge(service, Obstacle("repack", "slim", "Nothing left to take."), waste=7)
        repack = judged.suggestions.get()
        assert (repack.mode, repack.dockerfile, repack.usable, repack.recommended) == ("repack", "", False, False)
        assert judged.savings_compressed_bytes == 7
        assert FindingRow.objects.count() == 1
        assert FindingRow.objects.get().created_by == "RUN apt-get install gcc"


def offer(mode: Mode, after_bytes: int, *, passed: bool = True) -> Suggestion:
    base = BaseImage("python:3.11-slim", Sizes(100, 40), "table", as_of="2026-11-01")
    gate = Gate("entry point", passed, "It resolves.")
    return Suggestion(
        mode, "slim", "FROM python:3.11-slim\n", base, Sizes(3000, 1000), Sizes(2 * after_bytes, after_bytes), (gate,)
    )
