"""Which bases a final stage may start from: the same line of the runtime, the same C library, no older release.

A program's own libraries were linked against the C library of its image, and a newer one serves it as well. Another
distribution may not: it names its packages and libraries otherwise. So these stay out, but for Java and .NET, whose
programs bring no libraries of the system's and whose makers publish images on some distributions only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from fleet.dockerfile.catalog.products import KINDS, NGINX_STABLE, PRODUCTS, Product
from fleet.dockerfile.catalog.releases import Release, order, release
from fleet.dockerfile.suggestion import Tier

Kind = Literal["static", "base", "cc"]

_PARTS = {"node": 1, "java": 1}
_NUMBER = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?")
_PORTABLE = frozenset({"java", "dotnet", "dotnet-runtime"})


def distroless_kind(needs_libc: bool, needs_cxx: bool) -> Kind:
    """Which of distroless's three bases holds what a program needs: nothing, glibc and OpenSSL, or C++ beside them."""
    if needs_cxx:
        return "cc"
    return "base" if needs_libc else "static"


def candidates(
    *, runtime: str, version: str, release: Release, tier: Tier, libc: str, cxx: bool = False
) -> tuple[str, ...]:
    """References as FROM names them, best first; none where no base fits.

    ``runtime`` is empty for a program that needs none, or that brings its own; else a name of ``findings.Runtime``, or
    ``php-fpm``, ``php-apache``, ``java-base`` (what a JVM needs, without one), ``dotnet-runtime``, ``dotnet-deps`` (no
    .NET, for programs that bring it), ``nginx-unprivileged`` (port 8080, uid 101; the
    stable line without a version). ``dotnet`` has ASP.NET Core. Of
    ``version`` as much counts as makes a line: 3.11 of 3.11.7, 22 of 22.1.0. ``release`` is the image's own, ``libc``
    that of the program: glibc, musl, or none for a static one. ``cxx`` says that it needs libstdc++ or libgcc.
    """
    if tier == "scratch":
        return ("scratch",)
    kind = distroless_kind(libc != "none", cxx) if tier == "distroless" and not runtime else runtime
    if runtime == "nginx-unprivileged" and not version:
        return tuple(name for name, made_for in NGINX_STABLE if libc in (made_for, "none"))
    line = "" if kind in KINDS or kind == "java-base" else line_of(runtime, version)
    if line is None:
        return ()
    fitting = [each for each in PRODUCTS if each.runtime == kind and each.tier == tier and _fits(each, libc)]
    own = [each for each in fitting if each.system == release.id or not release.id]
    found = [name for each in own for name in _same_release(each, line, release)]
    found += [name for each in own for name in _newer_releases(each, line, release)]
    found += [name for each in fitting for name in _elsewhere(each, line, release)]
    found += [name for each in own for name in _floating(each, line, release)]
    return tuple(dict.fromkeys(found))


def line_of(runtime: str, version: str) -> str | None:
    """The part of a version that must not change: 3.11, 22, 8.0, Java's 8 also as 1.8; empty without a runtime, None
    where the version does not tell."""
    if not runtime:
        return ""
    found = _NUMBER.match(version)
    if found is None:
        return None
    major, minor = found[1], found[2]
    if runtime == "java" and major == "1" and minor:
        return minor
    if _PARTS.get(runtime) == 1:
        return major
    if minor is None:
        return f"{major}.0" if runtime.startswith("dotnet") else None
    return f"{major}.{minor}"


def _fits(product: Product, libc: str) -> bool:
    """A program without a C library starts from any base, a base without one serves no other program."""
    return product.libc == libc or libc == "none"


def _same_release(product: Product, line: str, own: Release) -> Iterator[str]:
    published = own.id and _is_published(product, line, own)
    if published and (name := product.reference(line, own.number, own.name)):
        yield name


def _newer_releases(product: Product, line: str, own: Release) -> Iterator[str]:
    """Nearest first; none for a bare system, since what its packages are called changes with its release."""
    if not own.id or not product.runtime:
        return
    for number in product.lines.get(line, ()):
        if own.is_older_than(number) and (name := _named(product, line, number)):
            yield name


def _is_published(product: Product, line: str, own: Release) -> bool:
    """Whether there may be a base on a release: new lines and new releases go on as those before."""
    known = product.lines.get(line, ())
    if own.number in known or not product.runtime:
        return True
    if line:
        return product.is_open
    return not own.number or order(own.number) > order(known[-1])


def _elsewhere(product: Product, line: str, own: Release) -> Iterator[str]:
    """Other distributions' bases, newest first: for what is static, and for runtimes that bring all they need."""
    if product.system == own.id:
        return
    if product.runtime == "static" and product.system == "debian":
        yield from filter(None, (_named(product, line, number) for number in product.lines[""][:-3:-1]))
    if product.runtime in _PORTABLE and product.system in ("debian", "ubuntu") and own.glibc:
        for number in reversed(product.lines.get(line, ())):
            other = release(product.system, number)
            if other.glibc and other.glibc >= own.glibc and (name := _named(product, line, number)):
                yield name
                return


def _floating(product: Product, line: str, own: Release) -> Iterator[str]:
    """The tag that names no release, where the release that it is on is none older than the image's own."""
    if not product.floating or not line:
        return
    on = product.floating_number(line)
    if not own.id or (on and own.number and order(on) >= order(own.number)):
        yield product.floating.format(version=line)


def _named(product: Product, line: str, number: str) -> str:
    return product.reference(line, number, release(product.system, number).name)
