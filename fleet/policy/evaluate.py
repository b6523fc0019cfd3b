"""Limits of a size policy against what a service weighs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

Level = Literal["warn", "fail"]
Kind = Literal["compressed", "unpacked"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest sizes that are still within the policy, in bytes; None sets no limit."""

    warn_compressed_bytes: int | None = None
    fail_compressed_bytes: int | None = None
    warn_unpacked_bytes: int | None = None
    fail_unpacked_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One limit that is exceeded."""

    level: Level
    kind: Kind
    measured_bytes: int
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class Scope:
    """Which services a policy is for; None and empty mean any. In the glob ``*`` crosses slashes."""

    registry_id: int | None = None
    repository_glob: str = ""
    owner: str = ""


def in_scope(scope: Scope, *, registry_id: int, repository: str, owner: str) -> bool:
    """True when every part that the scope names agrees with the service."""
    return (
        scope.registry_id in (None, registry_id)
        and (not scope.repository_glob or fnmatchcase(repository, scope.repository_glob))
        and scope.owner in ("", owner)
    )


def evaluate(limits: Limits, compressed_bytes: int, unpacked_bytes: int | None) -> tuple[Verdict, ...]:
    """At most one verdict a kind, the failure where both limits are exceeded; an unknown size has none."""
    kinds: tuple[tuple[Kind, int | None, int | None, int | None], ...] = (
        ("compressed", compressed_bytes, limits.warn_compressed_bytes, limits.fail_compressed_bytes),
        ("unpacked", unpacked_bytes, limits.warn_unpacked_bytes, limits.fail_unpacked_bytes),
    )
    return tuple(
        verdict
        for kind, measured_bytes, warn, fail in kinds
        if measured_bytes is not None
        for verdict in _worst(kind, measured_bytes, warn, fail)
    )


def _worst(kind: Kind, measured_bytes: int, warn: int | None, fail: int | None) -> Iterator[Verdict]:
    if fail is not None and measured_bytes > fail:
        yield Verdict("fail", kind, measured_bytes, fail)
    elif warn is not None and measured_bytes > warn:
        yield Verdict("warn", kind, measured_bytes, warn)
