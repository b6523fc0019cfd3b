"""Alpine packages: /lib/apk/db/installed, one letter a field.

Source: https://wiki.alpinelinux.org/wiki/Apk_spec
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import Locator, read_lines, short
from fleet.image.packages.package import Package

_DATABASES = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_CONSTRAINT = re.compile(r"[<>=~].*")


def read(tree: FileTree) -> Iterator[Package]:
    locator = Locator(tree)
    for database in _DATABASES:
        if database in tree.nodes:
            for stanza in _stanzas(read_lines(tree, database)):
                package = _package(stanza, locator, tree.nodes[database].layer)
                if package.name:
                    yield package


def _stanzas(lines: list[str]) -> Iterator[list[tuple[str, str]]]:
    stanza: list[tuple[str, str]] = []
    for line in lines:
        if line[1:2] == ":":
            stanza.append((line[0], line[2:]))
        elif stanza:
            yield stanza
            stanza = []
    if stanza:
        yield stanza


def _package(stanza: list[tuple[str, str]], locator: Locator, layer: int) -> Package:
    fields = dict(reversed(stanza))
    depends = (_CONSTRAINT.sub("", word) for word in fields.get("D", "").split() if not word.startswith("!"))
    return Package(
        ecosystem="apk",
        name=short(fields.get("P", "")),
        version=short(fields.get("V", "")),
        unpacked_bytes=0,
        layer=layer,
        paths=locator.present(_files(stanza)),
        depends=tuple(depends),
    )


def _files(stanza: list[tuple[str, str]]) -> Iterator[str]:
    """``R`` lines name files in the directory that the last ``F`` line named."""
    directory = ""
    for field, value in stanza:
        if field == "F":
            directory = value
        elif field == "R":
            yield f"{directory}/{value}"
