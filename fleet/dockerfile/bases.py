"""What a final stage can start from: asked of the registry that serves it, else taken from a dated table.

What an image says of itself is written by whoever pushed it. It must not make a worker ask a host of its choice, such
as one that only the worker reaches (server-side request forgery): who may be asked is decided here, before any request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import Protocol, TypeVar

from fleet.dockerfile.base_table import AS_OF, known_base
from fleet.dockerfile.parse import InvalidDockerfile, parse_dockerfile
from fleet.dockerfile.suggestion import BaseImage
from fleet.dockerfile.wording import listed
from fleet.image.loading import LoadedImage, load_image
from fleet.oci.errors import InvalidReference, RegistryError, Unreachable
from fleet.oci.manifest import Platform
from fleet.oci.origin import registry_origins
from fleet.oci.reference import DOCKER_HUB, Reference
from fleet.oci.sources import Source, open_location

_T = TypeVar("_T")
Load = Callable[[Source, str, Platform], LoadedImage]
Keep = Callable[[BaseImage, LoadedImage], None]
Opener = Callable[[str], AbstractContextManager[Source]]

PINNED_BASES = 20
_WAIT_SECONDS = 1.0


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
    a base by its digest; one that keeps layers saves their download. ``keep`` hears of every base that was read.

    Asked are Docker Hub, the mirrors, ``hosts``, and the hosts of ``openers``, which open a repository of theirs in
    place of a login from Docker's config; no other host sees such a login. ``hosts`` is None where a person at a
    terminal names every base: then none is refused. ``beat`` is called before each question and while another thread's
    is waited for, and what it raises ends the asking. Safe to share between threads.
    """

    def __init__(
        self,
        mirrors: Mapping[str, str],
        *,
        platform: Platform,
        plain_http: bool = False,
        load: Load = load_image,
        hosts: Collection[str] | None = (),
        openers: Mapping[str, Opener] | None = None,
        keep: Keep = lambda base, image: None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._mirrors = dict(sorted(mirrors.items(), key=lambda item: -len(item[0])))
        self._platform = platform
        self._plain_http = plain_http
        self._load = load
        self._keep = keep
        self._openers = dict(openers or {})
        self._hosts: frozenset[str] | None = None
        if hosts is not None:
            places = _hosts_of(f"{place}/name" for place in mirrors.values())
            self._hosts = frozenset((DOCKER_HUB, *places, *self._openers, *hosts))
        self._beat = beat
        self._found: dict[str, BaseImage | None] = {}
        self._pinned: dict[str, str | None] = {}
        self._unreachable: set[str] = set()
        self._asking: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def find(self, candidates: Sequence[str]) -> BaseImage | None:
        for name in candidates:
            if self.may_ask(name) and (base := self._once(self._found, name, self._ask)):
                return base
        return TableBases().find(candidates)

    def pin(self, reference: str, more_hosts: Collection[str] = ()) -> str | None:
        return self._once(self._pinned, reference, self._pin) if self.may_ask(reference, more_hosts) else None

    def may_ask(self, reference: str, more_hosts: Collection[str] = ()) -> bool:
        """Whether the host that serves a reference is one of those to ask, or of ``more_hosts``. What is no reference
        is asked of nobody and refused for nothing."""
        try:
            host = _host(Reference.parse(mirrored(reference, self._mirrors)))
        except InvalidReference:
            return True
        return self._is_named(host) or host in more_hosts

    def _is_named(self, host: str) -> bool:
        return self._hosts is None or host in self._hosts

    def _once(self, kept: dict[str, _T], name: str, question: Callable[[str], _T]) -> _T:
        """The answer that is kept, else a new one. Only those who ask the same wait for it."""
        with self._lock:
            asking = self._asking.setdefault(name, threading.Lock())
        while not asking.acquire(timeout=_WAIT_SECONDS):
            self._beat()
        try:
            if name not in kept:
                self._beat()
                kept[name] = question(name)
            return kept[name]
        finally:
            asking.release()

    def _pin(self, reference: str) -> str | None:
        asked = self._at(reference, lambda source, target: source.head(target).digest)
        return f"{asked[0]}@{asked[1]}" if asked else None

    def _ask(self, name: str) -> BaseImage | None:
        def read(source: Source, target: str) -> tuple[str, LoadedImage]:
            digest = source.head(target).digest
            return digest, self._load(source, digest, self._platform)

        asked = self._at(name, read)
        if asked is None:
            return None
        reference, (digest, image) = asked
        base = base_image(reference, digest, image)
        self._keep(base, image)
        return base

    def _at(self, name: str, question: Callable[[Source, str], _T]) -> tuple[str, _T] | None:
        """The name that FROM must use and the answer of the place that serves it; None when there is none."""
        host = ""
        try:
            reference = Reference.parse(mirrored(name, self._mirrors))
            host = _host(reference)
            if host in self._unreachable:
                return None
            with self._open(host, reference) as source:
                return short_name(reference), question(source, reference.target)
        except Unreachable:
            self._unreachable.add(host)
        except RegistryError:
            pass
        return None

    @contextmanager
    def _open(self, host: str, reference: Reference) -> Iterator[Source]:
        if opener := self._openers.get(host):
            with opener(reference.repository) as source:
                yield source
            return
        source, _ = open_location(reference, plain_http=self._plain_http, login=self._is_named(host))
        with closing(source):
            yield source


class DockerfileBases:
    """The bases of one Dockerfile: asks ``bases`` for a few of them, and those hosts that an admin named.

    ``dockerfile`` is one that a person entered, if any: its hosts may be asked too, without a login.
    """

    def __init__(self, bases: RegistryBases, dockerfile: str = "") -> None:
        self._bases = bases
        self._hosts = hosts_in(dockerfile)
        self._asked: set[str] = set()
        self._refused: list[str] = []
        self._left: list[str] = []

    def find(self, candidates: Sequence[str]) -> BaseImage | None:
        return self._bases.find(candidates)

    def pin(self, reference: str) -> str | None:
        if not self._bases.may_ask(reference, self._hosts):
            self._refused.append(reference)
        elif reference not in self._asked and len(self._asked) >= PINNED_BASES:
            self._left.append(reference)
        else:
            self._asked.add(reference)
            return self._bases.pin(reference, self._hosts)
        return None

    def notes(self) -> Iterator[str]:
        """Why bases were not asked for, in sentences."""
        if refused := tuple(dict.fromkeys(self._refused)):
            yield (
                f"Not pinned to a digest, for no admin named the registry: {listed(refused)}. Enter the team's own "
                "Dockerfile, or have an admin map the registry as a base mirror."
            )
        if left := tuple(dict.fromkeys(self._left)):
            yield f"Not pinned to a digest, for only the first {PINNED_BASES} bases are: {listed(left)}."


def unpinned_notes(bases: Bases) -> tuple[str, ...]:
    """What there is to say of the bases that were not asked for."""
    return tuple(bases.notes()) if isinstance(bases, DockerfileBases) else ()


def hosts_in(dockerfile: str) -> frozenset[str]:
    """The registries that a Dockerfile's stages start from; none for what is no Dockerfile."""
    try:
        return _hosts_of(stage.base for stage in parse_dockerfile(dockerfile).stages)
    except InvalidDockerfile:
        return frozenset()


def _hosts_of(names: Iterable[str]) -> frozenset[str]:
    hosts: set[str] = set()
    for name in names:
        with suppress(InvalidReference):
            hosts.add(_host(Reference.parse(name)))
    return frozenset(hosts)


def _host(reference: Reference) -> str:
    """A reference's registry as its client names it, however it is spelt. Raises InvalidReference."""
    name, _ = registry_origins(reference.registry, plain_http=True)
    return name


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
