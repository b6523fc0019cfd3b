"""Distributions that the lock files of Python projects keep for development alone.

Pipfile.lock has them in a section of their own, poetry.lock names the groups of each: ``category`` until version 1.4,
``groups`` since 2.0. Those of uv and of poetry in between do not say it of each.
Source: https://pipenv.pypa.io/en/latest/pipfile.html and https://python-poetry.org/docs/managing-dependencies/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.image.filetree import FileTree
from fleet.image.packages.listing import read_lines
from fleet.image.packages.objects import as_object, parse_object

_FIELD = re.compile(r'(name|category|groups) = (?:"([^"]*)"|\[([^\]]*)\])')
_GROUP = re.compile(r'"([^"]*)"')
_LIBRARIES = re.compile(r"(?:site|dist)-packages/")
_MAIN = frozenset({"main", "default"})


def canonical(name: str) -> str:
    """The one spelling of a distribution's name, as PyPI compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def for_development(tree: FileTree) -> frozenset[str]:
    """Canonical names of distributions that a lock file of the tree marks and none asks for otherwise."""
    development: set[str] = set()
    needed: set[str] = set()
    for path in tree.texts:
        name = path.rpartition("/")[2]
        # What a library brings says nothing of where it is installed.
        is_of_project = name in _LOCKS and not _LIBRARIES.search(path)
        marks = _LOCKS[name](tree, path) if is_of_project else ()
        for distribution, is_for_development in marks:
            (development if is_for_development else needed).add(canonical(distribution))
    return frozenset(development - needed)


def _pipfile(tree: FileTree, path: str) -> Iterator[tuple[str, bool]]:
    lock = parse_object(tree.texts[path])
    for section, is_for_development in (("default", False), ("develop", True)):
        yield from ((name, is_for_development) for name in as_object(lock.get(section)))


def _poetry(tree: FileTree, path: str) -> Iterator[tuple[str, bool]]:
    """Each package is a table whose fields stand at the start of lines."""
    name, groups = "", list[str]()
    for line in (*read_lines(tree, path), "[[package]]"):
        match = _FIELD.match(line)
        if line == "[[package]]":
            if name:
                yield name, bool(groups) and _MAIN.isdisjoint(groups)
            name, groups = "", []
        elif match and match[1] == "name":
            name = name or match[2] or ""
        elif match:
            groups += [match[2]] if match[2] else _GROUP.findall(match[3] or "")


_LOCKS = {"Pipfile.lock": _pipfile, "poetry.lock": _poetry}
