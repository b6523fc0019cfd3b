"""Which shared libraries a set of programs needs, found as the dynamic loader finds them.

Sources: ld.so(8) for glibc; musl's ldso/dynlink.c for ``ld-musl-*``: /etc/ld-musl-ARCH.path, else three directories.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice

from fleet.image.entries import ElfFacts
from fleet.image.filetree import FileTree

_MULTIARCH = {
    "x86_64": "x86_64-linux-gnu",
    "aarch64": "aarch64-linux-gnu",
    "i386": "i386-linux-gnu",
    "arm": "arm-linux-gnueabihf",
    "ppc64": "powerpc64le-linux-gnu",
    "s390x": "s390x-linux-gnu",
    "riscv": "riscv64-linux-gnu",
}
_LIB_DIRECTORIES = {"x86_64": "lib64", "aarch64": "lib64", "ppc64": "lib64", "s390x": "lib64"}
_MUSL_DIRECTORIES = ("/lib", "/usr/local/lib", "/usr/lib")
_MOST_INCLUDES = 100
_MOST_DIRECTORIES = 1000
_MOST_ANCESTORS = 64


@dataclass(frozen=True, slots=True)
class Closure:
    """``found``: paths (no leading slash) of libraries and interpreters, and of the symlinks that lead to them, as
    the loader visits them; copying all of them keeps it working. ``missing``: names that it would not find."""

    found: tuple[str, ...]
    missing: tuple[str, ...]


def library_closure(tree: FileTree, paths: Iterable[str], *, library_path: Iterable[str] = ()) -> Closure:
    """Everything that the ELF files at ``paths`` need to be loaded, they themselves excluded unless one needs another.

    ``library_path`` are the directories of LD_LIBRARY_PATH. A library that none of the search paths has, but that is
    among ``paths``, is not missing: whoever imports it has loaded it before.
    """
    search = _Search(tree, tuple(library_path))
    for path in paths:
        search.start(path)
    search.run()
    return Closure(tuple(search.found), tuple(name for name in search.missing if name not in search.given))


def highest_glibc(tree: FileTree, paths: Iterable[str]) -> tuple[int, int] | None:
    """The newest GLIBC_x.y that any of these files needs, as (x, y); None when none needs any."""
    facts = (tree.elf.get(path) for path in paths)
    return max((fact.glibc for fact in facts if fact and fact.glibc), default=None)


def provided_glibc(tree: FileTree) -> tuple[int, int] | None:
    """The GLIBC_x.y that the tree's C library defines, as (x, y); None without glibc."""
    libraries = (fact for fact in tree.elf.values() if fact.soname == "libc.so.6")
    return max((fact.provided_glibc for fact in libraries if fact.provided_glibc), default=None)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A file and the DT_RPATH directories of those that caused it to be loaded."""

    path: str
    inherited: tuple[str, ...]


class _Search:
    def __init__(self, tree: FileTree, library_path: tuple[str, ...]) -> None:
        self.found: dict[str, None] = {}
        self.missing: dict[str, None] = {}
        self.given: set[str] = set()
        self._tree = tree
        self._library_path = library_path
        self._configured = tuple(islice(_configured_directories(tree), _MOST_DIRECTORIES))
        self._musl = _musl_directories(tree)
        self._todo: list[_Loaded] = []
        self._seen: set[_Loaded] = set()
        self._answers: dict[tuple[str, str, str], str | None] = {}

    def start(self, path: str) -> None:
        real = self._tree.resolve(path)
        if real is not None and real in self._tree.elf:
            self.given.update((posixpath.basename(path), posixpath.basename(real), self._tree.elf[real].soname))
            self._push(_Loaded(real, ()))

    def run(self) -> None:
        while self._todo:
            loaded = self._todo.pop()
            facts = self._tree.elf[loaded.path]
            if facts.interpreter:
                self._keep(facts.interpreter, facts.interpreter.lstrip("/"), ())
            own = tuple(_expanded(facts, loaded.path))
            inherited = (*own, *loaded.inherited)[:_MOST_ANCESTORS] if facts.inherited_search else loaded.inherited
            directories = self._directories(facts, own, loaded.inherited)
            for name in facts.needed:
                self._keep(name, self._find(name, facts.machine, directories), inherited)

    def _push(self, loaded: _Loaded) -> None:
        if loaded not in self._seen:
            self._seen.add(loaded)
            self._todo.append(loaded)

    def _keep(self, name: str, path: str | None, inherited: tuple[str, ...]) -> None:
        trail = self._tree.trace(path) if path else ()
        if not trail:
            self.missing[name] = None
            return
        self.found.update(dict.fromkeys(trail))
        if trail[-1] in self._tree.elf:
            self._push(_Loaded(trail[-1], inherited))

    def _directories(self, facts: ElfFacts, own: tuple[str, ...], inherited: tuple[str, ...]) -> tuple[str, ...]:
        if facts.inherited_search or not own:
            before = (*own, *inherited, *self._library_path)
        else:
            before = (*self._library_path, *own)
        return (*before, *self._defaults(facts.machine))

    def _defaults(self, machine: str) -> tuple[str, ...]:
        if self._musl:
            return self._musl
        triplet = _MULTIARCH.get(machine)
        multiarch = (f"/lib/{triplet}", f"/usr/lib/{triplet}") if triplet else ()
        wide = _LIB_DIRECTORIES.get(machine)
        return (*self._configured, *multiarch, *((f"/{wide}", f"/usr/{wide}") if wide else ()), "/lib", "/usr/lib")

    def _find(self, name: str, machine: str, directories: tuple[str, ...]) -> str | None:
        if "/" in name:
            return name.lstrip("/")
        for directory in directories:
            path = self._look(directory, name, machine)
            if path is not None:
                return path
        return None

    def _look(self, directory: str, name: str, machine: str) -> str | None:
        key = (directory, name, machine)
        if key not in self._answers:
            path = posixpath.normpath(f"{directory}/{name}").lstrip("/")
            real = self._tree.resolve(path)
            facts = self._tree.elf.get(real) if real else None
            # The loader passes over libraries for other machines.
            self._answers[key] = path if facts and facts.machine == machine else None
        return self._answers[key]


def _expanded(facts: ElfFacts, path: str) -> Iterator[str]:
    origin = "/" + posixpath.dirname(path)
    library = _LIB_DIRECTORIES.get(facts.machine, "lib")
    for directory in facts.search_paths:
        for token, value in (("ORIGIN", origin), ("LIB", library), ("PLATFORM", facts.machine)):
            directory = directory.replace(f"${{{token}}}", value).replace(f"${token}", value)
        if directory.startswith("/"):
            yield directory


def _musl_directories(tree: FileTree) -> tuple[str, ...]:
    """Where musl's loader looks; none without musl."""
    if not any(path.startswith("lib/ld-musl-") for path in tree.nodes):
        return ()
    text = next((tree.text(path) for path in tree.texts if path.startswith("etc/ld-musl-")), None)
    return tuple((text or "").replace(":", "\n").split())[:_MOST_DIRECTORIES] or _MUSL_DIRECTORIES


def _configured_directories(tree: FileTree) -> Iterator[str]:
    """The directories of /etc/ld.so.conf and of the files it includes, which is what ld.so.cache is made from."""
    todo, includes = ["etc/ld.so.conf"], 0
    while todo:
        for line in (tree.text(todo.pop(0)) or "").splitlines():
            words = line.partition("#")[0].replace(",", " ").replace(":", " ").split()
            if words[:1] != ["include"]:
                yield from (word for word in words if word.startswith("/"))
            elif includes < _MOST_INCLUDES:
                includes += 1
                todo.extend(_included(tree, words[1]) if len(words) > 1 else ())


def _included(tree: FileTree, pattern: str) -> list[str]:
    absolute = pattern if pattern.startswith("/") else f"/etc/{pattern}"
    return sorted(path for path in tree.texts if path.startswith("etc/") and fnmatchcase(f"/{path}", absolute))
