"""From a hierarchy of changes to the few causes that explain the difference.

A group has a name of its own when it weighs a share of all changes, without those parts of it that have one
(hierarchical heavy hitters; Cormode et al., VLDB 2003, https://doi.org/10.1016/B978-012722442-8/50048-3). What is left
goes to the next group above, in the end to the root. The share starts at 1 % and rises until the five largest causes
say nine tenths of it all, growth and loss apart as well as on the whole: that is the most specific account that is
short. The root alone satisfies it, so there always is one.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fleet.analysis.growth.causes import Cause, Change
from fleet.analysis.growth.hierarchy import Group, Hierarchy
from fleet.analysis.growth.labels import common_directory, group_detail, group_label
from fleet.image.sizes import Sizes

TOP = 5
MOST_CAUSES = 20
_EXAMPLES = 3


@dataclass(slots=True, eq=False)
class Part:
    """A named group without its parts that are named themselves. ``largest`` are changes as a heap."""

    group: Group
    unpacked_bytes: int
    compressed_bytes: int
    gross_unpacked: int
    gross_compressed: int
    changes: int = 0
    kinds: set[Change] = field(default_factory=set)
    low: str = ""
    high: str = ""
    largest: list[tuple[int, str, int, Group]] = field(default_factory=list)


def explain(hierarchy: Hierarchy) -> tuple[Cause, ...]:
    """The causes that the changes come down to, largest compressed change first; they add up to the changes exactly."""
    hierarchy.weigh()
    if len(hierarchy.groups) == 1:
        return ()
    parts = most_specific(hierarchy)
    _look_into(parts, hierarchy)
    return tuple(_cause(part, is_other=_is_other(part, parts)) for part in parts)


def most_specific(hierarchy: Hierarchy) -> list[Part]:
    """The finest cut of a weighed hierarchy that is short enough, largest first. Every change is in one part."""
    root = hierarchy.root
    weighty = [group for group in hierarchy.groups if _is_heavy(group.gross_unpacked, group.gross_compressed, 1, root)]
    parts: list[Part] = []
    for percent in range(1, 101):
        parts = _ranked(_named(weighty, root, percent))
        if len(parts) <= MOST_CAUSES and _explains(parts, root):
            return parts
    return _ranked(_named([root], root, 100))


def _named(weighty: Sequence[Group], root: Group, percent: int) -> list[Part]:
    """The groups that weigh ``percent`` of all without their named parts, and the root with what is left."""
    taken: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    parts: list[Part] = []
    for group in reversed(weighty):
        unpacked, compressed, gross_unpacked, gross_compressed = taken.pop(id(group), (0, 0, 0, 0))
        own = (
            group.unpacked_bytes - unpacked,
            group.compressed_bytes - compressed,
            group.gross_unpacked - gross_unpacked,
            group.gross_compressed - gross_compressed,
        )
        is_named = _is_heavy(own[2], own[3], percent, root)
        if is_named or (group is root and any(own)):
            parts.append(Part(group, *own))
        if group.parent is not None:
            above = taken[id(group.parent)]
            for at, value in enumerate(_total(group)):
                above[at] += value if is_named else value - own[at]
    return parts


def _total(group: Group) -> tuple[int, int, int, int]:
    return group.unpacked_bytes, group.compressed_bytes, group.gross_unpacked, group.gross_compressed


def _is_heavy(gross_unpacked: int, gross_compressed: int, percent: int, root: Group) -> bool:
    """In either kind of size."""
    return (gross_unpacked > 0 and 100 * gross_unpacked >= percent * root.gross_unpacked) or (
        gross_compressed > 0 and 100 * gross_compressed >= percent * root.gross_compressed
    )


def _ranked(parts: Iterable[Part]) -> list[Part]:
    return sorted(
        parts,
        key=lambda part: (
            -abs(part.compressed_bytes), -abs(part.unpacked_bytes), -part.gross_compressed, part.group.kind,
            part.group.name,
        ),
    )  # fmt: skip


def _explains(parts: Sequence[Part], root: Group) -> bool:
    """Whether the first parts say nine tenths of everything."""
    top = parts[:TOP]
    return (
        10 * sum(part.gross_unpacked for part in top) >= 9 * root.gross_unpacked
        and 10 * sum(part.gross_compressed for part in top) >= 9 * root.gross_compressed
        and _is_near(sum(part.unpacked_bytes for part in top), root.unpacked_bytes)
        and _is_near(sum(part.compressed_bytes for part in top), root.compressed_bytes)
    )


def _is_near(told: int, whole: int) -> bool:
    return 10 * abs(whole - told) <= abs(whole)


def _look_into(parts: Sequence[Part], hierarchy: Hierarchy) -> None:
    """Find out what each part stands for: how many changes, the largest of them, and where they are."""
    nearest: dict[int, Part] = {id(part.group): part for part in parts}
    for number, group in enumerate(hierarchy.groups):
        part = nearest.get(id(group))
        if part is None and group.parent is not None:
            # Parents come first, so that each knows its own by now.
            part = nearest.get(id(group.parent))
            if part is not None:
                nearest[id(group)] = part
        if part is not None and group.is_change:
            _note(part, group, number)


def _note(part: Part, change: Group, number: int) -> None:
    part.changes += 1
    part.kinds.add(change.change)
    if change.low:
        part.low = min(part.low or change.low, change.low)
        part.high = max(part.high, change.high)
    weight = max(abs(change.compressed_bytes), abs(change.unpacked_bytes))
    candidate = (weight, change.label, number, change)
    if len(part.largest) < _EXAMPLES:
        heapq.heappush(part.largest, candidate)
    elif candidate > part.largest[0]:
        heapq.heapreplace(part.largest, candidate)


def _is_other(part: Part, parts: Sequence[Part]) -> bool:
    """Whether a part of the same group was named before it; what is left of everything comes beside any other."""
    if part.group.parent is None:
        return len(parts) > 1
    return any(_is_within(named.group, part.group) for named in parts[: parts.index(part)])


def _is_within(group: Group, above: Group) -> bool:
    parent = group.parent
    while parent is not None and parent is not above:
        parent = parent.parent
    return parent is above


def _cause(part: Part, *, is_other: bool) -> Cause:
    delta = Sizes(part.unpacked_bytes, part.compressed_bytes)
    largest = [change for _, _, _, change in sorted(part.largest, key=lambda each: (-each[0], each[1], each[2]))]
    if part.changes == 1:
        (only,) = largest
        return Cause(only.kind, only.change, only.label, delta, only.detail)
    label = group_label(part.group, part.changes, common_directory(part.low, part.high), is_other=is_other)
    change: Change = next(iter(part.kinds)) if len(part.kinds) == 1 else "changed"
    return Cause(part.group.kind, change, label, delta, group_detail(part.group, largest))
