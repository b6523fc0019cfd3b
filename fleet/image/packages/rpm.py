"""RPM packages, whatever format their database has.

A database has tens of megabytes, most of them checksums, changelogs and signatures. So it is read while its layer
passes, and one line of JSON a package is kept in its place. Versions are those that Syft names: an epoch that is set,
even to 0, stands before a colon. Keys that RPM lists beside packages (gpg-pubkey) are none. Distroless images of Azure
Linux have a list of names and versions instead of a database.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import Locator, first_names, main_layer, read_lines, short
from fleet.image.packages.objects import Object, as_object, as_text, as_texts, parse_object
from fleet.image.packages.package import Package
from fleet.image.packages.rpm_requirements import read_requirement
from fleet.image.packages.rpmdb import read_blobs
from fleet.image.packages.rpmdb.header import Header, read_header

_DIRECTORIES = ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")
# Newest first: a migration may leave the old one behind.
_NAMES = ("rpmdb.sqlite", "Packages.db", "Packages")
DATABASES = tuple(f"{directory}/{name}" for directory in _DIRECTORIES for name in _NAMES)
_MANIFEST = "var/lib/rpmmanifest/container-manifest-2"
_KEY = "gpg-pubkey"


def extract(content: bytes | bytearray) -> Iterator[bytes]:
    """A line for each package of a database, for ``read``."""
    for blob in read_blobs(content):
        header = read_header(blob)
        if header is not None and header.name != _KEY:
            yield _line(header)


def _line(header: Header) -> bytes:
    fields = {
        "name": header.name,
        "version": header.version,
        "files": header.files,
        "requires": header.requires,
        "provides": header.provides,
    }
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def read(tree: FileTree) -> Iterator[Package]:
    database = next((path for path in DATABASES if tree.texts.get(path)), None)
    if database is None:
        yield from _listed(tree)
        return
    locator = Locator(tree)
    known = [parse_object(line) for line in tree.texts[database].splitlines()]
    asked = _Paths(locator, known)
    for fields in known:
        if as_text(fields.get("name")):
            yield _package(tree, locator, fields, tree.nodes[database].layer, asked)


def _listed(tree: FileTree) -> Iterator[Package]:
    """Packages of lines that begin with a name and a version; the sixth field is the epoch."""
    for line in read_lines(tree, _MANIFEST):
        fields = line.split("\t")
        if len(fields) > 5 and fields[0] != _KEY:
            version = fields[1] if fields[5] == "(none)" else f"{fields[5]}:{fields[1]}"
            yield Package("rpm", short(fields[0]), short(version), 0, tree.nodes[_MANIFEST].layer)


def _package(tree: FileTree, locator: Locator, fields: Object, database_layer: int, asked: _Paths) -> Package:
    listed = list(_files(fields))
    paths = locator.present(listed)
    requires = tuple(_requirements(fields))
    provided = filter(None, map(short, as_texts(fields.get("provides"))))
    return Package(
        ecosystem="rpm",
        name=short(as_text(fields.get("name"))),
        version=short(as_text(fields.get("version"))),
        unpacked_bytes=0,
        layer=main_layer(tree, paths, database_layer),
        paths=paths,
        depends=first_names(requires),
        requires=requires,
        provides=tuple(dict.fromkeys((*provided, *asked.fulfilled_by(listed, paths)))),
    )


def _files(fields: Object) -> Iterator[str]:
    for directory, names in as_object(fields.get("files")).items():
        for name in as_texts(names):
            yield directory + name


def _requirements(fields: Object) -> Iterator[tuple[str, ...]]:
    for text in as_texts(fields.get("requires")):
        yield from read_requirement(text)


class _Paths:
    """Paths that packages ask for, as RPM lets them: whoever owns the file fulfils it, under whatever spelling."""

    def __init__(self, locator: Locator, known: Iterable[Object]) -> None:
        asked = {name for fields in known for names in _requirements(fields) for name in names if name[0] == "/"}
        self._asked = frozenset(asked)
        spellings: dict[str, list[str]] = defaultdict(list)
        for path in sorted(asked):
            for found in locator.present((path,)):
                spellings[found].append(path)
        self._spellings: Mapping[str, list[str]] = spellings

    def fulfilled_by(self, listed: Iterable[str], paths: Iterable[str]) -> Iterator[str]:
        yield from self._asked.intersection(listed)
        for path in paths:
            yield from self._spellings.get(path, ())
