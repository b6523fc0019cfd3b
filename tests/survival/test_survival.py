"""Scans whose worker is killed, whose queue, database or registry goes away: real processes, real servers.

Every scan here ends by itself, and what it leaves behind equals what an undisturbed one leaves.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from fleet.sample.registry import Request, Response
from tests.fakes.gate import Gate
from tests.fakes.pushable import PushableRegistry, day, image, layer
from tests.servers import Installation, installation, redis_process, running, wait_until

pytestmark = [pytest.mark.redis]

SERVICES = 8
TAGS = 3
KILLS = 20
# A lease so short that a dead worker's work is taken up while a test waits for it.
QUICK = {"PLIMSOLL_LEASE_SECONDS": "2", "PLIMSOLL_TEND_SECONDS": "1"}
SECONDS = 120


class SlowRegistry(PushableRegistry):
    """Sends the blobs of layers in small pieces, so that there is a middle to be killed in."""

    pause_seconds = 0.0
    pieces = 10

    def answer(self, request: Request) -> Response:
        response = super().answer(request)
        if self.pause_seconds and request.method == "GET" and "/blobs/" in request.path and response.status == 200:
            body = b"".join(response.body)
            return Response(200, response.headers, self._slowly(body), len(body))
        return response

    def _slowly(self, body: bytes) -> Iterator[bytes]:
        step = len(body) // self.pieces + 1
        for at in range(0, len(body), step):
            time.sleep(self.pause_seconds)
            yield body[at : at + step]


@pytest.fixture(scope="module")
def server() -> Iterator[SlowRegistry]:
    """Services that share a base; each newest image has a layer of its own."""
    base = layer({f"usr/lib/part{number}": os.urandom(20_000) for number in range(10)})
    images = {
        f"team/app{number}": {f"1.{tag}": image(day(tag), app=os.urandom(30_000), base=base) for tag in range(TAGS)}
        for number in range(SERVICES)
    }
    with SlowRegistry(images) as registry:
        yield registry


@dataclass
class Deployment:
    """An installation with beat and a worker, each behind a door that a test may shut."""

    plimsoll: Installation
    registry: Gate
    redis: Gate
    database: Gate | None

    def scan(self) -> int:
        return int(
            self.plimsoll.ask(
                f"""
from fleet import scanning, tasks
registry, _ = Registry.objects.get_or_create(
    name="Hub", defaults=dict(url="http://127.0.0.1:{self.registry.port}", concurrency=2))
scan = scanning.start(registry, Scan.Trigger.PAGE)
tasks.enqueue(scan)
answer = scan.pk
"""
            )
        )

    def status(self, scan: int) -> str:
        return str(self.plimsoll.rows(f"SELECT status FROM fleet_scan WHERE id = {scan}")[0][0])

    def wait_for(self, scan: int, seconds: float = SECONDS) -> None:
        wait_until(lambda: self.status(scan) not in ("queued", "running", "paused"), "the scan's end", seconds, 0.3)

    @contextlib.contextmanager
    def worker(self) -> Iterator[Any]:
        command = [sys.executable, "-m", "celery", "-A", "fleet", "worker", "--concurrency=2", "--loglevel=INFO"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        with running(command, self.plimsoll.directory / "worker.log", self.plimsoll.env) as process:
            yield process


@pytest.fixture
def deployment(server: SlowRegistry, tmp_path: Path) -> Iterator[Deployment]:
    server.pause_seconds = 0.0
    server.forget_requests()
    with _deployment(server, tmp_path) as deployment:
        deployment.plimsoll.start("beat", "--loglevel=INFO", "--pidfile=")
        yield deployment


@contextlib.contextmanager
def _deployment(server: SlowRegistry, directory: Path) -> Iterator[Deployment]:
    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(_gate(urlsplit(server.url).port or 0))
        redis = stack.enter_context(_gate(stack.enter_context(redis_process(directory))))
        postgres = os.environ.get("PLIMSOLL_TEST_POSTGRES_URL", "")
        database, url = None, ""
        if postgres:
            parts = urlsplit(postgres)
            name = f"survival_{os.getpid()}_{time.monotonic_ns()}"
            with psycopg.connect(postgres, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            database = stack.enter_context(_gate(int(parts.port or 5432)))
            url = f"postgres://{parts.username}:{parts.password}@127.0.0.1:{database.port}/{name}"
        (directory / "var").mkdir()
        plimsoll = stack.enter_context(
            installation(
                directory / "var",
                redis_url=f"redis://127.0.0.1:{redis.port}/0",
                database_url=url,
                settings=QUICK,
            )
        )
        yield Deployment(plimsoll, registry, redis, database)


@contextlib.contextmanager
def _gate(port: int) -> Iterator[Gate]:
    gate = Gate(port)
    try:
        yield gate
    finally:
        gate.shut()


_STATE = """
def rows(model, *fields, **filters):
    return sorted([list(map(str, row)) for row in model.objects.filter(**filters).values_list(*fields)])
