"""The libraries that Java archives hold: what a .jar, .war or .ear says it is, those shaded into it, those within.

Maven writes META-INF/maven/GROUP/ARTIFACT/pom.properties; of others the manifest or the file's name tells.
Specs: https://docs.oracle.com/en/java/javase/21/docs/specs/jar/jar.html,
https://maven.apache.org/shared/maven-archiver/#pom-properties-content
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fleet.image.entries import Component
from fleet.image.limits import Budget
from fleet.image.stream import ByteStream
from fleet.image.zip_stream import STORED, FileSource, PieceSource, Window, ZipEntry, read_content, read_entries

ARCHIVES = (".jar", ".war", ".ear", ".par", ".sar", ".nar", ".kar", ".jpi", ".hpi", ".lpkg")

_ARCHIVE_NAMES = tuple(suffix.encode() for suffix in ARCHIVES)
_POM = re.compile(rb"META-INF/maven/[^/]+/[^/]+/pom\.properties")
_MANIFEST = b"META-INF/MANIFEST.MF"
# The version begins at the first number behind a dash: commons-lang3-3.12.0, guava-33.0-jre.
_VERSIONED = re.compile(r"([A-Za-z][\w.]*(?:-[A-Za-z_][\w.]*)*)-(\d[\w.+~-]*)")
_IDENTIFIER = re.compile(r"[A-Za-z][\w.-]*")
_TITLE_FIELDS = ("Implementation-Title", "Bundle-SymbolicName")
_VERSION_FIELDS = ("Implementation-Version", "Bundle-Version", "Plugin-Version", "Specification-Version")

_DEEPEST = 4
_TEXT_BYTES = 64 << 10
_LONGEST_NAME_BYTES = 1024
_LONGEST_VALUE = 255
_MOST_POMS = 2000
_MOST_COMPONENTS = 20_000


class Coordinates(NamedTuple):
    """What Maven calls a library."""

    group: str
    artifact: str
    version: str


def read_java_archive(path: str, size: int, stream: ByteStream, budget: Budget) -> tuple[Component, ...]:
    """What the file of ``size`` bytes that the stream stands at is and holds: itself first, then what is shaded into
    it, then the archives within, as far as the ``budget`` reaches. Empty for what is no archive."""
    reader = _Reader(budget)
    reader.read(Window(FileSource(stream, size)), path.rpartition("/")[2], _Place("", 0, whole=True))
    return tuple(reader.components[:_MOST_COMPONENTS])


class _Place(NamedTuple):
    """Where an archive lies within the file and what it takes there; ``whole`` when its bytes are the file's own, and
    were not inflated; ``depth`` how many archives are around it."""

    location: str
    size_bytes: int
    whole: bool
    depth: int = 0


@dataclass(slots=True)
class _Found:
    """What one archive says of itself."""

    entries: int = 0
    manifest: Mapping[str, str] = field(default_factory=dict)
    poms: list[Coordinates] = field(default_factory=list)


class _Reader:
    """Reads the archives of one file."""

    def __init__(self, budget: Budget) -> None:
        self.components: list[Component] = []
        self._budget = budget

    def read(self, window: Window, file_name: str, place: _Place) -> None:
        found = _Found()
        first = len(self.components)
        for entry in read_entries(window, self._budget):
            found.entries += 1
            name = entry.name
            if name.startswith(b"META-INF/"):
                self._read_metadata(window, entry, found)
            elif name.lower().endswith(_ARCHIVE_NAMES) and place.depth < _DEEPEST:
                self._read_nested(window, entry, place)
            if len(self.components) > _MOST_COMPONENTS:
                break
        if found.entries:
            named = _identify(file_name, found)
            self.components[first:first] = [
                Component("maven", name, version, place.location, 0 if number else place.size_bytes)
                for number, (name, version) in enumerate(named)
            ]

    def _read_metadata(self, window: Window, entry: ZipEntry, found: _Found) -> None:
        if entry.name == _MANIFEST and not found.manifest:
            found.manifest = _main_attributes(self._text(window, entry))
        elif len(found.poms) < _MOST_POMS and _POM.fullmatch(entry.name):
            coordinates = _coordinates(self._text(window, entry))
            if coordinates is not None:
                found.poms.append(coordinates)

    def _text(self, window: Window, entry: ZipEntry) -> str:
        text = bytearray()
        for piece in read_content(window, entry, self._budget):
            text += piece
            if len(text) >= _TEXT_BYTES:
                break
        return text[:_TEXT_BYTES].decode(errors="replace")

    def _read_nested(self, window: Window, entry: ZipEntry, around: _Place) -> None:
        name = entry.name[:_LONGEST_NAME_BYTES].decode(errors="replace")
        location = f"{around.location}!/{name}" if around.location else name
        stored = entry.method == STORED
        size_bytes = (entry.stored_bytes or 0) if around.whole else 0
        place = _Place(location, size_bytes, around.whole and stored, around.depth + 1)
        file_name = name.rpartition("/")[2]
        if not stored:
            self.read(Window(PieceSource(read_content(window, entry, self._budget))), file_name, place)
        elif entry.stored_bytes is not None:
            end, window.end = window.end, min(window.end, window.offset + entry.stored_bytes)
            self.read(window, file_name, place)
            window.end = end


def _main_attributes(text: str) -> dict[str, str]:
    """The first section of a manifest; lines that begin with a space continue the one before."""
    attributes: dict[str, str] = {}
    key = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line:
            break
        if line.startswith(" ") and key:
            attributes[key] = (attributes[key] + line[1:])[:_LONGEST_VALUE]
        else:
            key, _, value = line.partition(":")
            attributes[key] = value.strip()[:_LONGEST_VALUE]
    return attributes


def _coordinates(text: str) -> Coordinates | None:
    properties = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            properties[key.strip()] = value.strip()[:_LONGEST_VALUE]
    artifact = properties.get("artifactId", "")
    return Coordinates(properties.get("groupId", ""), artifact, properties.get("version", "")) if artifact else None


def _identify(file_name: str, found: _Found) -> Iterable[tuple[str, str]]:
    """Name and version of the archive itself, then of what is shaded into it."""
    stem = file_name.rpartition(".")[0]
    own = _own(stem, found)
    if own is None:
        yield _guess(stem, found.manifest)
    for pom in sorted(found.poms, key=lambda pom: pom is not own):
        yield f"{pom.group}:{pom.artifact}" if pom.group else pom.artifact, pom.version


def _own(stem: str, found: _Found) -> Coordinates | None:
    """Of the libraries that Maven names the one that the archive is, not one that was shaded into it."""
    titles = {title for key in _TITLE_FIELDS if (title := found.manifest.get(key))}
    named = [pom for pom in found.poms if _is_name_of(pom.artifact, stem) or pom.artifact in titles]
    if named:
        return max(named, key=lambda pom: len(pom.artifact))
    alone = len(found.poms) == 1 and not titles and not _VERSIONED.fullmatch(stem)
    return found.poms[0] if alone else None


def _is_name_of(artifact: str, stem: str) -> bool:
    artifact, stem = artifact.replace("_", "-"), stem.replace("_", "-")
    rest = stem.removeprefix(artifact)
    return stem.startswith(artifact) and (not rest or (rest[0] == "-" and rest[1:2].isdigit()))


def _guess(stem: str, manifest: Mapping[str, str]) -> tuple[str, str]:
    """From the file's name where it has a version, for titles are often prose, with what the manifest knows better."""
    versioned = _VERSIONED.fullmatch(stem)
    if versioned:
        return versioned[1], versioned[2]
    version = next((manifest[each] for each in _VERSION_FIELDS if manifest.get(each)), "")
    title = manifest.get("Implementation-Title", "")
    return title if _IDENTIFIER.fullmatch(title) else stem, version
