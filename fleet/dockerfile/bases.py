"""What a final stage can start from: asked of the registry that serves it, else taken from a dated table.

What an image says of itself is written by whoever pushed it. It must not make a worker ask a host of its choice, such
as one that only the worker reaches (server-side request forgery): who may be asked is decided here, before any request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Protocol, TypeVar

from fleet.dockerfile.base_names import host_of, hosts_in, hosts_of, mirrored, parse_mirrors, short_name
from fleet.dockerfile.base_rules import SCRATCH, BaseRules
from fleet.dockerfile.catalog import is_catalogued
from fleet.dockerfile.suggestion import BaseImage
from fleet.dockerfile.table_bases import NO_RULES, TableBases, scratch_base
from fleet.dockerfile.wording import listed
from fleet.image.loading import LoadedImage, load_image
from fleet.oci.client import Limits, RegistryClient
from fleet.oci.errors import InvalidReference, RegistryError, Unreachable
from fleet.oci.manifest import Platform
from fleet.oci.reference import DOCKER_HUB, Reference
from fleet.oci.sources import RegistrySource, Source, open_location

__all__ = [
    "Bases", "DockerfileBases", "Opener", "RegistryBases", "TableBases", "base_image", "hosts_in", "mirrored",
    "parse_mirrors", "scratch_base", "short_name", "unpinned_notes",
]  # fmt: skip

_T = TypeVar("_T")
Load = Callable[[Source, str, Platform], LoadedImage]
Keep = Callable[[BaseImage, LoadedImage], None]
Opener = Callable[[str], AbstractContextManager[Source]]

PINNED_BASES = 20
_WAIT_SECONDS = 1.0
# For hosts that nobody here named: where they are out of reach, a scan must not wait for them.
_BRIEF = Limits(connect_seconds=3, read_seconds=20, tries=2)


class Bases(Protocol):
    def find(self, candidates: Sequence[str]) -> BaseImage | None:
        """The first candidate that exists and that the admins' rules permit, named as FROM must name it; None when
        there is none. Every platform has ``scratch``."""
        ...

    def refusal(self, candidates: Sequence[str]) -> str:
        """Why the admins' rules permit none of the candidates, in a sentence; empty where they permit one."""
        ...

    def pin(self, reference: str) -> str | None:
        """What FROM should say for a build stage's base: the mirror's name and the digest of today; None when no
        registry tells."""
        ...


