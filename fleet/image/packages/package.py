"""One installed package, whoever installed it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Package:
    """``ecosystem`` is deb, apk, pypi, npm, go, maven, gem or cargo. ``unpacked_bytes`` is what its files weigh in
    the final file tree. ``paths`` are its files that are there (no leading slash), ``layer`` the position of the
    layer that brought its metadata."""

    ecosystem: str
    name: str
    version: str
    unpacked_bytes: int
    layer: int
    paths: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
