"""Beat notices a schedule whenever it is saved, also in the moment between its first reading and its first look."""

from __future__ import annotations

from unittest import mock

import pytest
from django.db import OperationalError
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from fleet.beat import DatabaseScheduler, Scheduler
from fleet.celery import app

# The scheduler drops a connection that is in a transaction.
pytestmark = pytest.mark.django_db(transaction=True)


def _save(name: str) -> PeriodicTask:
    every, _ = IntervalSchedule.objects.get_or_create(every=8, period="seconds")
    return PeriodicTask.objects.create(name=name, task="fleet.tasks.scan_registry", interval=every)


def test_a_schedule_saved_while_beat_starts_is_noticed() -> None:
    scheduler = Scheduler(app=app, lazy=True)
    assert "early" not in scheduler.schedule
    _save("early")
    assert "early" in scheduler.schedule


def test_a_schedule_saved_later_is_noticed_and_then_read_no_more() -> None:
    _save("first")
    scheduler = Scheduler(app=app, lazy=True)
    assert scheduler.schedule is not scheduler.schedule, "the first look reads again, since it knows no earlier one"
    assert scheduler.schedule is scheduler.schedule
    late = _save("late")
    assert "late" in scheduler.schedule
    late.delete()
    assert "late" not in scheduler.schedule


def test_schedules_hold_while_the_database_is_gone() -> None:
    _save("kept")
    scheduler = Scheduler(app=app, lazy=True)
    assert "kept" in scheduler.schedule
    _save("new")
    with mock.patch.object(DatabaseScheduler, "enabled_models", side_effect=OperationalError("gone")):
        assert set(scheduler.schedule) >= {"kept"}
    assert set(scheduler.schedule) >= {"kept", "new"}
