"""One request budget per registry across all workers, kept in Redis.

Two things are shared: the admin's own limit on requests per minute, and the rest that a registry asked for with a 429.
Without Redis (the command line on a machine that has none) both hold in this process alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

import redis
from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import MovingWindowRateLimiter

from fleet.models import Registry
from fleet.oci.errors import RateLimited
from fleet.oci.pace import LimitSeen, parse_limit

log = logging.getLogger(__name__)
# As long as this a worker waits in place for a registry that wants to be left alone; longer, and it has better things
# to do. The admin's own budget is waited out, in slices between which the wait is shown: a service that begins anew
# each minute might never end.
PATIENCE_SECONDS = 10.0
SLICE_SECONDS = 1.0
SHORTEST_WAIT_SECONDS = 0.02
# How old the knowledge may be that a registry rests: asking Redis before each of thousands of requests would tell.
REST_KNOWN_SECONDS = 0.2
TRY_REDIS_AGAIN_SECONDS = 30.0
SEEN_AGAIN_AFTER = timedelta(minutes=1)

_seen: dict[int, LimitSeen] = {}


class SharedPace:
    """The pace of one registry. Threads share one."""

    def __init__(
        self,
        registry: Registry,
        *,
        sleep: Callable[[float], None] = time.sleep,
        beat: Callable[[], None] = lambda: None,
        patience_seconds: float = float("inf"),
    ) -> None:
        """``patience_seconds`` is how long the admin's own budget is waited for, calling ``beat`` meanwhile."""
        self._name = registry.name
        self._registry_id = registry.pk
        self._sleep = sleep
        self._beat = beat
        self._patience_seconds = patience_seconds
        per_minute = registry.requests_per_minute
        self._item = RateLimitItemPerMinute(per_minute, namespace="plimsoll") if per_minute else None
        self._rest_looked_at = -REST_KNOWN_SECONDS

    def admit(self) -> None:
        """Returns when the registry may be asked. Raises RateLimited when that is further off than our patience."""
        self._sit_out(self._resting_seconds, PATIENCE_SECONDS, f"{self._name} wants to be left alone for now.")
        self._sit_out(self._spend, self._patience_seconds, f"The request budget of {self._name} is spent for now.")

    def heard(self, status: int, headers: Mapping[str, str]) -> None:
        """Notes the registry's own limit; ``note_limit`` stores it, as this may be called in any thread."""
        seen = parse_limit(headers)
        if seen:
            _seen[self._registry_id] = seen

    def _sit_out(self, seconds_left: Callable[[], float], patience_seconds: float, sentence: str) -> None:
        waited = 0.0
        while (wait_seconds := seconds_left()) > 0:
            if waited + wait_seconds > patience_seconds:
                raise RateLimited(sentence, wait_seconds)
            slept = min(wait_seconds, SLICE_SECONDS)
            self._sleep(slept)
            self._beat()
            waited += slept

    def _resting_seconds(self) -> float:
        now = time.monotonic()
        if now - self._rest_looked_at < REST_KNOWN_SECONDS:
            return 0.0
        resting_seconds = _ask(lambda shelf: shelf.resting_seconds(self._registry_id))
        if resting_seconds > 0:
            return max(resting_seconds, SHORTEST_WAIT_SECONDS)
        self._rest_looked_at = now
        return 0.0

    def _spend(self) -> float:
        """0 when a request may be sent; it is counted then."""
        item = self._item
        return _ask(lambda shelf: shelf.spend(item, self._registry_id)) if item else 0.0


def rest(registry_id: int, seconds: float) -> None:
    """Have every worker leave a registry alone for so long, or for longer where that was asked for before."""
    _ask(lambda shelf: shelf.rest(registry_id, max(seconds, shelf.resting_seconds(registry_id))))


def wake(registry_id: int) -> None:
    """Ask a registry again."""
    _ask(lambda shelf: shelf.rest(registry_id, 0.001))


def note_limit(registry_id: int) -> None:
    """Show on the registry's page what it said of its own limit. Unmetered ones, and the same again within a minute,
    cost no write."""
    seen = _seen.pop(registry_id, None)
    if seen is None:
        return
    stated = {
        "limit_requests": seen.requests,
        "limit_remaining": seen.remaining,
        "limit_window_seconds": seen.window_seconds,
    }
    now = timezone.now()
    due = ~Q(**stated) | Q(limit_seen_at__isnull=True) | Q(limit_seen_at__lt=now - SEEN_AGAIN_AFTER)
    Registry.objects.filter(due, pk=registry_id).update(**stated, limit_seen_at=now)


class _Shelf:
    """Where budgets are kept."""

    def __init__(self, storage: Storage) -> None:
        self._limiter = MovingWindowRateLimiter(storage)

    def spend(self, item: RateLimitItemPerMinute, registry_id: int) -> float:
        """0 when one more request fits into the minute and is counted, else the seconds until one may."""
        if self._limiter.hit(item, str(registry_id)):
            return 0.0
        reset_at = self._limiter.get_window_stats(item, str(registry_id)).reset_time
        return max(reset_at - time.time(), SHORTEST_WAIT_SECONDS)


class _RedisShelf(_Shelf):
    """For all workers."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
        self._client.ping()
        super().__init__(RedisStorage(url))

    def rest(self, registry_id: int, seconds: float) -> float:
        self._client.set(f"plimsoll:rest:{registry_id}", "1", px=max(1, round(1000 * seconds)))
        return seconds

    def resting_seconds(self, registry_id: int) -> float:
        left = self._client.pttl(f"plimsoll:rest:{registry_id}")
        return max(0, int(left)) / 1000


class _OwnShelf(_Shelf):
    """For this process alone."""

    def __init__(self) -> None:
        super().__init__(MemoryStorage())
        self._until: dict[int, float] = {}

    def rest(self, registry_id: int, seconds: float) -> float:
        self._until[registry_id] = time.monotonic() + seconds
        return seconds

    def resting_seconds(self, registry_id: int) -> float:
        return max(0.0, self._until.get(registry_id, 0.0) - time.monotonic())


_own = _OwnShelf()
_shared: _RedisShelf | None = None
_try_redis_at = 0.0


def _ask(question: Callable[[_RedisShelf | _OwnShelf], float]) -> float:
    """Asks Redis, and while it is away this process: a scan goes on without it."""
    global _shared, _try_redis_at
    try:
        if _shared is None and time.monotonic() >= _try_redis_at:
            _shared = _RedisShelf(settings.REDIS_URL)
        if _shared is not None:
            return question(_shared)
    except (redis.RedisError, OSError):
        log.info("Redis does not answer: request budgets hold in this process alone for now")
        _shared, _try_redis_at = None, time.monotonic() + TRY_REDIS_AGAIN_SECONDS
    return question(_own)
