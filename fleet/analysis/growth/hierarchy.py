"""Single changes between two images, and the groups that they form. Groups are filled once and weighed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fleet.analysis.growth.causes import CauseKind, Change


@dataclass(slots=True, eq=False)
class Group:
    """A change, or a group of them. ``name`` is a path, an ecosystem, a build step. ``delta`` holds unpacked and
    compressed bytes, ``gross`` the same as the sum of what each change weighs, growth and loss alike: a group whose
    parts cancel has none of the one and much of the other. ``label`` and ``detail`` are for changes; of groups they are
    made when it is known what they stand for. ``low`` and ``high`` are the first and the last of the paths that
    changed."""

    parent: Group | None
    kind: CauseKind
    name: str
    is_change: bool = False
    change: Change = "changed"
    label: str = ""
    detail: str = ""
    unpacked_bytes: int = 0
    compressed_bytes: int = 0
    gross_unpacked: int = 0
    gross_compressed: int = 0
    low: str = ""
    high: str = ""


@dataclass(slots=True)
class Hierarchy:
    """``groups`` holds parents before their children, the root first."""

    groups: list[Group] = field(default_factory=lambda: [Group(None, "rest", "")])

    @property
    def root(self) -> Group:
        return self.groups[0]

    def add(self, parent: Group, kind: CauseKind, name: str) -> Group:
        group = Group(parent, kind, name)
        self.groups.append(group)
        return group

    def add_change(
        self,
        parent: Group,
        kind: CauseKind,
        label: str,
        unpacked_bytes: int,
        compressed_bytes: int,
        change: Change = "changed",
        detail: str = "",
    ) -> Group | None:
        """None for a change that weighs nothing: it explains nothing."""
        if not unpacked_bytes and not compressed_bytes:
            return None
        change_ = Group(
            parent, kind, label, True, change, label, detail,
            unpacked_bytes, compressed_bytes, abs(unpacked_bytes), abs(compressed_bytes),
        )  # fmt: skip
        self.groups.append(change_)
        return change_

    def changes(self) -> Iterator[Group]:
        return (group for group in self.groups if group.is_change)

    def weigh(self) -> None:
        """Sum up the changes into all groups that they are in."""
        for group in reversed(self.groups):
            parent = group.parent
            if parent is not None:
                parent.unpacked_bytes += group.unpacked_bytes
                parent.compressed_bytes += group.compressed_bytes
                parent.gross_unpacked += group.gross_unpacked
                parent.gross_compressed += group.gross_compressed
