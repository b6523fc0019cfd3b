"""The main job on real parts: a registry, an engine, Redis, a Celery worker and beat; nothing here is played.

A Django image built as the article's traditional Dockerfile does is pushed to Debian's docker-registry, scanned on a
schedule that an admin set in a form, ranked, and its suggestions are built, run and weighed by the engine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.debian import debian_tarball
from tests.end_to_end import bases
from tests.servers import DebianRegistry, Installation, debian_registry, installation, redis_server, wait_until

pytestmark = [pytest.mark.engine, pytest.mark.registry, pytest.mark.redis]

APPLICATION = Path(__file__).parent / "django_app"
REPOSITORY = "shop/backend"
TAGS = ("1.0", "1.1", "1.2")


@dataclass(frozen=True)
class Fleet:
    """What the tests of this module look at together: it takes minutes to make."""

    engine: docker.DockerClient
    registry: DebianRegistry
    plimsoll: Installation
    checkout: Path
    workdir: Path

    @property
    def reference(self) -> str:
        return f"{self.registry.host}/{REPOSITORY}:{TAGS[-1]}"


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env(timeout=600)
        client.ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker Engine answers: {error}")
    yield client
    client.close()


@pytest.fixture(scope="module")
def fleet(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    for program in ("docker-registry", "debootstrap"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    workdir = tmp_path_factory.mktemp("main-job")
    with (
        debian_registry(workdir) as registry,
        redis_server(workdir) as redis_url,
        installation(_made(workdir / "var"), redis_url=redis_url, database_url=_database()) as plimsoll,
    ):
        checkout = _checkout(workdir)
        _build_and_push(engine, registry, checkout, debian_tarball(tmp_path_factory.getbasetemp()))
        plimsoll.start("worker", "--concurrency=2", "--loglevel=INFO", "-Q", "discovery,scan,index,verify")
        plimsoll.start("beat", "--loglevel=INFO", "--schedule", str(workdir / "beat"), "--pidfile=")
        yield Fleet(engine, registry, plimsoll, checkout, workdir)
        _forget_images(engine, registry.host)


@pytest.fixture(scope="module")
def scanned(fleet: Fleet) -> Fleet:
    """The fleet after an admin added the registry in the admin's form and beat had it scanned once."""
    fleet.plimsoll.ask(_ADD_REGISTRY.format(url=fleet.registry.url, mirror=fleet.registry.host))
    wait_until(lambda: _scans(fleet, "done") >= 1, "a scan on the beat schedule", seconds=150, every=2)
    return fleet


_ADD_REGISTRY = """
from django.contrib.auth.models import User
from django.test import Client
from django_celery_beat.models import IntervalSchedule
every, _ = IntervalSchedule.objects.get_or_create(every=8, period="seconds")
admin = User.objects.create_superuser("admin")
client = Client(headers={{"host": "localhost"}})
client.force_login(admin)
form = dict(name="Debian", kind="distribution", url="{url}", username="", secret="", listing="catalog", include="",
            exclude="library/*\\nproof/*", tag_pattern="*", history_tags="12", platform="linux/amd64", concurrency="2",
            enabled="on", base_mirrors="docker.io/library={mirror}/library", crontab="", interval=every.pk,
            login="password", tag_syntax="glob", tag_order="version", history_per_scan="100", sharing="provider")
page = client.post("/admin/fleet/registry/add/", form)
assert page.status_code == 302, page.context["errors"]
answer = Registry.objects.count()
"""


def test_snapshots_weigh_what_the_registry_and_the_engine_say(scanned: Fleet) -> None:
    snapshots = scanned.plimsoll.ask(
        "answer = {s.tag: [s.compressed_bytes, s.unpacked_bytes] for s in Snapshot.objects.all()}"
    )
    assert set(snapshots) == set(TAGS)
    for tag, (compressed_bytes, _) in snapshots.items():
        assert compressed_bytes == scanned.registry.compressed_bytes(REPOSITORY, tag)
    assert snapshots[TAGS[-1]][1] == scanned.engine.images.get(scanned.reference).attrs["Size"]


def test_ranking_shows_the_service_first(scanned: Fleet) -> None:
    page = scanned.plimsoll.ask(
        """
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import setup_test_environment
setup_test_environment()
client = Client(headers={"host": "localhost"})
client.force_login(User.objects.get())
page = client.get("/")
answer = [page.status_code, [row.record.repository for row in page.context["table"].rows], page.content.decode()]
"""
    )
    status, repositories, html = page
    assert status == 200
    assert repositories[0] == REPOSITORY
    assert REPOSITORY in html


def test_second_scan_costs_one_head_a_tag_and_no_blob(scanned: Fleet) -> None:
    done = _scans(scanned, "done")
    wait_until(lambda: _scans(scanned, "done") > done, "the scan that is under way", every=0.5)
    before = len(scanned.registry.requests())
    done = _scans(scanned, "done")
    wait_until(lambda: _scans(scanned, "done") > done, "the next scan on the schedule", every=0.5)
    asked = [request for request in scanned.registry.requests()[before:] if request[1] != "/v2/"]
    heads = [path for method, path, _ in asked if method == "HEAD"]
    assert sorted(heads) == [f"/v2/{REPOSITORY}/manifests/{tag}" for tag in TAGS]
    assert not [request for request in asked if "/blobs/" in request[1]]
    assert not [request for request in asked if request[0] == "GET" and "/manifests/" in request[1]]


