"""A verification's row from queued to its end: once, whatever is delivered twice or dies."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import docker
import pytest
from django.utils import timezone

from fleet import scanning, tasks
from fleet.models import Engine, Image, Registry, Service, ServiceProbe, Suggestion, Verification
from fleet.oci.errors import RegistryError
from fleet.verification import jobs
from fleet.verification.verify import Outcome
from tests.dashboard.factories import make_registry, make_service, make_suggestion
from tests.verification.parts import BUSYBOX, SERVE, command, copied

pytestmark = pytest.mark.django_db
Status = Verification.Status


@pytest.fixture
def engine_row() -> Engine:
    return Engine.objects.create(name="builder", url="unix:///nowhere/docker.sock")


@pytest.fixture
def suggestion() -> Suggestion:
    return make_suggestion(make_service("shop/web"))


def begun(suggestion: Suggestion) -> Verification:
    verification = jobs.start(suggestion)
    assert jobs.begin(verification)
    return verification


def test_it_is_off_until_an_engine_is_enabled(suggestion: Suggestion) -> None:
    assert not jobs.is_on()
    verification = jobs.start(suggestion)
    assert not jobs.begin(verification)
    assert (verification.status, verification.cause) == (Status.INCONCLUSIVE, "no-engine")
    assert verification.reasons == [jobs.NO_ENGINE]
    Engine.objects.create(name="off", url="unix:///x", enabled=False)
    assert not jobs.is_on()


@pytest.mark.usefixtures("engine_row")
def test_a_rung_is_verified_once_at_a_time(suggestion: Suggestion) -> None:
    first = jobs.start(suggestion)
    assert jobs.start(suggestion) == first
    assert jobs.begin(first)
    assert jobs.start(suggestion) == first
    assert not jobs.begin(Verification.objects.get(pk=first.pk)), "a task that is delivered twice"
    assert first.attempts == 1
    jobs.cancel(first)
    assert jobs.start(suggestion) != first


@pytest.mark.usefixtures("engine_row")
def test_an_engine_works_on_one_at_a_time(suggestion: Suggestion) -> None:
    first = begun(suggestion)
    second = jobs.start(make_suggestion(make_service()))
    assert not jobs.begin(second)
    assert second.status == Status.QUEUED
    Engine.objects.create(name="second", url="unix:///x")
    assert jobs.begin(second)
    assert second.engine != first.engine


@pytest.mark.usefixtures("engine_row")
def test_one_whose_worker_died_is_begun_again_and_not_for_ever(suggestion: Suggestion) -> None:
    verification = begun(suggestion)
    assert jobs.lost() == []
    for attempt in range(2, jobs.MOST_ATTEMPTS + 1):
        Verification.objects.update(held_until=timezone.now() - timedelta(seconds=1))
        assert jobs.lost() == [verification.pk]
        old_holder = verification.holder
        assert jobs.begin(verification)
        assert (verification.attempts, verification.holder != old_holder) == (attempt, True)
    Verification.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    assert not jobs.begin(verification)
    assert (verification.status, verification.cause) == (Status.INCONCLUSIVE, "worker-stopped")


@pytest.mark.usefixtures("engine_row")
def test_one_that_the_queue_lost_is_sent_again(suggestion: Suggestion) -> None:
    verification = jobs.start(suggestion)
    assert jobs.lost() == []
    Verification.objects.update(queued_at=timezone.now() - timedelta(hours=1))
    assert jobs.lost() == [verification.pk]
    assert jobs.lost() == [], "and not at every look"


@pytest.mark.usefixtures("engine_row")
def test_a_worker_that_was_cancelled_or_overtaken_writes_nothing(suggestion: Suggestion) -> None:
    verification = begun(suggestion)
    held = jobs._Held(verification)
    held.step("Building")
    jobs.cancel(verification)
    with pytest.raises(jobs.Over):
        held.step("Running")
    assert not jobs._close(held.rows, Outcome("verified", ()))
    assert Verification.objects.get().status == Status.CANCELLED


@pytest.mark.usefixtures("engine_row")
def test_an_engine_that_is_away_is_an_end_with_a_sentence(suggestion: Suggestion) -> None:
    verification = begun(suggestion)
    jobs.run(verification, lambda host: None)
    verification.refresh_from_db()
    assert (verification.status, verification.cause) == (Status.INCONCLUSIVE, "engine")
    assert "/nowhere/docker.sock cannot be reached" in verification.reasons[0]
    assert verification.finished_at
    assert not verification.step


def test_the_original_is_what_an_engine_can_pull(suggestion: Suggestion) -> None:
    verification = jobs.start(suggestion)
    digest = verification.image.digest
    assert jobs.original_of(verification) == f"registry.example.com/shop/web@{digest}"
    hub = make_suggestion(make_service("library/x", registry=make_registry(url="https://docker.io")))
    assert jobs.original_of(jobs.start(hub)).startswith("docker.io/library/x@sha256:")
    engine = make_suggestion(make_service(registry=make_registry(kind=Registry.Kind.ENGINE, url="unix:///x")))
    assert jobs.original_of(jobs.start(engine)) == engine.image.digest
    files = make_suggestion(make_service(registry=make_registry(kind=Registry.Kind.LAYOUT, url="/srv/images")))
    with pytest.raises(RegistryError, match="keeps its images in files"):
        jobs.original_of(jobs.start(files))


def test_a_rebuild_needs_a_context_and_gets_the_services_own(suggestion: Suggestion) -> None:
    rebuild = jobs.start(make_suggestion(suggestion.service, "rebuild"))
    with pytest.raises(RegistryError, match="Set a git URL"):
        jobs.order_of(rebuild)
    ServiceProbe.objects.create(
        service=suggestion.service,
        path="/health",
        port=9000,
        environment="A=1",
        context="https://git.example.com/x.git",
    )
    order = jobs.order_of(Verification.objects.get(pk=rebuild.pk))
    assert (order.context, order.local) == ("https://git.example.com/x.git", False)
    assert (order.probe.path, order.probe.port, order.probe.environment) == ("/health", 9000, {"A": "1"})
    repack = jobs.order_of(Verification.objects.get(pk=jobs.start(suggestion).pk))
    assert repack.context == ""


def test_a_login_is_for_its_registry_alone() -> None:
    registry = make_registry(url="https://registry.example.com", username="ada", secret="enter")
    logins = scanning.logins(registry)
    login = logins("registry.example.com")
    assert login
    assert (login.username, login.password) == ("ada", "enter")
    assert logins("docker.io") is None
    assert logins("registry.example.com:5000") is None


@pytest.mark.engine
@pytest.mark.usefixtures("clean")
class TestOnAnEngine:
    @pytest.fixture
    def served(self, server: str, engine: docker.DockerClient) -> Suggestion:
        """A service of a registry that is the engine itself, with an offer."""
        url = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        Engine.objects.create(name="this", url=url)
        found = engine.api.inspect_image(server)
        config = {
            "os": "linux",
            "architecture": found["Architecture"],
            "config": {"ExposedPorts": {"8080/tcp": {}}},
            "rootfs": {"type": "layers", "diff_ids": found["RootFS"]["Layers"]},
        }
        registry = make_registry(kind=Registry.Kind.ENGINE, url=url)
        service = make_service("shop", registry=registry, platform=f"linux/{found['Architecture']}")
        Image.objects.filter(pk=service.snapshot.image_id).update(
            digest=found["Id"], config=json.dumps(config).encode()
        )
        return make_suggestion(
            Service.objects.get(pk=service.pk),
            dockerfile=copied(server, [BUSYBOX, "www/index.html"], command(SERVE)),
            recommended=True,
        )

    def test_the_task_writes_down_what_came_of_it(self, served: Suggestion) -> None:
        verification = jobs.start(served)
        tasks.verify_suggestion(verification.pk)
        verification.refresh_from_db()
        assert (verification.status, verification.reasons[0][:20]) == (Status.VERIFIED, "Both answer / on por")
        assert verification.measured_unpacked_bytes
        assert verification.measured_compressed_bytes
        assert verification.estimated_compressed_bytes == served.after_compressed_bytes
        assert verification.candidate
        assert verification.candidate["answer"]["status"] == 200
        assert verification.probe["port"] == 8080
        assert "Step 1/" in verification.log
        assert len(verification.log) <= 64_000
        served.refresh_from_db()
        assert (served.usable, served.gates[-1]["passed"]) == (True, True)
        tasks.verify_suggestion(verification.pk)
        verification.refresh_from_db()
        assert verification.attempts == 1

    def test_a_candidate_that_fails_is_demoted(self, served: Suggestion) -> None:
        dockerfile = served.dockerfile.replace("www/index.html", "waste")
        Suggestion.objects.update(dockerfile=dockerfile)
        served.refresh_from_db()
        verification = jobs.start(served)
        tasks.verify_suggestion(verification.pk)
        verification.refresh_from_db()
        assert verification.status == Status.FAILED
        served.refresh_from_db()
        assert (served.usable, served.recommended) == (False, False)
        assert served.gates[-1]["name"] == "Verified on an engine"
        assert served.gates[-1]["detail"] == " ".join(verification.reasons)
