"""The secret of a registry at rest, and what the table itself refuses."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django_celery_beat.models import CrontabSchedule, IntervalSchedule

from fleet.models import Registry
from fleet.models.secret import UNREADABLE

pytestmark = pytest.mark.django_db
SECRET = "hunter2-t0ken"


def raw_secret() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM fleet_registry")
        return str(cursor.fetchone()[0])


def test_the_secret_is_encrypted_at_rest() -> None:
    Registry.objects.create(name="Hub", url="https://r.example.com", secret=SECRET)
    assert SECRET not in raw_secret()
    assert raw_secret().startswith("gAAAA")
    assert Registry.objects.get().secret == SECRET


def test_no_secret_is_stored_as_nothing() -> None:
    Registry.objects.create(name="Hub", url="https://r.example.com")
    assert raw_secret() == ""


def test_a_rotated_key_still_opens_what_the_old_one_closed(settings) -> None:
    Registry.objects.create(name="Hub", url="https://r.example.com", secret=SECRET)
    settings.PLIMSOLL_SECRET_KEYS = [Fernet.generate_key().decode(), *settings.PLIMSOLL_SECRET_KEYS]
    assert Registry.objects.get().secret == SECRET
    settings.PLIMSOLL_SECRET_KEYS = settings.PLIMSOLL_SECRET_KEYS[:1]
    assert Registry.objects.get().secret == UNREADABLE


def test_no_text_of_a_registry_holds_its_secret() -> None:
    registry = Registry(name="Hub", url="https://r.example.com", secret=SECRET)
    assert SECRET not in f"{registry} {registry!r}"


def test_a_crontab_and_an_interval_exclude_each_other() -> None:
    crontab = CrontabSchedule.objects.create(hour="3")
    interval = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.HOURS)
    registry = Registry(name="Hub", url="https://r.example.com", crontab=crontab, interval=interval)
    with pytest.raises(ValidationError, match="not both"):
        registry.full_clean()
    with pytest.raises(IntegrityError):
        registry.save()
