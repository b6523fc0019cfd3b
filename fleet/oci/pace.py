"""How often a registry may be asked: who decides it, and what a registry says of it.

Docker Hub's headers: https://docs.docker.com/docker-hub/usage/pulls/#view-pull-rate-and-limit
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

_LARGEST_COUNT = 1_000_000_000
_COUNT = re.compile(r"\s{0,8}(\d{1,10})\s{0,8}(?:;\s{0,8}w\s{0,8}=\s{0,8}(\d{1,10}))?(?![\d.])", re.ASCII)


class Pace(Protocol):
    """Holds requests to one registry within its budget. Threads share one."""

    def admit(self) -> None:
        """Returns when a request may be sent, after a short sleep if need be.

        Raises RateLimited with the seconds to wait when that would be long.
        """
        ...

    def heard(self, status: int, headers: Mapping[str, str]) -> None:
        """What the registry answered to an admitted request. Header names match in any case."""
        ...


class AdmittedOnly:
    """A registry's pace for its provider's API: asked as often, but what the API says of its limits is its own."""

    def __init__(self, pace: Pace) -> None:
        self.admit = pace.admit

    def heard(self, status: int, headers: Mapping[str, str]) -> None:
        """The registry's limits are others."""


@dataclass(frozen=True, slots=True)
class LimitSeen:
    """A registry's limit as it stated it: ``requests`` in ``window_seconds``, of which ``remaining`` are left.

    ``window_seconds`` and ``remaining`` are None where the registry did not say.
    """

    requests: int
    window_seconds: int | None
    remaining: int | None


def parse_limit(headers: Mapping[str, str]) -> LimitSeen | None:
    """What ``ratelimit-limit: 100;w=21600`` and ``ratelimit-remaining: 76;w=21600`` say.

    None when there is no limit or it cannot be read: Docker Hub sends neither header where pulls are unmetered.
    """
    limit, remaining = _count(headers, "ratelimit-limit"), _count(headers, "ratelimit-remaining")
    if limit is None:
        return None
    requests, window_seconds = limit
    if remaining is None:
        return LimitSeen(requests, window_seconds, None)
    return LimitSeen(requests, window_seconds or remaining[1], min(remaining[0], requests))


def _count(headers: Mapping[str, str], name: str) -> tuple[int, int | None] | None:
    """A count and its window in seconds. ``headers`` may be a plain dict, whatever case its names are in."""
    text = headers.get(name)
    if text is None:
        text = next((value for key, value in headers.items() if key.lower() == name), "")
    match = _COUNT.match(text[:200])
    if not match:
        return None
    window_seconds = int(match[2] or 0)
    return min(int(match[1]), _LARGEST_COUNT), min(window_seconds, _LARGEST_COUNT) or None