class RegistryBases:
    """Bases as a registry serves them, mirrors first; the table for what no registry answers.

    ``mirrors`` maps a prefix of full names (``docker.io/library``) to the place that serves it. Answers are kept for
    the life of the instance, negative ones too, and a host that could not be reached is not asked again. ``load`` reads
    a base by its digest; one that keeps layers saves their download. ``keep`` hears of every base that was read.

    Asked are Docker Hub, the mirrors, what the admins' ``rules`` map to, ``hosts``, and the hosts of ``openers``, which
    open a repository of theirs in place of a login from Docker's config; no other host sees such a login. Repositories
    of our own catalog are asked too, wherever they are, briefly and without a login. ``hosts`` is None where a person
    at a terminal names every base: then none is refused. ``unreachable`` may be shared between instances: hosts of the
    catalog that could not be reached. ``beat`` is called before each question and while another thread's
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
        rules: BaseRules | None = None,
        unreachable: set[str] | None = None,
    ) -> None:
        self.rules = rules or NO_RULES
        self._mirrors = dict(sorted(mirrors.items(), key=lambda item: -len(item[0])))
        self._platform = platform
        self._plain_http = plain_http
        self._load = load
        self._keep = keep
        self._openers = dict(openers or {})
        self._hosts: frozenset[str] | None = None
        if hosts is not None:
            places = (*mirrors.values(), *(place for _, place in self.rules.maps))
            named = hosts_of(f"{place.partition('/')[0]}/name" for place in places)
            self._hosts = frozenset((DOCKER_HUB, *named, *self._openers, *hosts))
        self._beat = beat
        self._found: dict[str, BaseImage | None] = {}
        self._pinned: dict[str, str | None] = {}
        self._unreachable: set[str] = set()
        self._ours_unreachable = set() if unreachable is None else unreachable
        self._asking: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def find(self, candidates: Sequence[str]) -> BaseImage | None:
        permitted = [name for name in candidates if self.rules.permits(*self._names(name))]
        for name in permitted:
            if name == SCRATCH:
                return scratch_base(self._platform)
            if self.may_ask(name) and (base := self._once(self._found, self.rules.mapped(name), self._ask)):
                return base
        return TableBases(self.rules).find(permitted)

    def refusal(self, candidates: Sequence[str]) -> str:
        return self.rules.refusal(map(self._names, candidates))

    def pin(self, reference: str, more_hosts: Collection[str] = ()) -> str | None:
        if not self.may_ask(reference, more_hosts):
            return None
        return self._once(self._pinned, self.rules.mapped(reference), self._pin)

    def may_ask(self, reference: str, more_hosts: Collection[str] = ()) -> bool:
        """Whether the host that serves a reference is one of those to ask, or of ``more_hosts``. What is no reference
        is asked of nobody and refused for nothing."""
        try:
            place = self._place(self.rules.mapped(reference))
            host = host_of(place)
        except InvalidReference:
            return True
        return self._is_named(host) or host in more_hosts or self._is_ours(place)

    def _is_named(self, host: str) -> bool:
        return self._hosts is None or host in self._hosts

    def _is_ours(self, place: Reference) -> bool:
        """Whether only our catalog named where a base is: neither the image nor anybody here did."""
        return host_of(place) not in (self._hosts or (DOCKER_HUB, *self._openers)) and is_catalogued(place)

    def _place(self, name: str) -> Reference:
        return Reference.parse(mirrored(name, self._mirrors))

    def _names(self, name: str) -> tuple[str, ...]:
        """A candidate's name, and what its mirror calls it."""
        try:
            return name, short_name(self._place(self.rules.mapped(name)))
        except InvalidReference:
            return (name,)

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
        host, unreachable = "", self._unreachable
        try:
            place = self._place(name)
            host = host_of(place)
            if self._is_ours(place):
                unreachable = self._ours_unreachable
            if host in unreachable:
                return None
            with self._open(host, place) as source:
                return short_name(place), question(source, place.target)
        except Unreachable:
            unreachable.add(host)
        except RegistryError:
            pass
        return None

    @contextmanager
    def _open(self, host: str, place: Reference) -> Iterator[Source]:
        if opener := self._openers.get(host):
            with opener(place.repository) as source:
                yield source
            return
        if self._is_ours(place):
            client = RegistryClient(place.registry, limits=_BRIEF)
            opened: Source = RegistrySource(client, place.repository, owns_client=True)
        else:
            opened, _ = open_location(place, plain_http=self._plain_http, login=self._is_named(host))
        with closing(opened):
            yield opened


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
        self._unmapped: list[str] = []

    def find(self, candidates: Sequence[str]) -> BaseImage | None:
        return self._bases.find(candidates)

    def refusal(self, candidates: Sequence[str]) -> str:
        return self._bases.refusal(candidates)

    def pin(self, reference: str) -> str | None:
        pinned = self._pin(reference)
        if pinned is None and self._bases.rules.is_mapped(reference):
            self._unmapped.append(reference)
        return pinned

    def _pin(self, reference: str) -> str | None:
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
        for reference in dict.fromkeys(self._unmapped):
            place = self._bases.rules.mapped(reference)
            yield f"{reference[:200]} stays in FROM: the admin maps it to {place[:200]}, which no registry served."


def unpinned_notes(bases: Bases) -> tuple[str, ...]:
    """What there is to say of the bases that were not asked for."""
    return tuple(bases.notes()) if isinstance(bases, DockerfileBases) else ()


def base_image(reference: str, digest: str, image: LoadedImage) -> BaseImage:
    """A base from its image. ``digest`` is what FROM pins: the index's, where the tag is one for many platforms."""
    return BaseImage(reference, image.sizes, "registry", digest, image.tree, config=image.config)
