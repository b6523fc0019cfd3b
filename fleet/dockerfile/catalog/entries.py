"""The catalog as a list, and what is known of a base by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache

from fleet.analysis.end_of_life import AS_OF, End, distribution_end, image_end, runtime_end
from fleet.dockerfile.catalog.families import Libc
from fleet.dockerfile.catalog.products import PRODUCTS, Product
from fleet.dockerfile.catalog.releases import Release, number_of, release
from fleet.dockerfile.suggestion import Tier
from fleet.oci.reference import DOCKER_HUB, Reference

# By the catalog's names of runtimes, where they differ from those of ``end_of_life``.
_RUNTIMES = {
    "php-fpm": "php", "php-apache": "php", "dotnet-runtime": "dotnet", "nginx-unprivileged": "nginx",
}  # fmt: skip
_TITLES = {"python": "Python", "node": "Node.js", "ruby": "Ruby", "php": "PHP", "java": "Java", "dotnet": ".NET"}
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """``reference`` is written as Docker Hub does where it is served there (``node:22-bookworm-slim``). ``runtime`` and
    ``version`` are empty without a runtime, ``release`` where the name tells none. ``end_of_life`` is the first day on
    which a part of it gets no more updates; None where our table knows none."""

    family: str
    reference: str
    runtime: str
    version: str
    release: str
    tier: Tier
    libc: Libc
    end_of_life: date | None


_SCRATCH = CatalogEntry("scratch", "scratch", "", "", "", "scratch", "none", None)


@cache
def entries() -> tuple[CatalogEntry, ...]:
    """Every base that our table knows by name, in the order of its rows."""
    found = {_SCRATCH.reference: _SCRATCH}
    for product in PRODUCTS:
        for line, numbers in product.lines.items():
            for number in numbers:
                each = _entry(product, line, release(product.system, number))
                if each.reference:
                    found.setdefault(each.reference, each)
    return tuple(found.values())


@lru_cache(maxsize=2048)
def entry_of(reference: str) -> CatalogEntry | None:
    """What the catalog says of a base by its name, with any patch version and whatever mirror serves it; None for what
    it does not know."""
    if reference == _SCRATCH.reference:
        return _SCRATCH
    found = _identify(reference)
    return _entry(*found) if found else None


def end_of_life_note(reference: str, today: date) -> str:
    """A sentence about a base that gets no more updates, with where the day is from; empty while it gets them."""
    found = _identify(reference)
    ended = [(end.day, what, end.source) for what, end in _ends(*found) if end.day < today] if found else []
    if not ended:
        return ""
    day, what, source = min(ended)
    return (
        f"{reference[:200]} left support on {day.isoformat()}: {what} gets no more updates, as {source} said on "
        f"{AS_OF.isoformat()}."
    )


def is_catalogued(reference: Reference) -> bool:
    """Whether a reference's repository is one of the catalog's, which was named by us and not by an image."""
    return _is_catalogued(reference.name)


@lru_cache(maxsize=2048)
def _is_catalogued(name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in _repositories())


def _entry(product: Product, line: str, on: Release) -> CatalogEntry:
    name = on.codename or on.number
    reference = product.reference(line, on.number, on.name) or product.floating.format(version=line)
    days = [end.day for _, end in _ends(product, line, on)]
    runtime = "" if product.runtime in ("static", "base", "cc") else product.runtime
    return CatalogEntry(
        product.family, reference, runtime, line, name, product.tier, product.libc, min(days) if days else None
    )


def _ends(product: Product, line: str, on: Release) -> Iterator[tuple[str, End]]:
    """When the runtime, the distribution and the publisher's own support end, as far as they are known."""
    runtime = _RUNTIMES.get(product.runtime, product.runtime)
    if line and (end := runtime_end(runtime, line)):
        yield f"{_TITLES.get(runtime, runtime)} {line}", end
    if product.maker == "temurin" and line and (end := image_end("temurin", line)):
        yield f"Eclipse Temurin {line}", end
    elif product.maker and on.number and (end := image_end(product.maker, on.number)):
        yield f"distroless on {on.title}", end
    if product.libc != "none" and on.number and (end := distribution_end(product.system, on.number)):
        yield on.title, end


def _identify(reference: str) -> tuple[Product, str, Release] | None:
    if len(reference) > _LONGEST:
        return None
    text = reference.partition("@")[0]
    for product, pattern in _patterns():
        if found := pattern.fullmatch(text):
            said = found.groupdict()
            number = said.get("number") or number_of(product.system, said.get("codename") or "")
            codename = said.get("codename") or release(product.system, number).name
            line = said.get("version") or _only_line(product, number)
            return product, line, Release(product.system, codename, number)
    return None


def _only_line(product: Product, number: str) -> str:
    """The runtime's line where the name does not say it: a release of distroless has one Python."""
    return next((line for line, numbers in product.lines.items() if number in numbers), "")


@cache
def _patterns() -> tuple[tuple[Product, re.Pattern[str]], ...]:
    """Tags with a release first: a floating one is a part of many."""
    exact = [(product, _pattern(product.pattern)) for product in PRODUCTS]
    return (*exact, *((product, _pattern(product.floating)) for product in PRODUCTS if product.floating))


def _pattern(text: str) -> re.Pattern[str]:
    """A mirror keeps the repository and its tags, and has its own host and prefix."""
    path = str(Reference.parse(_plain(text))).partition("/")[2]
    short = text if path.startswith("library/") else _without_host(text)
    return re.compile(r"(?:[^@]*/)?" + _expression(short))


def _expression(text: str) -> str:
    escaped = re.escape(text)
    for name, shape in (
        ("version", r"\d{1,4}(?:\.\d{1,4}){0,3}(?:_\d{1,3})?"),
        ("number", r"\d{1,4}(?:\.\d{1,3})?"),
        ("codename", "(?!alpine|slim|perl|otel)[a-z]{2,20}"),
    ):
        escaped = escaped.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>{shape})")
    return escaped


def _plain(text: str) -> str:
    return text.format(version="1", number="1", codename="a")


def _without_host(text: str) -> str:
    host, slash, rest = text.partition("/")
    return rest if slash and ("." in host or ":" in host) else text


@cache
def _repositories() -> tuple[re.Pattern[str], ...]:
    found: dict[str, None] = {}
    for product in PRODUCTS:
        repository = product.pattern.rpartition(":")[0]
        full = Reference.parse(_plain(product.pattern))
        prefix = f"{DOCKER_HUB}/library/" if full.repository.startswith("library/") else f"{DOCKER_HUB}/"
        found[_expression(repository if full.registry != DOCKER_HUB else prefix + repository)] = None
    return tuple(map(re.compile, found))
