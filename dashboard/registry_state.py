"""What a registry is doing, for its page and the list: when it is scanned next, and what it lets us ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from dashboard.unread import registry_columns
from fleet.models import Registry

LOW_PERCENT = 10


@dataclass(frozen=True, slots=True)
class Budget:
    """What the registry last said of its own limit. ``remaining`` is None where it did not say how much is left;
    ``turned`` once the window has passed since: it is full again."""

    remaining: int | None
    requests: int
    window_seconds: int | None
    seen_at: datetime | None
    turned: bool

    @property
    def percent(self) -> float | None:
        return None if self.remaining is None else 100 * self.remaining / max(self.requests, 1)

    @property
    def is_low(self) -> bool:
        return self.percent is not None and self.percent < LOW_PERCENT


def budget_of(registry: Registry, now: datetime) -> Budget | None:
    """None where the registry names no limit."""
    if registry.limit_requests is None:
        return None
    seen_at, seconds = registry.limit_seen_at, registry.limit_window_seconds
    turned = seen_at is not None and seconds is not None and seen_at + timedelta(seconds=seconds) <= now
    remaining = registry.limit_requests if turned else registry.limit_remaining
    return Budget(remaining, registry.limit_requests, seconds, seen_at, turned)


def resting_until(registry: Registry, now: datetime) -> datetime | None:
    """Until when the registry is left alone; None when it may be asked."""
    until = registry.resting_until
    return until if until is not None and until > now else None


def schedule_words(registry: Registry) -> str:
    """``At 03:00``, ``every 5 minutes``, ``on demand``."""
    if registry.crontab:
        return str(registry.crontab.human_readable)
    return str(registry.interval or "on demand")


def next_run(registry: Registry, now: datetime) -> datetime | None:
    """When the schedule starts the next scan; None without a schedule, or where it is switched off. A run that is due
    already is now."""
    schedule = registry.crontab or registry.interval
    task = registry.periodic_task
    if schedule is None or not registry.enabled or (task is not None and not task.enabled):
        return None
    last = (task.last_run_at or task.date_changed) if task is not None else now
    # The schedule looked at its own clock a moment later.
    run = now + schedule.schedule.remaining_estimate(last) + timedelta(milliseconds=500)
    return max(run.replace(microsecond=0), now)


def with_state(registries: QuerySet[Registry]) -> QuerySet[Registry]:
    """What the state needs, with whether there is a login, a certificate and a secret of push events, but none of
    those themselves."""
    related = registries.select_related("crontab", "interval", "periodic_task")
    return related.defer(*registry_columns("")).annotate(
        has_secret=_filled("secret"),
        has_certificate=_filled("client_certificate"),
        has_authority=_filled("ca_certificate"),
        takes_pushes=_filled("push_secret"),
    )


def _filled(column: str) -> ExpressionWrapper:
    return ExpressionWrapper(~Q(**{column: ""}), output_field=BooleanField())
