"""What a final stage can start from: asked of the registry that serves it, else taken from a dated table."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Protocol, TypeVar

from fleet.dockerfile.base_table import AS_OF, known_base
from fleet.dockerfile.suggestion import BaseImage
from fleet.image.loading import LoadedImage, load_image
from fleet.oci.errors import InvalidReference, RegistryError, Unreachable
from fleet.oci.manifest import Platform
from fleet.oci.reference import DOCKER_HUB, Reference
from fleet.oci.sources import Source, open_location

_T = TypeVar("_T")
Load = Callable[[Source, str, Platform], LoadedImage]


class Bases(Protocol):
    def find(self, candidates: Sequence[str]) -> BaseImage | None:
        """The first candidate that exists, named as FROM must name it; None when none is known."""
        ...

    def pin(self, reference: str) -> str | None:
        """What FROM should say for a build stage's base: the mirror's name and the digest of today; None when no
        registry tells."""
        ...


class TableBases:
    """Bases from the table alone: no network, no file tree."""

    def pin(self, reference: str) -> str | None:
        return None

    def find(self, candidates: Sequence[str]) -> BaseImage | None:
        for name in candidates:
            known = known_base(name)
            if known is not None:
                return BaseImage(name, known.sizes, "table", as_of=AS_OF)
        return None


class RegistryBases:
    """Bases as a registry serves them, mirrors first; the table for what no registry answers.

    ``mirrors`` maps a prefix of full names (``docker.io/library``) to the place that serves it. Answers are kept for
    the life of the instance, negative ones too, and a host that could not be reached is not asked again. ``load`` reads
    a base by its digest; one that keeps layers saves their download. Safe to share between threads.
    """

    def __init__(
        self,
        mirrors: Mapping[str, str],
        *,
        platform: Platform,
        plain_http: bool = False,
        load: Load = load_image,
    ) -> None:
        self._mirrors = dict(sorted(mirrors.items(), key=lambda item: -len(item[0])))
        self._platform = platform
        self._plain_http = plain_http
        self._load = load
        self._found: dict[str, BaseImage | None] = {}
        self._pinned: dict[str, str | None] = {}
        self._unreachable: set[str] = set()
        self._lock = threading.Lock()

    def find(self, candidates: Sequence[str]) -> BaseImage | None:
        with self._lock:
            for name in candidates:
                if name not in self._found:
                    self._found[name] = self._ask(name)
                if self._found[name] is not None:
                    return self._found[name]
        return TableBases().find(candidates)

    def pin(self, reference: str) -> str | None:
        with self._lock:
            if reference not in self._pinned:
                asked = self._at(reference, lambda source, target: source.head(target).digest)
                self._pinned[reference] = f"{asked[0]}@{asked[1]}" if asked else None
            return self._pinned[reference]

    def _ask(self, name: str) -> BaseImage | None:
        def read(source: Source, target: str) -> tuple[str, LoadedImage]:
            digest = source.head(target).digest
            return digest, self._load(source, digest, self._platform)

        asked = self._at(name, read)
        return base_image(asked[0], *asked[1]) if asked else None

    def _at(self, name: str, question: Callable[[Source, str], _T]) -> tuple[str, _T] | None:
        """The name that FROM must use and the answer of the place that serves it; None when there is none."""
        try:
            reference = Reference.parse(mirrored(name, self._mirrors))
            if reference.registry in self._unreachable:
                return None
            source, target = open_location(reference, plain_http=self._plain_http)
            with closing(source):
                return short_name(reference), question(source, target)
        except Unreachable:
            self._unreachable.add(reference.registry)
        except RegistryError:
            pass
        return None


def base_image(reference: str, digest: str, image: LoadedImage) -> BaseImage:
    """A base from its image. ``digest`` is what FROM pins: the index's, where the tag is one for many platforms."""
    return BaseImage(reference, image.sizes, "registry", digest, image.tree, config=image.config)


def mirrored(name: str, mirrors: Mapping[str, str]) -> str:
    """A name as the mirror that serves it says it; longer prefixes win. ``python:3.11`` is ``docker.io/library/…``."""
    full = str(Reference.parse(name))
    for prefix, place in mirrors.items():
        if full.startswith(f"{prefix}/"):
            return f"{place}{full[len(prefix) :]}"
    return full


def short_name(reference: Reference) -> str:
    """A reference with its tag as people write it in FROM: Docker Hub's own names stay short."""
    name = reference.name
    if reference.registry == DOCKER_HUB:
        name = reference.repository.removeprefix("library/")
    return f"{name}:{reference.tag}" if reference.tag else name


def parse_mirrors(lines: Iterable[str]) -> Mapping[str, str]:
    """``docker.io/library=mirror.example:5000/hub`` lines as a mapping. Raises InvalidReference for what is neither."""
    mirrors: dict[str, str] = {}
    for line in lines:
        if not line.strip():
            continue
        prefix, equals, place = (part.strip().rstrip("/") for part in line.strip().partition("="))
        if not equals or not prefix or not place or any(char.isspace() for char in prefix + place):
            raise InvalidReference(
                f"{line.strip()[:100]!r} is no mirror. Write docker.io/library=registry.example.com/prefix."
            )
        Reference.parse(f"{place}/name")
        mirrors[prefix] = place
    return dict(sorted(mirrors.items(), key=lambda item: -len(item[0])))
