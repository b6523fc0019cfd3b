"""Who needs whom among the installed packages.

A dependency names what fulfils it, not who: a package of that name, or one that provides it. Names are looked up within
an ecosystem, for Debian's ``libc6`` and a wheel of that name have nothing to do with each other. Versions and
architectures are left out of it: a package manager put only together what fits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from fleet.image.packages.package import Package

_Name = tuple[str, str]  # ecosystem, and what a package is called or provides


class Graph:
    """The dependencies among ``packages``. Edges run through names, so that its size is that of what the packages say,
    however many of them fulfil one name or ask for it."""

    def __init__(self, packages: Iterable[Package]) -> None:
        self.packages = tuple(packages)
        self._fulfilling: dict[_Name, list[int]] = defaultdict(list)
        for position, package in enumerate(self.packages):
            for name in _names(package):
                self._fulfilling[package.ecosystem, name].append(position)

    def fulfilling(self, ecosystem: str, name: str) -> tuple[Package, ...]:
        """The packages that fulfil a dependency on ``name``; none when nothing installed does."""
        return self._at(self._fulfilling.get((ecosystem, name), ()))

    def needed(self, roots: Iterable[Package]) -> tuple[Package, ...]:
        """The packages called like ``roots`` and all that they require, and what those require. Of alternatives all
        that are installed count as needed. In the order of ``packages``, each once."""
        return self._at(sorted(self._reached(roots)))

    def needing(self, package: Package) -> tuple[Package, ...]:
        """The other packages with a dependency that ``package`` fulfils, alone or beside others."""
        names = set(_names(package))
        return tuple(
            other
            for other in self.packages
            if other.ecosystem == package.ecosystem
            and other.name != package.name
            and any(not names.isdisjoint(alternatives) for alternatives in other.requires)
        )

    def _reached(self, roots: Iterable[Package]) -> set[int]:
        named = {(package.ecosystem, package.name) for package in roots}
        reached = {at for at, package in enumerate(self.packages) if (package.ecosystem, package.name) in named}
        waiting = list(reached)
        asked: set[_Name] = set()
        while waiting:
            package = self.packages[waiting.pop()]
            for name in (name for alternatives in package.requires for name in alternatives):
                key = (package.ecosystem, name)
                if key not in asked:
                    asked.add(key)
                    fresh = [at for at in self._fulfilling.get(key, ()) if at not in reached]
                    reached.update(fresh)
                    waiting += fresh
        return reached

    def _at(self, positions: Collection[int]) -> tuple[Package, ...]:
        return tuple(self.packages[position] for position in positions)


def needed(packages: Iterable[Package], roots: Iterable[Package]) -> tuple[Package, ...]:
    """``roots`` and what they need of ``packages``; see ``Graph.needed``."""
    return Graph(packages).needed(roots)


def _names(package: Package) -> Iterator[str]:
    return iter(dict.fromkeys((package.name, *package.provides)))