def test_repack_of_the_service_page_builds_runs_and_weighs_what_it_says(scanned: Fleet) -> None:
    suggestion = scanned.plimsoll.ask(_SUGGESTION.format(mode="repack"))
    assert suggestion["usable"], suggestion["gates"]
    _prove(scanned, "repack", suggestion["dockerfile"], suggestion["before"], suggestion["after"])


def test_outline_of_the_service_page_builds_and_runs_in_the_teams_checkout(scanned: Fleet) -> None:
    suggestion = scanned.plimsoll.ask(_SUGGESTION.format(mode="rebuild"))
    assert "outline" in " ".join((*suggestion["notes"], suggestion["dockerfile"])).lower()
    _prove(scanned, "outline", suggestion["dockerfile"], suggestion["before"], suggestion["after"])


@pytest.mark.parametrize("mode", ["repack", "rebuild"])
def test_suggest_on_the_command_line_builds_runs_and_weighs_what_it_says(scanned: Fleet, mode: str) -> None:
    options = ["--dockerfile", str(scanned.checkout / "Dockerfile")] if mode == "rebuild" else []
    done = scanned.plimsoll.manage(
        "suggest", scanned.reference, "--mode", mode, "--json", *options,
        "--mirror", f"docker.io/library={scanned.registry.host}/library",
    )  # fmt: skip
    suggestion = json.loads(done.stdout)
    assert suggestion["mode"] == mode
    assert suggestion["tier"] == "slim"
    assert suggestion["base"]["source"] == "registry"
    assert all(gate["passed"] for gate in suggestion["gates"]), suggestion["gates"]
    _prove(scanned, f"{mode}-cli", suggestion["dockerfile"], suggestion["before"], suggestion["after"])


def test_inspect_agrees_with_the_engine(scanned: Fleet) -> None:
    by_registry = json.loads(scanned.plimsoll.manage("inspect", scanned.reference, "--json").stdout)
    by_engine = json.loads(scanned.plimsoll.manage("inspect", f"docker-daemon:{scanned.reference}", "--json").stdout)
    assert by_registry["compressed_bytes"] == scanned.registry.compressed_bytes(REPOSITORY, TAGS[-1])
    assert by_registry["unpacked_bytes"] == by_engine["unpacked_bytes"]
    assert [layer["diff_id"] for layer in by_registry["layers"]] == [layer["diff_id"] for layer in by_engine["layers"]]
    assert by_registry["packages"] == by_engine["packages"]
    assert by_registry["runtime"]["name"] == "python"
    assert {"name": "psycopg2", "version": "2.9.11"}.items() <= next(
        package for package in by_registry["packages"] if package["name"] == "psycopg2"
    ).items()


def test_the_suggestion_is_verified_on_the_command_line(scanned: Fleet) -> None:
    mirror = f"docker.io/library={scanned.registry.host}/library"
    done = scanned.plimsoll.manage(
        "verify", scanned.reference, "--tier", "slim", "--json", "--mirror", mirror, "--build-network", "host",
        check=False,
    )  # fmt: skip
    told = json.loads(done.stdout)
    (rung,) = told["rungs"]
    assert (done.returncode, rung["verdict"]) == (0, "verified"), rung
    assert rung["original"]["answer"]["status"] == rung["candidate"]["answer"]["status"] == 200
    for kind, size in rung["measured"].items():
        print(f"verify {kind}: estimated {rung['estimated'][kind]}, measured {size}")
        assert abs(rung["estimated"][kind] - size) <= 0.1 * size


