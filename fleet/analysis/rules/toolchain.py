"""Compilers, headers and build tools: needed to build, not to run.

Packages of the system are told by name and their files by the package database; toolchains that are unpacked by
hand (Go, Rust, Maven, a JDK's parts for jlink) by their usual place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from fleet.analysis.rules.rule import Claim, Rule, Survey, below
from fleet.image.filetree import FileTree

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
    owned: set[str] = set()
    shared: set[str] = set()
    for package in survey.packages:
        if package.ecosystem in _SYSTEMS:
            (owned if _PACKAGES.fullmatch(package.name) else shared).update(package.paths)
    # Directories, and links in place of them such as /lib, belong to many packages.
    owned -= shared
    if owned & survey.in_use:
        return
    for path in owned - _needed_elsewhere(survey.tree, owned):
        node = survey.tree.nodes.get(path)
        if node is not None and node.entry.kind != "directory":
            yield Claim(node.entry, node.layer)


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
    "libpq-dev).",
    _claims,
)
