"""Which names stand in which directory, also in directories that no layer lists."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.image.limits import DEFAULT_LIMITS, Limits
from fleet.oci.errors import TooLarge


class Children:
    """The names in each directory, so that a subtree is found without looking at the rest.

    A few paths of 4096 bytes may imply thousands of directories each, with names as long: more than the limits grant
    raises TooLarge.
    """

    __slots__ = ("_limits", "_made", "_made_bytes", "_names")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._names: dict[str, dict[str, None]] = {"": {}}
        self._limits = limits
        self._made = 0
        self._made_bytes = 0

    def __contains__(self, directory: str) -> bool:
        return directory in self._names

    def add(self, path: str) -> None:
        """Add a path and the directories above it."""
        names = self._names
        while True:
            directory = path.rpartition("/")[0]
            siblings = names.get(directory)
            if siblings is not None:
                siblings[path] = None
                return
            names[directory] = {path: None}
            self._count(directory)
            path = directory

    def _count(self, directory: str) -> None:
        self._made += 1
        self._made_bytes += len(directory)
        if self._made > self._limits.directories or self._made_bytes > self._limits.directories_bytes:
            raise TooLarge(
                f"The image has more than {self._limits.directories} directories, or more than "
                f"{self._limits.directories_bytes} bytes of their paths. No software needs that; check the image."
            )

    def remove(self, path: str) -> None:
        """Remove a path with everything below it."""
        for below in list(self.below(path)):
            self._names.pop(below, None)
        self._names.pop(path, None)
        self._names.get(path.rpartition("/")[0], {}).pop(path, None)

    def clear(self, directory: str) -> None:
        """Remove everything below a directory."""
        for below in list(self.below(directory)):
            self._names.pop(below, None)
        if directory in self._names:
            self._names[directory] = {}

    def below(self, directory: str) -> Iterator[str]:
        """Every path below a directory, parents first."""
        todo = [iter(self._names.get(directory, ()))]
        while todo:
            path = next(todo[-1], None)
            if path is None:
                todo.pop()
                continue
            yield path
            if path in self._names:
                todo.append(iter(self._names[path]))
