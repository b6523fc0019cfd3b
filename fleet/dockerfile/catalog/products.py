"""What the publishers of bases publish, as of 25 November 2026: one row a repository and kind of tag.

Tags are patterns, since a publisher goes on for new versions and releases as before: ``{version}`` is the runtime's
line (3.11, 22, 8.0), ``{number}`` and ``{codename}`` are the distribution's release. A row says for which lines and
releases there were images when it was written; whether a tag exists today is the registry's to say.

Sources: https://github.com/docker-library/official-images/tree/master/library,
https://github.com/GoogleContainerTools/distroless, https://github.com/dotnet/dotnet-docker,
https://github.com/nginxinc/docker-nginx-unprivileged, https://hub.docker.com/u/ubuntu,
https://catalog.redhat.com/software/base-images, https://images.chainguard.dev/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleet.dockerfile.catalog.families import Libc
from fleet.dockerfile.suggestion import Tier

_Lines = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Product:
    """``system`` is the ID of the distribution inside. ``lines`` are the releases by the runtime's line, oldest first;
    the line is empty without a runtime. ``floating`` names no release: it is the newest one, or ``floats_on``.
    ``maker`` names the table of ends that the publisher set for its images, where it did."""

    family: str
    runtime: str
    tier: Tier
    system: str
    libc: Libc
    pattern: str
    lines: _Lines
    floating: str = ""
    floats_on: str = ""
    maker: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the pattern also names lines that came after this table."""
        return "{version}" in self.pattern

    def reference(self, version: str, number: str, codename: str) -> str:
        """Empty where the release has no name that the pattern needs."""
        if ("{codename}" in self.pattern and not codename) or ("{number}" in self.pattern and not number):
            return ""
        return self.pattern.format(version=version, number=number, codename=codename)

    def floating_number(self, version: str) -> str:
        """The release that the floating tag of a line is on; empty where that is not known."""
        releases = self.lines.get(version, ())
        return self.floats_on or (releases[-1] if releases else "") if releases else ""