def test_the_workers_verify_what_an_operator_asks_for(scanned: Fleet) -> None:
    key = scanned.plimsoll.ask(_VERIFY.format(url=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")))
    sql = f"SELECT status, reasons FROM fleet_verification WHERE id = {key}"
    wait_until(lambda: scanned.plimsoll.rows(sql)[0][0] not in ("queued", "running"), "the verification", seconds=300)
    assert scanned.plimsoll.rows(sql)[0][0] == "verified", scanned.plimsoll.rows(sql)
    gates = scanned.plimsoll.ask(_SUGGESTION.format(mode="repack"))["gates"]
    assert gates[-1]["name"] == "Verified on an engine"
    assert gates[-1]["passed"]
    assert not scanned.engine.api.containers(all=True, filters={"label": "plimsoll.verification"})


_VERIFY = """
from django.contrib.auth.models import User
from django.test import Client
Engine.objects.create(name="here", url="{url}", build_network="host")
suggestion = Suggestion.objects.get(service__repository="shop/backend", mode="repack", tier="slim")
client = Client(headers={{"host": "localhost"}})
client.force_login(User.objects.get())
page = client.post(f"/suggestions/{{suggestion.pk}}/verify/")
assert page.status_code == 302, page
answer = Verification.objects.get().pk
"""
_SUGGESTION = """
s = Suggestion.objects.get(service__repository="shop/backend", mode="{mode}", tier="slim")
answer = dict(dockerfile=s.dockerfile, gates=s.gates, notes=s.notes, usable=s.usable, obstacle=s.obstacle,
    before=dict(unpacked_bytes=s.before_unpacked_bytes, compressed_bytes=s.before_compressed_bytes),
    after=dict(unpacked_bytes=s.after_unpacked_bytes, compressed_bytes=s.after_compressed_bytes))
"""


def _prove(fleet: Fleet, name: str, dockerfile: str, before: dict[str, int], after: dict[str, int]) -> None:
    """Build it in the team's checkout, run it, ask it, push it; it must be 60 % smaller and as heavy as estimated."""
    assert dockerfile, "there is a suggestion"
    tag = f"{fleet.registry.host}/proof/{name}:1"
    _build(fleet.engine, fleet.checkout, tag, dockerfile)
    _answers_200(fleet.engine, tag)
    fleet.engine.images.push(tag)
    measured = {
        "unpacked_bytes": fleet.engine.images.get(tag).attrs["Size"],
        "compressed_bytes": fleet.registry.compressed_bytes(f"proof/{name}", "1"),
    }
    for kind, size in measured.items():
        print(f"{name} {kind}: before {before[kind]}, estimated {after[kind]}, measured {size}")
        assert size <= 0.4 * before[kind]
        assert abs(after[kind] - size) <= 0.1 * size


def _build(engine: docker.DockerClient, checkout: Path, tag: str, dockerfile: str) -> None:
    path = checkout.parent / f"{tag.rpartition('/')[2].replace(':', '-')}-{time.monotonic_ns()}.Dockerfile"
    path.write_text(dockerfile)
    try:
        engine.images.build(
            path=str(checkout), dockerfile=str(path), tag=tag, network_mode="host", rm=True, forcerm=True
        )
    except docker.errors.BuildError as error:
        log = "".join(str(line.get("stream", line.get("error", ""))) for line in error.build_log)
        pytest.fail(f"{error}\n{dockerfile}\n{log[-4000:]}")


def _answers_200(engine: docker.DockerClient, tag: str) -> None:
    container = engine.containers.run(tag, detach=True)
    try:
        wait_until(lambda: _home_page(container) == 200, f"HTTP 200 from {tag}", seconds=60)
    except AssertionError:
        pytest.fail(f"{tag} does not answer: {container.logs().decode()[-4000:]}")
    finally:
        container.remove(force=True)


def _home_page(container: Any) -> int | None:
    container.reload()
    address = container.attrs["NetworkSettings"]["IPAddress"]
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}:8000/", timeout=5) as answer:
        return int(answer.status)
    return None


def _checkout(workdir: Path) -> Path:
    """The team's working copy: the application with the article's Dockerfile and a version history beside it."""
    checkout = workdir / "checkout"
    shutil.copytree(APPLICATION, checkout)
    dockerfile = checkout / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("@MINOR@", bases.MINOR))
    pack = checkout / ".git/objects/pack/pack-1.pack"
    pack.parent.mkdir(parents=True)
    pack.write_bytes(os.urandom(12_000_000))
    return checkout


def _build_and_push(engine: docker.DockerClient, registry: DebianRegistry, checkout: Path, debian: Path) -> None:
    """Both bases and three releases of the application, each a little heavier."""
    slim, full = (f"{registry.host}/library/python:{bases.MINOR}{suffix}" for suffix in ("-slim", ""))
    bases.build_slim(engine, slim, debian, checkout.parent)
    bases.build_full(engine, full, slim, checkout.parent)
    traditional = (checkout / "Dockerfile").read_text().replace("FROM python:", f"FROM {registry.host}/library/python:")
    for number, tag in enumerate(TAGS):
        (checkout / "release.bin").write_bytes(os.urandom(200_000 * number))
        _build(engine, checkout, f"{registry.host}/{REPOSITORY}:{tag}", traditional)
    for reference in (slim, full, *(f"{registry.host}/{REPOSITORY}:{tag}" for tag in TAGS)):
        errors = [line for line in engine.images.push(reference, stream=True, decode=True) if "error" in line]
        assert not errors


def _scans(fleet: Fleet, status: str) -> int:
    ((count,),) = fleet.plimsoll.rows(f"SELECT count(*) FROM fleet_scan WHERE status = '{status}'")
    return int(count)


def _database() -> str:
    """PostgreSQL, as in production, where the test run brought one."""
    url = os.environ.get("PLIMSOLL_TEST_POSTGRES_URL", "")
    if not url:
        return ""
    import psycopg

    name = f"main_job_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{url.rpartition('/')[0]}/{name}"


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _forget_images(engine: docker.DockerClient, host: str) -> None:
    for image in engine.images.list():
        if any(tag.startswith(host) for tag in image.tags):
            for tag in image.tags:
                engine.images.remove(tag, force=True)