answer = dict(
    services=rows(Service, "repository", "compressed_bytes", "unpacked_bytes", "savings_compressed_bytes",
                  "savings_source", "runtime", "sparkline", "policy_state", "snapshot__tag", "snapshot__image__digest"),
    snapshots=rows(Snapshot, "service__repository", "tag", "head_digest", "taken_at", "compressed_bytes",
                   "unpacked_bytes"),
    images=rows(Image, "digest", "compressed_bytes", "unpacked_bytes"),
    layers=rows(Layer, "digest", "diff_id", "compressed_bytes", "unpacked_bytes", "entries"),
    findings=rows(Finding, "analysis__image__digest", "rule", "unpacked_bytes", "compressed_bytes", "path_count"),
    suggestions=rows(Suggestion, "service__repository", "mode", "dockerfile", "after_compressed_bytes", "recommended"),
    counts=[[s.services, s.services_done, s.services_failed, s.tags, s.snapshots, s.error_count, s.status]
            for s in Scan.objects.filter(pk={scan})],
    lanes=ScanLane.objects.count(),
)
"""


def _state(deployment: Deployment, scan: int) -> Mapping[str, Any]:
    state: Mapping[str, Any] = deployment.plimsoll.ask(_STATE.replace("{scan}", str(scan)))
    return state


@pytest.fixture(scope="module")
def undisturbed(server: SlowRegistry, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    with _deployment(server, tmp_path_factory.mktemp("undisturbed")) as deployment, deployment.worker():
        scan = deployment.scan()
        deployment.wait_for(scan)
        state = _state(deployment, scan)
    assert state["counts"] == [[SERVICES, SERVICES, 0, SERVICES * TAGS, SERVICES * TAGS, 0, "done"]]
    assert len(state["snapshots"]) == SERVICES * TAGS
    return state


def test_a_worker_that_is_killed_twenty_times_leaves_what_an_undisturbed_one_leaves(
    deployment: Deployment, server: SlowRegistry, undisturbed: Mapping[str, Any]
) -> None:
    server.pause_seconds = 0.05
    moments = random.Random(3)
    scan = deployment.scan()
    killed_in_a_layer = 0
    for _ in range(KILLS):
        asked = len(server.requests)
        with deployment.worker() as worker:
            wait_until(lambda: len(server.requests) > asked or deployment.status(scan) == "done", "some work", 60, 0.02)  # noqa: B023
            time.sleep(moments.uniform(0, 0.6))
            killed_in_a_layer += "/blobs/" in server.requests[-1].path
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
    server.pause_seconds = 0.0
    with deployment.worker():
        deployment.wait_for(scan)
    assert killed_in_a_layer > 0
    assert _state(deployment, scan) == undisturbed


def test_redis_that_restarts_and_forgets_its_queue(
    deployment: Deployment, server: SlowRegistry, undisturbed: Mapping[str, Any]
) -> None:
    server.pause_seconds = 0.03
    with deployment.worker():
        scan = deployment.scan()
        wait_until(lambda: len(server.requests) > 5, "some work", 60, 0.02)
        deployment.redis.shut()
        _flush(deployment)
        time.sleep(2)
        deployment.redis.open()
        deployment.wait_for(scan)
    assert _state(deployment, scan) == undisturbed


def test_a_registry_that_is_gone_for_a_while(
    deployment: Deployment, server: SlowRegistry, undisturbed: Mapping[str, Any]
) -> None:
    server.pause_seconds = 0.03
    with deployment.worker():
        scan = deployment.scan()
        wait_until(lambda: len(server.requests) > 8, "some work", 60, 0.02)
        deployment.registry.shut()
        wait_until(lambda: deployment.status(scan) == "paused", "a pause", 60, 0.1)
        (message,) = deployment.plimsoll.rows(f"SELECT message FROM fleet_scan WHERE id = {scan}")[0]
        assert "goes on by itself" in message
        deployment.registry.open()
        deployment.wait_for(scan)
    assert _state(deployment, scan) == undisturbed


def test_a_database_that_is_gone_for_a_while(
    deployment: Deployment, server: SlowRegistry, undisturbed: Mapping[str, Any]
) -> None:
    if deployment.database is None:
        pytest.skip("an SQLite file does not go away")
    server.pause_seconds = 0.03
    with deployment.worker():
        scan = deployment.scan()
        wait_until(lambda: len(server.requests) > 8, "some work", 60, 0.02)
        deployment.database.shut()
        time.sleep(4)
        deployment.database.open()
        deployment.wait_for(scan)
    assert _state(deployment, scan) == undisturbed


def test_a_cancelled_scan_ends_within_seconds_and_stays_cancelled(deployment: Deployment, server: SlowRegistry) -> None:
    server.pause_seconds = 0.2
    with deployment.worker():
        scan = deployment.scan()
        wait_until(lambda: any("/blobs/" in each.path for each in server.requests), "a layer", 60, 0.02)
        deployment.plimsoll.ask(f"from fleet import scanning\nanswer = scanning.cancel(Scan.objects.get(pk={scan}))")
        time.sleep(4)
        asked = len(server.requests)
        time.sleep(3)
        assert len(server.requests) == asked
    assert deployment.status(scan) == "cancelled"


def _flush(deployment: Deployment) -> None:
    """What a Redis without persistence has after a restart: nothing."""
    import redis

    with contextlib.closing(redis.Redis(port=deployment.redis.target)) as client:
        client.flushall()
