"""Asking again: after temporary failures only, a few times, with growing and jittered waits.

What failed for a reason that lasts (a wrong password, a missing tag, an untrusted certificate) is never asked twice,
and what took too long already is not waited for again. Only GET and HEAD are asked through here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import SystemRandom
from typing import TypeVar

from fleet.oci.answer import Limits
from fleet.oci.errors import (
    RateLimited,
    RegistryError,
    ServerFailure,
    TimedOut,
    UnknownHost,
    Unreachable,
    UntrustedCertificate,
)

_T = TypeVar("_T")
_PASSING_STATUSES = (500, 502, 503, 504)
_jitter = SystemRandom()


def patiently(question: Callable[[], _T], limits: Limits) -> _T:
    """The answer to ``question``, which is asked up to ``limits.tries`` times."""
    failures = 0
    while True:
        try:
            return question()
        except (Unreachable, ServerFailure, RateLimited) as failure:
            failures += 1
            if failures >= limits.tries:
                raise
            wait_seconds = wait_before_next(failure, failures, limits)
            if wait_seconds is None:
                raise
        time.sleep(wait_seconds)


def wait_before_next(failure: RegistryError, failures: int, limits: Limits) -> float | None:
    """How long to wait after so many failures in a row; None when asking again soon is of no use."""
    if isinstance(failure, RateLimited):
        return _as_asked(failure.retry_after_seconds, failures, limits)
    if isinstance(failure, ServerFailure):
        if failure.status not in _PASSING_STATUSES:
            return None
        if failure.retry_after_seconds is not None:
            return _as_asked(failure.retry_after_seconds, failures, limits)
    elif not isinstance(failure, Unreachable) or isinstance(failure, TimedOut | UnknownHost | UntrustedCertificate):
        return None
    return backoff(failures, limits)


def backoff(failures: int, limits: Limits) -> float:
    """Twice as long after each failure, and never the same for two workers that failed together."""
    grown_seconds = limits.backoff_seconds * 2.0 ** min(failures - 1, 16)
    return min(grown_seconds, limits.patience_seconds) * _jitter.uniform(0.5, 1.5)


def _as_asked(retry_after_seconds: float | None, failures: int, limits: Limits) -> float | None:
    """What Retry-After asks for, never shorter: None when that is longer than our patience, or was not said."""
    if retry_after_seconds is None or retry_after_seconds > limits.patience_seconds:
        return None
    return max(retry_after_seconds, 0.0) + backoff(failures, limits)
