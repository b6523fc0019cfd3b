"""One installed package, whoever installed it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Package:
    """``ecosystem`` is deb, apk, rpm, pypi, conda, npm, go, cargo, maven, nuget, gem or composer. ``unpacked_bytes`` is
    what its files weigh in
    the final file tree. ``paths`` are its files that are there (no leading slash), ``layer`` the position of the
    layer that brought its metadata.

    Of system packages the dependency graph is known: ``requires`` holds one tuple for each dependency, the names that
    fulfil it, any of them; ``provides`` the names beside its own that it fulfils. ``automatic`` says that it was
    installed only since another package asked for it, None where nothing tells; ``essential`` that the system itself
    does not work without it; ``development`` that a lock file or database of the language marks it as needed for
    development alone. ``depends`` are the names that come first in each of ``requires``; for languages what the package
    itself names."""

    ecosystem: str
    name: str
    version: str
    unpacked_bytes: int
    layer: int
    paths: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    requires: tuple[tuple[str, ...], ...] = ()
    provides: tuple[str, ...] = ()
    automatic: bool | None = None
    essential: bool = False
    development: bool = False
