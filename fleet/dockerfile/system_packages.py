"""System packages that a team installed: which of them the program may need when it runs, and what they weigh.

``libpq-dev`` builds, ``libpq5`` runs. Names come from the build steps, so that what a package drags in is not counted
as wanted; files and dependencies come from the package database in the image.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from fleet.analysis.findings import Analysis
from fleet.dockerfile.history import our_steps
from fleet.dockerfile.request import Request
from fleet.image.filetree import FileTree
from fleet.image.packages.graph import needed
from fleet.image.packages.package import Package

_INSTALL = re.compile(r"(?:apt-get|apt|aptitude|apk)\s([^&|;\n]{1,8000})")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{1,80}")
_VERSIONED = re.compile(r"(?::[a-z0-9]+)?(?:[=~<>/].*)?$")

# Needed to build or to fetch, not to serve. What a health check or a script names is found by the gates.
_BUILD_TOOLS_WORDS = (
    "autoconf automake bash-completion binutils bison build-essential cargo clang cmake dh-python "
    "dirmngr dpkg-dev flex g++ gcc gdb gfortran gnupg gnupg2 gpg less libtool llvm lsb-release lsof "
    "m4 make man-db meson musl-dev nano ninja-build patch pkg-config pkgconf python-dev python3 python3-dev "
    "python3-pip python3-setuptools python3-venv python3-wheel rustc software-properties-common strace sudo swig "
    "vim vim-tiny apt-transport-https apt-utils ca-certificates tzdata locales procps"
)
BUILD_TOOLS = frozenset(_BUILD_TOOLS_WORDS.split())
# Services call these as well as builds: they are left out only where a build step is seen to use them.
_FETCHERS = {
    "git": re.compile(
        r"\bgit\s+(?:-\S+\s+)*(?:clone|fetch|init|submodule)\b|\bgit\+|\bgo\s+(?:get|mod|build|install)\b"
    ),
    "curl": re.compile(r"\bcurl\s+(?:-|['\"]?https?:)"),
    "wget": re.compile(r"\bwget\s+(?:-|['\"]?https?:)"),
    "unzip": re.compile(r"\bunzip\s"),
    "zip": re.compile(r"\bzip\s+-"),
    "xz-utils": re.compile(r"\bxz\s|\btar\s+-?\w*(?:J|x)\w*f?\b"),
    "bzip2": re.compile(r"\bbzip2\s|\btar\s+-?\w*(?:j|x)\w*f?\b"),
}
_COMPILER = re.compile(r"\b(?:GOLANG_VERSION|RUST_VERSION|RUSTUP_HOME)=")
_FETCHERS["git-core"] = _FETCHERS["git"]
# A static site's or a front end's tools: kept by name in a note, never installed again on their own.
_DEVELOPMENT = re.compile(
    r".*-dev$|.*-dev-bin$|.*-doc$|.*-dbg$|^(?:gcc|g\+\+|cpp|clang|llvm|libstdc\+\+|libgcc)-\d.*$|^linux-headers.*"
)
_SUBCOMMANDS = frozenset({"install", "add"})


def installed_by(steps: Iterable[str]) -> tuple[str, ...]:
    """Names of the system packages that RUN steps install, in order, without versions and options."""
    found: dict[str, None] = {}
    for step in steps:
        for call in _INSTALL.findall(step[:64_000].replace("\\\n", " ")):
            for name in _named(call.split()):
                found[name] = None
    return tuple(found)


def _named(words: Sequence[str]) -> Iterable[str]:
    start = next((i for i, word in enumerate(words) if word in _SUBCOMMANDS), None)
    if start is None or any(word in ("--virtual", "-t") or word.startswith("--virtual=") for word in words):
        return
    for word in words[start + 1 :]:
        name = _VERSIONED.sub("", word)
        if not word.startswith("-") and _NAME.fullmatch(name):
            yield name


def is_build_tool(name: str) -> bool:
    return name in BUILD_TOOLS or _DEVELOPMENT.match(name) is not None


@dataclass(frozen=True, slots=True)
class Asked:
    """Names of the packages that our build steps asked for: ``wanted`` may be needed when the program runs, ``tools``
    were there to build it."""

    wanted: tuple[str, ...]
    tools: tuple[str, ...]


def asked_for(request: Request) -> Asked:
    """What the build steps installed, by what for."""
    steps = our_steps(request.image, request.base_layers)
    # The official images of compilers name no command, so that history does not tell where they end.
    ends = [at for at, step in enumerate(steps) if step.name == "ENV" and _COMPILER.search(step.value)]
    ours = steps[ends[-1] + 1 :] if ends else steps
    runs = [step.value[:64_000] for step in ours if step.name == "RUN"]
    texts = (text for path, text in request.tree.texts.items() if "requirements" in path)
    build = "\n".join([*(_INSTALL.sub("", value) for value in runs), *(t.decode(errors="replace") for t in texts)])
    names = installed_by(runs)
    tools = {name for name in names if is_build_tool(name) or (name in _FETCHERS and _FETCHERS[name].search(build))}
    return Asked(tuple(name for name in names if name not in tools), tuple(name for name in names if name in tools))


def dependency_closure(analysis: Analysis, names: Iterable[str], present: frozenset[str]) -> tuple[Package, ...]:
    """The packages that installing ``names`` brings, without those that are ``present`` already and what these fulfil,
    sorted by name."""
    absent = [
        replace(package, requires=tuple(names for names in package.requires if present.isdisjoint(names)))
        for package in analysis.packages
        if package.ecosystem in ("deb", "apk") and package.name not in present
    ]
    wanted = frozenset(names)
    return tuple(sorted(needed(absent, (p for p in absent if p.name in wanted)), key=attrgetter("name")))


def has_foreign_sources(tree: FileTree) -> bool:
    """Whether packages may come from elsewhere than the distribution, so that its archive may not have them."""
    own = ("debian.sources", "ubuntu.sources")
    sources = tree.under("etc/apt/sources.list.d")
    return any(node.entry.kind == "file" and posixpath.basename(path) not in own for path, node in sources)
