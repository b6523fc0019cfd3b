"""Whatever ends a verification, its engine is as it was before."""

from __future__ import annotations

import time
from pathlib import Path

import docker
import pytest

from fleet.oci.credentials import Credentials
from fleet.verification import cleanup
from fleet.verification.cleanup import ENDS_LABEL, LABEL, REPOSITORY
from fleet.verification.engine import EngineSettings, connected
from fleet.verification.verify import Order, verify
from tests.servers import debian_registry
from tests.verification.parts import BRIEF, BUSYBOX, SERVE, Images, Stopping, command, copied, left_behind, run

pytestmark = pytest.mark.engine
# User "reader", password "s3cret": bcrypt at its lowest cost.
PASSWORDS = "reader:$2y$04$QQK9GtqnhZlbWI5Nch.tjuLi0j6Fy2knbLWwkHGI/KYD83hdHPziG\n"
STEPS = ["Building", "Weighing", "Running the original", "Running the candidate"]


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("step", "error"),
    [(STEPS[0], KeyboardInterrupt()), *((step, RuntimeError("a fault of ours")) for step in STEPS)],
    ids=str,
)
def test_an_interruption_leaves_nothing(server: str, step: str, error: BaseException) -> None:
    watch = Stopping(step, error)
    with pytest.raises(type(error)):
        run(copied(server, [BUSYBOX, "www/index.html"], command(SERVE)), server, watch=watch)
    assert watch.steps[-1].startswith(step)


@pytest.mark.usefixtures("clean")
def test_stages_of_a_build_that_failed_leave_nothing(server: str) -> None:
    dockerfile = (
        f'FROM {server} AS one\nRUN ["/bin/busybox", "touch", "/one"]\n'
        f'FROM {server} AS two\nCOPY --from=one /one /two\nRUN ["/bin/busybox", "false"]\n'
    )
    assert run(dockerfile, server).cause == "build-failed"


def test_what_a_killed_worker_left_is_swept_before_the_next_one(
    server: str, images: Images, engine: docker.DockerClient
) -> None:
    past = {LABEL: "0123456789ab", ENDS_LABEL: str(int(time.time()) - 3_600)}
    others = {LABEL: "ba9876543210", ENDS_LABEL: str(int(time.time()) + 3_600)}
    dead = engine.containers.run(server, detach=True, network_mode="none", labels=past)
    alive = engine.containers.run(server, detach=True, network_mode="none", labels=others)
    image = images.add("left", {"x": b"1"}, *(f"LABEL {name}={value}" for name, value in past.items()))
    pulled = f"0123456789ab-{past[ENDS_LABEL]}-pulled1"
    engine.images.get(images.add("fetched", {"y": b"1"})).tag(REPOSITORY, pulled)
    try:
        with connected(EngineSettings()) as connection:
            cleanup.sweep(connection)
        names = {each["Id"] for each in engine.api.containers(all=True)}
        assert dead.id not in names
        assert alive.id in names, "another worker is busy with it"
        tags = {tag for each in engine.api.images() for tag in each["RepoTags"] or ()}
        assert image not in tags
        assert f"{REPOSITORY}:{pulled}" not in tags
        assert f"{images.name}:fetched" in tags, "somebody else's name keeps the image"
    finally:
        alive.remove(force=True)
    assert not [each for each in left_behind(engine) if dead.id in each or past[LABEL] in each]


def test_an_engine_that_is_away_is_told_in_a_sentence() -> None:
    settings = EngineSettings("unix:///nowhere/docker.sock", limits=BRIEF)
    outcome = verify(Order("FROM scratch\n", "app:1"), settings, lambda host: None)
    assert (outcome.verdict, outcome.cause) == ("inconclusive", "engine")
    assert "docker.sock cannot be reached" in outcome.reasons[0]
    for url in ("tcp://127.0.0.1:1", "ssh://nobody@127.0.0.1:1", "nonsense"):
        outcome = verify(Order("FROM scratch\n", "app:1"), EngineSettings(url, limits=BRIEF), lambda host: None)
        assert outcome.verdict == "inconclusive"
        assert outcome.reasons[0].endswith((".", "!")), outcome.reasons


@pytest.mark.registry
@pytest.mark.usefixtures("clean")
def test_images_are_pulled_with_the_registrys_login_and_forgotten(
    images: Images, engine: docker.DockerClient, tmp_path: Path
) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text(PASSWORDS)
    settings = f"auth: {{htpasswd: {{realm: here, path: {passwords}}}}}\n"
    local = images.add("pushed", {"www/index.html": b"hello"}, command(SERVE), "EXPOSE 8080")
    with debian_registry(tmp_path, settings) as registry:
        reference = f"{registry.host}/shop/web"
        engine.images.get(local).tag(reference, "1")
        login = {"username": "reader", "password": "s3cret"}
        said = engine.api.push(reference, "1", auth_config=login, decode=True, stream=True)
        digest = next(event["aux"]["Digest"] for event in said if "aux" in event)
        base = f"{registry.host}/shop/base"
        spare = images.add("base", {"etc/base": b"1"})
        engine.images.get(spare).tag(base, "1")
        engine.api.push(base, "1", auth_config=login)
        for name in (f"{reference}:1", local, f"{base}:1", spare):
            engine.images.remove(name)
        original = f"{reference}@{digest}"
        asked: list[str] = []

        def logins(host: str) -> Credentials | None:
            asked.append(host)
            return Credentials("reader", "s3cret")

        text = f"FROM {original} AS original\nFROM {base}:1\nCOPY --from=original /www /www\n{command(SERVE)}\n"
        order = Order(text, original)
        assert verify(order, EngineSettings(limits=BRIEF), lambda host: None).cause == "image-unavailable"
        outcome = verify(order, EngineSettings(limits=BRIEF), logins)
    assert outcome.verdict == "verified", outcome
    assert set(asked) == {registry.host}
    assert "s3cret" not in outcome.log
    held = [digest for each in engine.api.images() for digest in each["RepoDigests"] or ()]
    assert not [digest for digest in held if registry.host in digest]
    tags = {tag for each in engine.api.images() for tag in each["RepoTags"] or ()}
    assert not [tag for tag in tags if registry.host in tag]
