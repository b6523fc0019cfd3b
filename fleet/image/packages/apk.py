"""Alpine packages: /lib/apk/db/installed, one letter a field, and /etc/apk/world, what somebody asked for.

Source: https://wiki.alpinelinux.org/wiki/Apk_spec and apk-world(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import Locator, first_names, main_layer, read_lines, short
from fleet.image.packages.package import Package

_DATABASES = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_WORLD = "etc/apk/world"
_LONGEST_DIRECTORY = 4096  # as in the kernel; each of its files repeats it
# From the comparison of a version on; a repository may be pinned by its tag.
_CONSTRAINT = re.compile(r"[<>=~@].*")

Stanza = list[tuple[str, str]]


def read(tree: FileTree) -> Iterator[Package]:
    locator = Locator(tree)
    world = frozenset(_names(" ".join(read_lines(tree, _WORLD)))) if _WORLD in tree.texts else None
    for database in _DATABASES:
        if database in tree.nodes:
            for stanza in _stanzas(read_lines(tree, database)):
                package = _package(tree, locator, stanza, tree.nodes[database].layer, world)
                if package.name:
                    yield package


def _stanzas(lines: list[str]) -> Iterator[Stanza]:
    stanza: Stanza = []
    for line in lines:
        if line[1:2] == ":":
            stanza.append((line[0], line[2:]))
        elif stanza:
            yield stanza
            stanza = []
    if stanza:
        yield stanza


def _package(
    tree: FileTree, locator: Locator, stanza: Stanza, database_layer: int, world: frozenset[str] | None
) -> Package:
    fields = dict(reversed(stanza))
    name = short(fields.get("P", ""))
    paths = locator.present(_files(stanza))
    requires = tuple((required,) for required in _names(fields.get("D", "")))
    provides = tuple(_names(fields.get("p", "")))
    return Package(
        ecosystem="apk",
        name=name,
        version=short(fields.get("V", "")),
        unpacked_bytes=0,
        layer=main_layer(tree, paths, database_layer),
        paths=paths,
        depends=first_names(requires),
        requires=requires,
        provides=provides,
        automatic=None if world is None else world.isdisjoint((name, *provides)),
    )


def _names(words: str) -> Iterable[str]:
    """``so:libz.so.1 busybox>1.3 !conflict`` → ``so:libz.so.1``, ``busybox``."""
    names = (_CONSTRAINT.sub("", word) for word in words.split() if not word.startswith("!"))
    return dict.fromkeys(short(name) for name in names if name)


def _files(stanza: Stanza) -> Iterator[str]:
    """``R`` lines name files in the directory that the last ``F`` line named."""
    directory = ""
    for field, value in stanza:
        if field == "F":
            directory = value if len(value) <= _LONGEST_DIRECTORY else ""
        elif field == "R":
            yield f"{directory}/{value}"
