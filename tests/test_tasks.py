"""Tasks and schedules: what beat starts, what a second delivery changes, what happens without a queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from fleet import scanning, schedule, tasks
from fleet.celery import app
from fleet.models import Registry, Scan, Service, Snapshot
from tests.fakes.pushable import PushableRegistry, day, image

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Iterator[PushableRegistry]:
    with PushableRegistry({"team/a": {"1": image(day(0))}, "team/b": {"1": image(day(1), app=b"b")}}) as registry:
        yield registry


@pytest.fixture
def registry(server: PushableRegistry) -> Registry:
    return Registry.objects.create(name="Hub", url=server.url)


@pytest.fixture
def at_once() -> Iterator[None]:
    """Tasks run where they are sent."""
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    yield
    app.conf.task_always_eager = app.conf.task_eager_propagates = False


@pytest.mark.usefixtures("at_once")
class TestScanning:
    def test_the_scheduled_task_scans_every_service_and_closes_the_scan(
        self, registry: Registry, django_capture_on_commit_callbacks
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            tasks.scan_registry(registry.pk)
        scan = Scan.objects.get()
        assert (scan.status, scan.trigger) == (Scan.Status.DONE, Scan.Trigger.SCHEDULE)
        assert (scan.services, scan.services_done) == (2, 2)
        assert Snapshot.objects.count() == 2

    def test_a_disabled_or_deleted_registry_is_left_alone(
        self, registry: Registry, django_capture_on_commit_callbacks
    ) -> None:
        Registry.objects.update(enabled=False)
        with django_capture_on_commit_callbacks(execute=True):
            tasks.scan_registry(registry.pk)
            tasks.scan_registry(registry.pk + 1)
        assert not Scan.objects.exists()

    def test_a_scan_that_is_sent_twice_runs_once(self, registry: Registry, server: PushableRegistry) -> None:
        scan = scanning.start(registry, Scan.Trigger.PAGE)
        tasks.run(scan.pk)
        asked = len(server.requests)
        tasks.run(scan.pk)
        assert len(server.requests) == asked
        assert Scan.objects.get().services_done == 2

    def test_a_service_that_is_delivered_twice_counts_once(self, registry: Registry) -> None:
        scan = scanning.start(registry, Scan.Trigger.PAGE)
        scanning.begin(scan)
        first, second = scanning.discover(scan)
        for key in (first, first, second):
            assert Scan.objects.get().status == Scan.Status.RUNNING
            scanning.scan_service(Scan.objects.get(), Service.objects.get(pk=key))
            scanning.finish(scan)
        scan.refresh_from_db()
        assert (scan.status, scan.services_done, scan.snapshots) == (Scan.Status.DONE, 2, 2)

    def test_a_run_whose_worker_died_is_taken_up_where_it_was(self, registry: Registry) -> None:
        scan = scanning.start(registry, Scan.Trigger.PAGE)
        scanning.begin(scan)
        first, _ = scanning.discover(scan)
        scanning.scan_service(scan, Service.objects.get(pk=first))
        tasks.run(scan.pk)
        scan.refresh_from_db()
        assert scan.services_done == 1, "a worker that was busy a moment ago is left alone"
        Scan.objects.update(progress_at=timezone.now() - timedelta(seconds=settings.LEASE_SECONDS + 1))
        tasks.run(scan.pk)
        scan.refresh_from_db()
        assert (scan.status, scan.services, scan.services_done) == (Scan.Status.DONE, 2, 2)

    def test_a_service_that_is_deleted_meanwhile_does_not_hold_the_scan_up(self, registry: Registry) -> None:
        scan = scanning.start(registry, Scan.Trigger.PAGE)
        scanning.begin(scan)
        first, second = scanning.discover(scan)
        scanning.open_lanes(scan)
        Service.objects.filter(pk=first).delete()
        tasks.scan_lane(scan.pk, second % registry.concurrency)
        scan.refresh_from_db()
        assert (scan.status, scan.services_done) == (Scan.Status.DONE, 1)

    def test_unknown_keys_end_quietly(self) -> None:
        tasks.run(1)
        tasks.scan_lane(1, 1)
        tasks.reconsider(1)
        assert not Service.objects.exists()


def test_no_more_services_are_read_at_a_time_than_the_registry_allows(registry: Registry, monkeypatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(tasks.scan_lane, "delay", lambda scan_id, lane: sent.append((scan_id, lane)))
    Registry.objects.update(concurrency=1)
    scan = scanning.start(registry, Scan.Trigger.PAGE)
    tasks.run(scan.pk)
    assert sent == [(scan.pk, 0)]
    while sent:
        tasks.scan_lane(*sent.pop())
        assert len(sent) <= 1
    scan.refresh_from_db()
    assert (scan.status, scan.services_done) == (Scan.Status.DONE, 2)


def test_without_a_queue_the_scan_says_so(registry: Registry, django_capture_on_commit_callbacks) -> None:
    broker = app.conf.broker_url
    app.conf.broker_url, app.conf.task_publish_retry = "redis://127.0.0.1:1/0", False
    app.amqp._producer_pool = None
    try:
        with django_capture_on_commit_callbacks(execute=True):
            tasks.enqueue(scanning.start(registry, Scan.Trigger.PAGE))
    finally:
        app.conf.broker_url, app.conf.task_publish_retry = broker, True
        app.amqp._producer_pool = None
    scan = Scan.objects.get()
    assert scan.status == Scan.Status.FAILED
    assert "Redis" in scan.message


class TestQueues:
    def test_every_task_goes_to_the_queue_of_its_kind_alone(self) -> None:
        routes = {
            name: app.amqp.router.route({}, f"fleet.tasks.{name}")["queue"]
            for name in ("scan_registry", "run", "scan_lane", "reconsider")
        }
        assert {name: queue.name for name, queue in routes.items()} == {
            "scan_registry": "discovery",
            "run": "discovery",
            "scan_lane": "scan",
            "reconsider": "index",
        }
        assert all(queue.routing_key == queue.name for queue in routes.values())

    def test_a_worker_that_is_told_nothing_takes_all(self) -> None:
        assert set(app.amqp.queues.consume_from) == {"discovery", "scan", "index", "verify"}


class TestSchedule:
    def test_a_schedule_is_a_row_that_beat_sees(self, registry: Registry) -> None:
        before = PeriodicTasks.last_change()
        registry.interval = IntervalSchedule.objects.create(every=5, period=IntervalSchedule.MINUTES)
        registry.save()
        task = schedule.sync_schedule(registry)
        assert task is not None
        assert (task.task, json.loads(task.args), task.enabled) == ("fleet.tasks.scan_registry", [registry.pk], True)
        assert task.task in app.tasks
        assert task.queue == "discovery"
        assert "Hub" in task.name
        assert PeriodicTasks.last_change() != before
        assert Registry.objects.get().periodic_task == task

    def test_a_change_keeps_the_row(self, registry: Registry) -> None:
        registry.interval = IntervalSchedule.objects.create(every=5, period=IntervalSchedule.MINUTES)
        registry.save()
        first = schedule.sync_schedule(registry)
        registry.interval, registry.crontab, registry.enabled = None, CrontabSchedule.objects.create(hour="3"), False
        registry.save()
        second = schedule.sync_schedule(Registry.objects.get())
        assert first == second == PeriodicTask.objects.get()
        assert (second.interval, second.crontab.hour, second.enabled) == (None, "3", False)

    def test_no_schedule_is_no_row(self, registry: Registry) -> None:
        registry.interval = IntervalSchedule.objects.create(every=5, period=IntervalSchedule.MINUTES)
        registry.save()
        schedule.sync_schedule(registry)
        registry.interval = None
        registry.save()
        assert schedule.sync_schedule(registry) is None
        assert not PeriodicTask.objects.exists()
        assert Registry.objects.get().periodic_task is None