def _lines(releases: str, *versions: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(versions, tuple(releases.split()))


_PYTHON = {
    **_lines("11 12", "3.8"), **_lines("11 12 13", "3.9"), **_lines("11 12 13", "3.10", "3.11", "3.12", "3.13"),
    **_lines("12 13", "3.14"),
}  # fmt: skip
_PYTHON_ALPINE = {
    **_lines("3.18 3.19 3.20", "3.8"), **_lines("3.19 3.20 3.21 3.22", "3.9"),
    **_lines("3.19 3.20 3.21 3.22 3.23", "3.10", "3.11", "3.12", "3.13"), **_lines("3.21 3.22 3.23", "3.14"),
}  # fmt: skip
_NODE = {**_lines("11 12", "18", "20", "22", "23"), **_lines("12 13", "24", "25")}
_NODE_ALPINE = {
    **_lines("3.18 3.19 3.20 3.21", "18"), **_lines("3.19 3.20 3.21 3.22 3.23", "20", "22"),
    **_lines("3.21 3.22 3.23", "24", "25"),
}  # fmt: skip
_RUBY = {**_lines("11 12", "3.0", "3.1"), **_lines("11 12 13", "3.2", "3.3"), **_lines("12 13", "3.4")}
_RUBY_ALPINE = {
    **_lines("3.19 3.20", "3.0"), **_lines("3.19 3.20 3.21", "3.1"),
    **_lines("3.20 3.21 3.22 3.23", "3.2", "3.3", "3.4"),
}  # fmt: skip
_PHP = {**_lines("11 12", "8.0"), **_lines("11 12 13", "8.1"), **_lines("12 13", "8.2", "8.3", "8.4", "8.5")}
_PHP_ALPINE = {
    **_lines("3.16", "8.0"), **_lines("3.19 3.20 3.21 3.22", "8.1"),
    **_lines("3.20 3.21 3.22 3.23", "8.2", "8.3", "8.4"), **_lines("3.22 3.23", "8.5"),
}  # fmt: skip
_TEMURIN = {**_lines("20.04 22.04 24.04", "8", "11", "17"), **_lines("22.04 24.04", "21"), **_lines("24.04", "25")}
_TEMURIN_ALPINE = _lines("3.20 3.21 3.22 3.23", "8", "11", "17", "21") | _lines("3.22 3.23", "25")
_TEMURIN_UBI = {**_lines("9", "8", "11", "17", "21"), **_lines("9 10", "25")}
_NGINX = {**_lines("12", "1.26", "1.27", "1.28"), **_lines("12 13", "1.29")}
_NGINX_ALPINE = {
    **_lines("3.20", "1.26"), **_lines("3.20 3.21", "1.27"), **_lines("3.21", "1.28"), **_lines("3.22", "1.29"),
}  # fmt: skip
_DOTNET_DEBIAN = {**_lines("11 12", "6.0", "7.0"), **_lines("12 13", "8.0"), **_lines("12 13", "9.0")}
_DOTNET_UBUNTU = {
    **_lines("20.04 22.04", "6.0"), **_lines("22.04", "7.0"), **_lines("22.04 24.04", "8.0"),
    **_lines("24.04", "9.0", "10.0"),
}  # fmt: skip
_DOTNET_CHISELED = {**_lines("22.04", "6.0", "7.0"), **_lines("22.04 24.04", "8.0"), **_lines("24.04", "9.0", "10.0")}
_DOTNET_EXTRA = {**_lines("22.04 24.04", "8.0"), **_lines("24.04", "9.0", "10.0")}
_DOTNET_ALPINE = {
    **_lines("3.18 3.19 3.20", "6.0"), **_lines("3.20 3.21 3.22", "8.0"), **_lines("3.20 3.21 3.22", "9.0"),
    **_lines("3.22 3.23", "10.0"),
}  # fmt: skip
_PLAIN = "redhat/ubi{number}"
_ACCESS = "registry.access.redhat.com/ubi{number}"
_GCR = "gcr.io/distroless"
_MCR = "mcr.microsoft.com/dotnet"
_UNPRIVILEGED = "nginxinc/nginx-unprivileged"


def _library(runtime: str, name: str, debian: str, lines: _Lines, alpine: str, alpine_lines: _Lines) -> list[Product]:
    """An official image: its Debian tags and its Alpine tags, both also without a release."""
    return [
        Product("docker-library", runtime, "slim", "debian", "glibc", f"{name}:{debian}-{{codename}}", lines,
                f"{name}:{debian}"),
        Product("alpine", runtime, "slim", "alpine", "musl", f"{name}:{alpine}{{number}}", alpine_lines,
                f"{name}:{alpine}"),
    ]  # fmt: skip


def _dotnet(runtime: str, repository: str) -> list[Product]:
    """Chiseled images come with ICU and time zones first: without them a program may run otherwise than before."""
    name = f"{_MCR}/{repository}:{{version}}"
    return [
        Product("dotnet", runtime, "slim", "debian", "glibc", f"{name}-{{codename}}-slim", _DOTNET_DEBIAN),
        Product("dotnet", runtime, "slim", "ubuntu", "glibc", f"{name}-{{codename}}", _DOTNET_UBUNTU),
        Product("dotnet-alpine", runtime, "slim", "alpine", "musl", f"{name}-alpine{{number}}", _DOTNET_ALPINE),
        Product("chiseled", runtime, "distroless", "ubuntu", "glibc", f"{name}-{{codename}}-chiseled-extra",
                _DOTNET_EXTRA),
        Product("chiseled", runtime, "distroless", "ubuntu", "glibc", f"{name}-{{codename}}-chiseled",
                _DOTNET_CHISELED),
    ]  # fmt: skip


def _distroless(runtime: str, repository: str, lines: _Lines, maker: str) -> Product:
    pattern = f"{_GCR}/{repository}-debian{{number}}:nonroot"
    return Product("distroless", runtime, "distroless", "debian", "glibc", pattern, lines, maker=maker)


# Runtimes and systems with a package manager.
_SLIM = [
    Product("docker-library", "", "slim", "debian", "glibc", "debian:{codename}-slim", _lines("11 12 13", "")),
    Product("docker-library", "", "slim", "ubuntu", "glibc", "ubuntu:{number}", _lines("20.04 22.04 24.04", "")),
    Product("alpine", "", "slim", "alpine", "musl", "alpine:{number}", _lines("3.19 3.20 3.21 3.22 3.23", "")),
    Product("ubi", "", "slim", "rhel", "glibc", f"{_PLAIN}-minimal:latest", _lines("8 9 10", "")),
    Product("wolfi", "", "slim", "wolfi", "glibc", "cgr.dev/chainguard/wolfi-base:latest", {"": ("",)}),
    Product("enterprise-linux", "", "slim", "rocky", "glibc", "rockylinux/rockylinux:{number}-minimal",
            _lines("8 9 10", "")),
    Product("enterprise-linux", "", "slim", "almalinux", "glibc", "almalinux:{number}-minimal", _lines("8 9 10", "")),
    Product("enterprise-linux", "", "slim", "ol", "glibc", "oraclelinux:{number}-slim", _lines("8 9 10", "")),
    Product("enterprise-linux", "", "slim", "amzn", "glibc",
            "public.ecr.aws/amazonlinux/amazonlinux:{number}-minimal", _lines("2023", "")),
    *_library("python", "python", "{version}-slim", _PYTHON, "{version}-alpine", _PYTHON_ALPINE),
    Product("ubi", "python", "slim", "rhel", "glibc", f"{_ACCESS}/python-312-minimal:latest", _lines("9 10", "3.12")),
    Product("docker-library", "node", "slim", "debian", "glibc", "node:{version}-{codename}-slim", _NODE,
            "node:{version}-slim", floats_on="12"),
    Product("alpine", "node", "slim", "alpine", "musl", "node:{version}-alpine{number}", _NODE_ALPINE,
            "node:{version}-alpine"),
    Product("ubi", "node", "slim", "rhel", "glibc", f"{_ACCESS}/nodejs-{{version}}-minimal:latest",
            {**_lines("8 9", "20"), **_lines("8 9 10", "22")}),
    *_library("ruby", "ruby", "{version}-slim", _RUBY, "{version}-alpine", _RUBY_ALPINE),
    *_library("php", "php", "{version}-cli", _PHP, "{version}-cli-alpine", _PHP_ALPINE),
    *_library("php-fpm", "php", "{version}-fpm", _PHP, "{version}-fpm-alpine", _PHP_ALPINE),
    Product("docker-library", "php-apache", "slim", "debian", "glibc", "php:{version}-apache-{codename}", _PHP,
            "php:{version}-apache"),
    Product("docker-library", "java", "slim", "ubuntu", "glibc", "eclipse-temurin:{version}-jre-{codename}", _TEMURIN,
            "eclipse-temurin:{version}-jre", maker="temurin"),
    Product("alpine", "java", "slim", "alpine", "musl", "eclipse-temurin:{version}-jre-alpine-{number}",
            _TEMURIN_ALPINE, "eclipse-temurin:{version}-jre-alpine", maker="temurin"),
    Product("ubi", "java", "slim", "rhel", "glibc", f"{_ACCESS}/openjdk-{{version}}-runtime:latest",
            {**_lines("8", "8"), **_lines("8 9", "11", "17", "21")}),
    Product("ubi", "java", "slim", "rhel", "glibc", "eclipse-temurin:{version}-jre-ubi{number}-minimal", _TEMURIN_UBI,
            maker="temurin"),
    Product("docker-library", "nginx", "slim", "debian", "glibc", "nginx:{version}-{codename}", _NGINX,
            "nginx:{version}"),
    Product("alpine", "nginx", "slim", "alpine", "musl", "nginx:{version}-alpine{number}-slim", _NGINX_ALPINE,
            "nginx:{version}-alpine-slim"),
    Product("alpine", "nginx", "slim", "alpine", "musl", "nginx:{version}-alpine{number}", _NGINX_ALPINE,
            "nginx:{version}-alpine"),
    Product("alpine", "nginx-unprivileged", "slim", "alpine", "musl",
            f"{_UNPRIVILEGED}:{{version}}-alpine{{number}}-slim", _NGINX_ALPINE,
            f"{_UNPRIVILEGED}:{{version}}-alpine-slim"),
    Product("docker-library", "nginx-unprivileged", "slim", "debian", "glibc",
            f"{_UNPRIVILEGED}:{{version}}-{{codename}}", _NGINX, f"{_UNPRIVILEGED}:{{version}}"),
]  # fmt: skip

# For files that any nginx serves, so that there is no line to keep.
NGINX_STABLE: tuple[tuple[str, Libc], ...] = (
    (f"{_UNPRIVILEGED}:stable-alpine-slim", "musl"),
    (f"{_UNPRIVILEGED}:stable", "glibc"),
)

# Images without a shell. The first three need no runtime; their kind is what they hold of C and C++.
KINDS: Mapping[str, str] = {"static": "none", "base": "glibc", "cc": "glibc"}
_BARE = [
    Product("distroless", kind, "distroless", "debian", "none" if kind == "static" else "glibc",
            f"{_GCR}/{kind}-debian{{number}}:nonroot", _lines("11 12 13", ""), maker="distroless")
    for kind in KINDS
] + [
    Product("chainguard", "static", "distroless", "wolfi", "none", "cgr.dev/chainguard/static:latest", {"": ("",)}),
    *(Product("chainguard", kind, "distroless", "wolfi", "glibc", "cgr.dev/chainguard/glibc-dynamic:latest",
              {"": ("",)}) for kind in ("base", "cc")),
    *(Product("chiseled", kind, "distroless", "ubuntu", "glibc",
              f"{_MCR}/runtime-deps:{version}-{{codename}}-chiseled", _lines(releases, ""))
      for kind in ("base", "cc") for version, releases in (("10.0", "24.04"), ("8.0", "22.04 24.04"))),
    Product("ubi-micro", "base", "distroless", "rhel", "glibc", f"{_PLAIN}-micro:latest", _lines("8 9 10", "")),
]  # fmt: skip
_RUNTIMES = [
    _distroless("python", "python3", {"3.9": ("11",), "3.11": ("12",), "3.13": ("13",)}, "distroless-runtimes"),
    Product("chiseled", "python", "distroless", "ubuntu", "glibc", "ubuntu/python:{version}-{number}_stable",
            {"3.10": ("22.04",), "3.12": ("24.04",)}),
    _distroless("node", "nodejs{version}",
                {**_lines("11 12", "18", "20"), **_lines("12 13", "22", "24")}, "distroless-runtimes"),
    _distroless("java", "java{version}",
                {**_lines("11", "11"), **_lines("11 12", "17"), **_lines("12 13", "21"), **_lines("13", "25")},
                "distroless-runtimes"),
    Product("chiseled", "java", "distroless", "ubuntu", "glibc", "ubuntu/jre:{version}-{number}_stable",
            {"21": ("24.04",)}),
    _distroless("java-base", "java-base", _lines("11 12 13", ""), "distroless-runtimes"),
    *_dotnet("dotnet", "aspnet"), *_dotnet("dotnet-runtime", "runtime"), *_dotnet("dotnet-deps", "runtime-deps"),
]  # fmt: skip

PRODUCTS: tuple[Product, ...] = (*_SLIM, *_BARE, *_RUNTIMES)
