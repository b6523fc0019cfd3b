"""What admins decide of bases: which may be suggested, which not, and what is to be used in place of another.

A pattern is a reference with ``*`` for any text, slashes and colons too, and without a tag it means every tag.
Docker Hub's images may be written short: ``python:3.*`` is ``docker.io/library/python:3.*``. Letter case is no
difference. A map's prefix ends where a part of the name ends: ``docker.io/library/python`` is no part of
``docker.io/library/python-extra``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fleet.dockerfile.base_names import short_name
from fleet.dockerfile.wording import listed
from fleet.oci.errors import InvalidReference
from fleet.oci.reference import DOCKER_HUB, Reference
from fleet.oci.wording import shown

SCRATCH = "scratch"
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class BaseRules:
    """``forbid`` wins; where ``allow`` names anything, nothing else is allowed. Both are about the name before it is
    mapped and about what it is mapped to. ``maps`` are (prefix, place). ``notes`` are (pattern, why). ``scratch`` is
    refused only where ``forbid`` says that very word."""

    allow: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    maps: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        full = ((full_prefix(prefix), place.rstrip("/")) for prefix, place in self.maps)
        object.__setattr__(self, "maps", tuple(sorted(full, key=lambda item: (-len(item[0]), item))))

    def mapped(self, name: str) -> str:
        """The name that FROM has to say. A digest is left out where there is a tag: another place has its own."""
        found = self._map(name)
        return found if found is not None else name

    def is_mapped(self, name: str) -> bool:
        return self._map(name) is not None

    def permits(self, name: str, *served: str) -> bool:
        """Whether a base may be suggested. ``served`` are further names of it, such as a mirror's."""
        if name == SCRATCH:
            return SCRATCH not in (pattern.strip().lower() for pattern in self.forbid)
        return self._forbidden_by(name, served) is None and self._is_allowed(name, served)

    def refusal(self, names: Iterable[tuple[str, ...]]) -> str:
        """Why none of these may be suggested, in sentences; empty where one may, or where there are none. Each comes
        with its further names, as for ``permits``."""
        refused = list(names)
        if not refused or any(self.permits(*each) for each in refused):
            return ""
        return " ".join(self._sentences(refused))

    def _sentences(self, refused: list[tuple[str, ...]]) -> Iterator[str]:
        outside: list[str] = []
        forbidden: dict[str, list[str]] = {}
        for name, *served in refused:
            pattern = SCRATCH if name == SCRATCH else self._forbidden_by(name, served)
            if pattern is None:
                outside.append(name)
            else:
                forbidden.setdefault(pattern, []).append(name)
        for pattern, found in forbidden.items():
            yield f"The admin forbids {self._explained(pattern)}: {listed(found)}."
        if outside:
            allowed = listed([self._explained(pattern) for pattern in self.allow])
            are = "is" if len(outside) == 1 else "are"
            yield f"The admin allows only {allowed}: {listed(outside)} {are} not among them."

    def _explained(self, pattern: str) -> str:
        note = dict(self.notes).get(pattern, "")
        return f"{pattern} ({note})" if note and pattern != note else pattern

    def _forbidden_by(self, name: str, served: Iterable[str]) -> str | None:
        spelt = self._spellings(name, served)
        return next((pattern for pattern in self.forbid if _matches(pattern, spelt)), None)

    def _is_allowed(self, name: str, served: Iterable[str]) -> bool:
        if not self.allow:
            return True
        spelt = self._spellings(name, served)
        return any(_matches(pattern, spelt) for pattern in self.allow)

    def _spellings(self, name: str, served: Iterable[str]) -> frozenset[str]:
        return frozenset(spelling for each in (name, self.mapped(name), *served) for spelling in _spellings(each))

    def _map(self, name: str) -> str | None:
        if name == SCRATCH or not self.maps:
            return None
        try:
            reference = Reference.parse(name)
            full = str(reference) if reference.tag is None else f"{reference.name}:{reference.tag}"
            for prefix, place in self.maps:
                rest = full[len(prefix) :]
                if full.startswith(prefix) and rest[:1] in ("", "/", ":", "@"):
                    placed = Reference.parse(f"{place}{rest}")
                    return short_name(placed) + (f"@{placed.digest}" if placed.digest else "")
        except InvalidReference:
            pass
        return None


def check_pattern(text: str) -> str:
    """The pattern as it is kept. Raises InvalidReference with a sentence for what no reference can match."""
    pattern = text.strip()
    if not pattern or len(pattern) > _LONGEST or not pattern.isprintable() or any(char.isspace() for char in pattern):
        raise InvalidReference(f"{shown(pattern)!r} is no pattern. Write registry.example.com/base/* or python:3.*.")
    if "://" in pattern:
        raise InvalidReference(f"{shown(pattern)!r} is a URL. Leave the scheme out: registry.example.com/base/*.")
    if "@" in pattern:
        raise InvalidReference(f"{shown(pattern)!r} names a digest. Patterns are of names and tags.")
    return pattern


def check_map(prefix: str, place: str) -> tuple[str, str]:
    """A map as it is kept, its prefix in full. Raises InvalidReference with a sentence for what is none."""
    prefix, place = check_pattern(prefix).rstrip("/"), place.strip().rstrip("/")
    if "*" in prefix or "*" in place:
        raise InvalidReference("A map has no *: it holds for everything that starts with its prefix.")
    if not place:
        raise InvalidReference("Say what to use instead: registry.example.com/base/python.")
    full = full_prefix(prefix)
    Reference.parse(place if ":" in full.rpartition("/")[2] else f"{place}/name")
    return full, place


def full_prefix(prefix: str) -> str:
    """``python`` is ``docker.io/library/python``, ``bitnami/redis`` is ``docker.io/bitnami/redis``, a host stays."""
    prefix = prefix.strip().rstrip("/")
    first, slash, _ = prefix.partition("/")
    host = first if slash else first.partition(":")[0]
    if "." in host or ":" in host or host == "localhost":
        return prefix
    return f"{DOCKER_HUB}/{prefix}" if slash else f"{DOCKER_HUB}/library/{prefix}"


def _matches(pattern: str, spelt: frozenset[str]) -> bool:
    plain = pattern.strip().lower().replace("[", "[[]").replace("?", "[?]")
    plain = plain.removeprefix("index.") if plain.startswith(f"index.{DOCKER_HUB}/") else plain
    return any(fnmatchcase(spelling, plain) for spelling in spelt)


def _spellings(name: str) -> Iterator[str]:
    """A name in full and as Docker Hub's images are written short, with its tag and without."""
    try:
        reference = Reference.parse(name)
    except InvalidReference:
        yield name.lower()
        return
    full = reference.name.lower()
    names = [full]
    if reference.registry == DOCKER_HUB:
        short = full.removeprefix(f"{DOCKER_HUB}/")
        names += [short, short.removeprefix("library/")]
    tag = reference.tag or ("" if reference.digest else "latest")
    for each in names:
        yield each
        if tag:
            yield f"{each}:{tag.lower()}"
