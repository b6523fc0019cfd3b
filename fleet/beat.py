"""Beat's scheduler: schedules are rows, and every change to them is noticed.

django-celery-beat compares the moment of the last change with the one it saw when it looked before. Its first look
comes after its first reading of the rows, so that a schedule saved between the two is missed for up to five minutes.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.db import DatabaseError
from django_celery_beat.schedulers import DatabaseScheduler

log = logging.getLogger(__name__)


class Scheduler(DatabaseScheduler):
    """``known`` is the moment of the last change that was seen before the rows were read, not after."""

    known: datetime | None = None

    def schedule_changed(self) -> bool:
        super().schedule_changed()
        return bool(self._last_timestamp != self.known)

    def all_as_schedule(self) -> dict[str, Any]:
        seen = self._last_timestamp
        try:
            entries: dict[str, Any] = super().all_as_schedule()
        except DatabaseError:
            log.exception("The schedules cannot be read; the ones known so far hold meanwhile")
            return self._schedule or {}
        self.known = seen
        return entries
