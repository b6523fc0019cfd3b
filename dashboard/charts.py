"""Shapes for drawing: the sparkline in a row, the trend on a page. Geometry only; templates and scripts draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Literal, TypedDict

from dashboard.releases import Release
from dashboard.wording import megabytes
from fleet.models import Service, SizePolicy
from fleet.policy.evaluate import Scope, in_scope

SPARKLINE_WIDTH, SPARKLINE_HEIGHT, SPARKLINE_MARGIN = 72, 28, 3
# A change below this share of the size is drawn as level: noise must not look like growth.
STEADY_SHARE = 0.02
# A limit further above than this many times the largest size would press the line to the floor.
FAR_TIMES = 3


@dataclass(frozen=True, slots=True)
class Sparkline:
    """``line`` holds SVG points; ``end`` is the last of them."""

    line: str
    end: tuple[float, float]
    direction: Literal["up", "down", "level"]
    title: str


def sparkline(sizes: Sequence[int]) -> Sparkline | None:
    """The line through sizes in bytes, oldest first; None where there is nothing to draw."""
    if not sizes:
        return None
    points = _points(sizes)
    return Sparkline(
        line=" ".join(f"{x:g},{y:g}" for x, y in points),
        end=points[-1],
        direction=_direction(sizes[0], sizes[-1]),
        title=_title(sizes),
    )


def _points(sizes: Sequence[int]) -> list[tuple[float, float]]:
    """Scaled to the range of the sizes, but to no less than a tenth of the largest: noise stays flat."""
    span = max(max(sizes) - min(sizes), max(sizes) / 10, 1)
    middle = (max(sizes) + min(sizes)) / 2
    width, height = SPARKLINE_WIDTH - 2 * SPARKLINE_MARGIN, SPARKLINE_HEIGHT - 2 * SPARKLINE_MARGIN
    step = width / max(len(sizes) - 1, 1)
    first = SPARKLINE_MARGIN if len(sizes) > 1 else SPARKLINE_WIDTH / 2
    return [
        (round(first + at * step, 1), round(SPARKLINE_HEIGHT / 2 - (size - middle) / span * height, 1))
        for at, size in enumerate(sizes)
    ]


def _direction(first: int, last: int) -> Literal["up", "down", "level"]:
    if abs(last - first) <= STEADY_SHARE * max(first, 1):
        return "level"
    return "up" if last > first else "down"


def _title(sizes: Sequence[int]) -> str:
    if len(sizes) == 1:
        return f"1 snapshot, {megabytes(sizes[0])}"
    return f"{len(sizes)} snapshots, {megabytes(sizes[0])} → {megabytes(sizes[-1])}"


class Point(TypedDict):
    """``cause`` says in a line what it grew by since the point before, compressed; empty where that is not known."""

    tag: str
    taken_at: str
    compressed_bytes: int
    unpacked_bytes: int | None
    cause: str


class LimitLine(TypedDict):
    kind: str
    level: str
    bytes: int
    label: str
    short_label: str


class Trend(TypedDict):
    """What the chart's script reads, as JSON. ``far`` are the limits too high to be drawn, lowest first."""

    points: list[Point]
    limits: list[LimitLine]
    far: list[LimitLine]


def trend(shown: Sequence[Release], policies: Iterable[SizePolicy]) -> Trend:
    """Unpacked sizes are drawn once two are known: a lone dot above would only press the line down."""
    unpacked = len({each.snapshot.image_id for each in shown if each.snapshot.unpacked_bytes is not None}) > 1
    kinds = ("compressed", "unpacked") if unpacked else ("compressed",)
    points = [_point(same, unpacked=unpacked) for same in _moments(shown)]
    lines = [line for policy in policies for line in _limit_lines(policy, kinds)]
    sizes = (size for point in points for size in (point["compressed_bytes"], point["unpacked_bytes"] or 0))
    highest = FAR_TIMES * max(sizes, default=0)
    return Trend(
        points=points,
        limits=[line for line in lines if line["bytes"] <= highest],
        far=sorted((line for line in lines if line["bytes"] > highest), key=itemgetter("bytes")),
    )


def _moments(shown: Sequence[Release]) -> list[list[Release]]:
    """The releases, those together that are one image under several tags: ``2.6.0`` and ``latest`` are one point."""
    return [list(same) for _, same in groupby(shown, key=attrgetter("snapshot.image_id", "snapshot.taken_at"))]


def policies_for(service: Service) -> list[SizePolicy]:
    """The enabled policies whose scope holds the service. One query."""
    return [
        policy
        for policy in SizePolicy.objects.filter(enabled=True)
        if in_scope(
            Scope(policy.registry_id, policy.repository_glob, policy.owner),
            registry_id=service.registry_id,
            repository=service.repository,
            owner=service.owner,
        )
    ]


def _point(same: Sequence[Release], *, unpacked: bool) -> Point:
    """The first of them has grown, the others are the same image."""
    snapshot = same[0].snapshot
    taken_at: datetime = snapshot.taken_at
    return Point(
        tag=", ".join(each.snapshot.tag for each in same),
        taken_at=taken_at.isoformat(),
        compressed_bytes=snapshot.compressed_bytes,
        unpacked_bytes=snapshot.unpacked_bytes if unpacked else None,
        cause=same[0].headline,
    )


def _limit_lines(policy: SizePolicy, kinds: Iterable[str]) -> Iterable[LimitLine]:
    for kind in kinds:
        for level in ("warn", "fail"):
            limit = getattr(policy, f"{level}_{kind}_bytes")
            if limit is not None:
                word = "limit" if level == "fail" else "warning"
                short = f"{word} {megabytes(limit)}"
                label = f"{policy.name}: {kind} {short}"
                yield LimitLine(kind=kind, level=level, bytes=limit, label=label, short_label=short)
