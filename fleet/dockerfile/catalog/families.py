"""Families of bases: who makes them, and what all of a family have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Libc = Literal["glibc", "musl", "none"]
PackageManager = Literal["apt", "apk", "dnf", ""]


@dataclass(frozen=True, slots=True)
class Family:
    """``shell`` says whether its images have /bin/sh, ``package_manager`` is empty where they have none. ``libc`` is
    what they were made for; single images of a family may have none at all."""

    name: str
    publisher: str
    description: str
    libc: Libc
    shell: bool
    package_manager: PackageManager


FAMILIES = (
    Family("docker-library", "Docker Official Images", "Debian and Ubuntu, slim if there is", "glibc", True, "apt"),
    Family("alpine", "Docker Official Images", "Alpine Linux", "musl", True, "apk"),
    Family("distroless", "Google", "Debian's libraries without a shell or programs", "glibc", False, ""),
    Family("chiseled", "Canonical and Microsoft", "slices of Ubuntu's packages, no shell", "glibc", False, ""),
    Family("chainguard", "Chainguard", "Wolfi's packages without a shell", "glibc", False, ""),
    Family("wolfi", "Chainguard", "Wolfi with a shell and apk", "glibc", True, "apk"),
    Family("ubi", "Red Hat", "Universal Base Image, minimal", "glibc", True, "dnf"),
    Family("ubi-micro", "Red Hat", "Universal Base Image without a package manager", "glibc", True, ""),
    Family("dotnet", "Microsoft", ".NET on Debian and Ubuntu", "glibc", True, "apt"),
    Family("dotnet-alpine", "Microsoft", ".NET on Alpine", "musl", True, "apk"),
    Family("enterprise-linux", "their makers", "minimal images of RPM distributions", "glibc", True, "dnf"),
    Family("scratch", "the builder", "nothing at all", "none", False, ""),
)  # fmt: skip
