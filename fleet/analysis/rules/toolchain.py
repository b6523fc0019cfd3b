"""Compilers, headers and build tools: needed to build, not to run.

Packages of the system are told by name, and with them goes what only they need: packages that were installed
automatically and that nothing which stays requires. Their files come from the package database. Toolchains that are
unpacked by hand (Go, Rust, Maven, a JDK's parts for jlink) are told by their usual place.

What stays is what somebody asked for by name, what the system cannot do without, what the command and scripts run, and
every library that a program which stays asks the loader for, whoever put that program there. Of a -dev package that
somebody asked for the library itself stays too: programs may load it by name (ctypes, dlopen), which no file shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from fleet.analysis.command import find_program
from fleet.analysis.rules.rule import Claim, Rule, Survey, below
from fleet.image.filetree import FileTree
from fleet.image.packages.graph import Graph
from fleet.image.packages.package import Package

_SYSTEMS = frozenset({"deb", "apk", "rpm"})
# gcc-12-base is what the run-time libraries of GCC depend on. Programs written in Go are packaged as golang-… too, and
# rust-coreutils are the system's ls and cp.
_PACKAGES = re.compile(
    r"(?!gcc-[\d.]+-base$)"
    r"(?:(?:gcc|g\+\+|gfortran|gnat|gdc|gobjc|cpp|clang|llvm|binutils|rustc|cargo|cmake|pkgconf|swig)(?:-.*)?"
    r"|golang(?:-[\d.]+)?(?:-(?:any|bin|doc|go|misc|race|shared|src|tests))?|rust(?:-(?!coreutils).*)?"
    r"|clang\d+|llvm\d+(?:-.*)?|openjdk-?[\d.]+-jdk(?:-.*)?|default-jdk(?:-.*)?|java-[\d.]+-openjdk-devel"
    r"|.*-dev(?:el)?|build-essential|build-base|dpkg-dev|make|make-guile|autoconf|automake|libtool|libtool-bin|m4|bison"
    r"|flex|pkg-config|patch|ninja-build|ninja|meson|scons|nasm|yasm|maven|gradle|fortify-headers|libc-dev-bin"
    r"|libc-devtools|manpages-dev|kernel-headers|glibc-headers"
    r"|lib(?:asan|tsan|lsan|ubsan|hwasan)\d+|libcc1-0|libbinutils|libctf0|libctf-nobfd0|libgprofng0|libsframe1)"
)
_DEVELOPMENT = ("-dev", "-devel")
_LIBRARY = re.compile(r"(?:.*/)?lib[^/]*\.so\.\d[^/]*", re.DOTALL)
# By the words of a command that uses the toolchain at run time.
_PLACES: Mapping[frozenset[str], str] = {
    frozenset({"go"}): r"usr/local/go/",
    frozenset({"cargo", "rustc"}): r"(?:.*?/)?\.?rustup/toolchains/",
    frozenset({"mvn", "mvnw"}): r"usr/share/maven/|opt/(?:apache-)?maven[^/]{0,30}/",
    frozenset({"gradle", "gradlew"}): r"opt/gradle[^/]{0,30}/",
    frozenset({"jlink"}): r"(?:.*?/)?jmods/",
}


def _claims(survey: Survey) -> Iterator[Claim]:
    yield from _of_packages(survey)
    places = [place for users, place in _PLACES.items() if not users & survey.words]
    for claim in below(survey, re.compile("|".join(places), re.DOTALL)):
        if "jmods" not in claim.root or claim.entry.path.endswith(".jmod"):
            yield claim
    yield from _java_sources(survey)


def _of_packages(survey: Survey) -> Iterator[Claim]:
    systems = [package for package in survey.packages if package.ecosystem in _SYSTEMS]
    unneeded = _unneeded(survey, systems)
    keys = {id(package) for package in unneeded}
    owned = {path for package in unneeded for path in package.paths}
    # Directories, and links in place of them such as /lib, belong to many packages.
    owned -= {path for package in systems if id(package) not in keys for path in package.paths}
    for path in owned - _needed_elsewhere(survey.tree, owned):
        node = survey.tree.nodes.get(path)
        if node is not None and node.entry.kind != "directory":
            yield Claim(node.entry, node.layer)


def _unneeded(survey: Survey, systems: list[Package]) -> list[Package]:
    """The toolchain, and what came with it alone; nothing where the command runs a part of it."""
    toolchain = [package for package in systems if _PACKAGES.fullmatch(package.name)]
    if not toolchain or any(not survey.in_use.isdisjoint(package.paths) for package in toolchain):
        return []
    named = {id(package) for package in toolchain}
    graph = Graph(systems)
    # Not all that nothing requires came for the toolchain: apt brings what packages merely recommend as well, such as
    # ca-certificates.
    came_along = {id(package) for package in graph.needed(toolchain) if package.automatic}
    roots = [package for package in systems if id(package) not in named and _is_asked_for(package)]
    roots += [*_used(survey, systems), *_libraries_asked_for(graph, toolchain)]
    while True:
        needed = {id(package) for package in graph.needed(roots)}
        unneeded = [package for package in systems if id(package) in (named | came_along) - needed]
        loaded = _loaded_elsewhere(survey.tree, [package for package in unneeded if id(package) not in named], unneeded)
        if not loaded:
            return unneeded
        roots += loaded


def _is_asked_for(package: Package) -> bool:
    return package.essential or not package.automatic


def _used(survey: Survey, systems: Iterable[Package]) -> list[Package]:
    """The packages of what the command names, and of the interpreters of scripts that no package brought."""
    owned = {path for package in systems for path in package.paths}
    interpreters = {
        words[-1] if words[0].endswith("/env") else words[0]
        for path, line in survey.tree.shebangs.items()
        if path not in owned and (words := line.removeprefix("#!").split()[:2])
    }
    found = (find_program(survey.tree, survey.config, word) for word in interpreters)
    used = survey.in_use | {path for path in found if path}
    return [package for package in systems if not used.isdisjoint(package.paths)]


def _libraries_asked_for(graph: Graph, named: Iterable[Package]) -> list[Package]:
    """The libraries themselves of -dev packages that somebody asked for."""
    return [
        library
        for package in named
        if package.name.endswith(_DEVELOPMENT) and not package.automatic
        for names in package.requires
        for name in names
        for library in graph.fulfilling(package.ecosystem, name)
        if not _PACKAGES.fullmatch(library.name) and any(map(_LIBRARY.fullmatch, library.paths))
    ]


def _loaded_elsewhere(tree: FileTree, candidates: list[Package], unneeded: list[Package]) -> list[Package]:
    """Those of the candidates that hold a library which a file outside of all that is unneeded asks for."""
    if not candidates:
        return []
    needed = _needed_elsewhere(tree, {path for package in unneeded for path in package.paths})
    return [package for package in candidates if not needed.isdisjoint(package.paths)]


def _needed_elsewhere(tree: FileTree, owned: set[str]) -> set[str]:
    """Libraries among the owned files that ELF files outside ask for, and what those libraries ask for in turn."""
    providers: dict[str, list[str]] = {}
    for path in owned:
        facts = tree.elf.get(path)
        for name in {path.rpartition("/")[2], facts.soname if facts else ""}:
            providers.setdefault(name, []).append(path)
    wanted = [name for path, facts in tree.elf.items() if path not in owned for name in facts.needed]
    needed: set[str] = set()
    while wanted:
        for path in providers.pop(wanted.pop(), ()):
            needed.add(path)
            wanted += tree.elf[path].needed if path in tree.elf else ()
    return needed


def _java_sources(survey: Survey) -> Iterator[Claim]:
    """``lib/src.zip`` of a JDK, which debuggers alone read."""
    for directory, nodes in survey.directories.items():
        if directory.endswith("/lib") and f"{directory}/modules" in survey.tree.nodes:
            for node in nodes:
                if node.entry.path == f"{directory}/src.zip":
                    yield Claim(node.entry, node.layer)


TOOLCHAIN = Rule(
    "toolchain",
    "Compilers and build tools",
    "Compile in a build stage and copy the results; the final stage needs the run-time libraries alone (libpq5, not "
    "libpq-dev). Packages that only the toolchain needs are counted with it.",
    _claims,
)
