"""What the evidence in an image keeps, whatever the Dockerfile around it looks like."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fleet.analysis.command import find_program
from fleet.dockerfile.distributions import Settled, settle
from fleet.dockerfile.final_stage import facts_of
from fleet.dockerfile.interpreter import Interpreter, is_musl
from fleet.dockerfile.keeping import Kept, below, choose, parent_of
from fleet.dockerfile.linkage import is_made_by_ldconfig, loaded_by_name, missing_libraries
from fleet.dockerfile.request import Request
from fleet.dockerfile.suggestion import BaseImage
from fleet.dockerfile.system_packages import asked_for, dependency_closure, has_foreign_sources, is_build_tool
from fleet.image.packages import read_packages
from fleet.image.packages.package import Package

# What runtimes read without any file of theirs naming it.
_DATA = ("usr/share/zoneinfo", "etc/mime.types", "usr/share/ca-certificates")
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True)
class SystemPackages:
    """``wanted`` are those that a build step asked for and that may be needed at run time, ``packages`` they and what
    they depend on beyond the base. ``tools`` were asked for to build. ``unavailable`` says that other archives than the
    distribution's were used, so that the base cannot be trusted to have them."""

    wanted: tuple[str, ...]
    packages: tuple[Package, ...]
    tools: tuple[str, ...]
    unavailable: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """``kept`` is the team's; ``libraries`` and ``system`` (accounts, certificates, data) come along because the base
    lacks them. ``linked`` are links beside the libraries that ldconfig makes; ``needs_ldconfig`` says that it has to
    run, for them or for what only the loader's cache leads to. ``copied`` is every path that all of these bring."""

    base: BaseImage
    settled: Settled
    kept: Kept
    packages: SystemPackages
    libraries: tuple[str, ...]
    linked: tuple[str, ...]
    needs_ldconfig: bool
    system: tuple[str, ...]
    copied: frozenset[str]


def select(
    request: Request, interpreter: Interpreter, base: BaseImage, *, libraries_by_package: bool = False
) -> Selection:
    """What stays of the image on a base. ``libraries_by_package`` leaves libraries that a system package owns to the
    package manager, instead of copying them."""
    tree = request.tree
    settled = settle(request, interpreter, base)
    has_shell = find_program(tree, request.image.config, "/bin/sh") is not None
    kept = choose(request, interpreter, base.tree, settled.dropped if has_shell else ())
    packages = system_packages(request, base)
    copied = below(tree, kept.roots, kept.waste)
    named = loaded_by_name(tree, request.analysis)
    libraries = missing_libraries(tree, copied | package_paths(request, packages.packages), base, named)
    if libraries_by_package and libraries:
        packages = system_packages(request, base, _owners(request, copied, libraries))
        libraries = missing_libraries(tree, copied | package_paths(request, packages.packages), base, named)
    linked = () if is_musl(tree) else tuple(path for path in libraries if is_made_by_ldconfig(tree, path))
    needs_ldconfig = not is_musl(tree) and (bool(linked) or any(map(_is_cached, (*copied, *libraries))))
    system = tuple(_system_files(request, base))
    everything = copied | frozenset(libraries) | below(tree, system, ())
    others = tuple(path for path in libraries if path not in linked)
    return Selection(base, settled, kept, packages, others, linked, needs_ldconfig, system, everything)


def _is_cached(path: str) -> bool:
    """Whether a path is a library of the directory that the loader finds by its cache only."""
    return path.startswith("usr/local/lib/") and path.count("/") == 3 and ".so" in path


def system_packages(request: Request, base: BaseImage, extra: Iterable[str] = ()) -> SystemPackages:
    """The system packages of our build steps, and ``extra`` ones, as the final stage would install them."""
    asked = asked_for(request)
    present = frozenset(_packages_of(base))
    wanted = [
        name for name in dict.fromkeys((*asked.wanted, *extra)) if not is_build_tool(name) and name not in present
    ]
    packages = dependency_closure(request.analysis, wanted, present)
    known = {package.name for package in packages}
    unavailable = has_foreign_sources(request.tree)
    tools = tuple(name for name in asked.tools if not name.endswith("-dev"))
    names = tuple(name for name in wanted if name in known)
    return SystemPackages(names, () if unavailable else packages, tools, unavailable)


def _owners(request: Request, copied: frozenset[str], libraries: Iterable[str]) -> Iterator[str]:
    """The packages of the libraries that copied files name themselves; these bring what they need in turn."""
    elf, owned = request.tree.elf, request.owned()
    needed = {name for path in copied if path in elf for name in elf[path].needed}
    named = (path for path in libraries if posixpath.basename(path) in needed)
    for path in named:
        owner = owned.get(path) or owned.get(request.tree.resolve(path) or "")
        if owner:
            yield owner


def package_paths(request: Request, packages: Iterable[Package]) -> frozenset[str]:
    return frozenset(path for package in packages for path in package.paths if path in request.tree.nodes)


def bare_directories(request: Request, selection: Selection) -> tuple[str, ...]:
    """Directories that stay though nothing below them is copied: volumes, homes, places for logs."""
    occupied = {""}
    for parent in {parent_of(path) for path in selection.copied}:
        while parent not in occupied:
            occupied.add(parent)
            parent = parent_of(parent)
    nodes, copied = request.tree.nodes, selection.copied
    kept = (path for path in selection.kept.paths if path not in copied and path not in occupied)
    return tuple(sorted(path for path in kept if nodes[path].entry.kind == "directory"))


def _packages_of(base: BaseImage) -> Iterator[str]:
    """Names of the base's system packages, from the lists that dpkg keeps of their files, or from the table."""
    if base.tree is None:
        facts = facts_of(base)
        yield from facts.packages if facts else ()
        return
    if is_musl(base.tree):
        yield from (package.name for package in read_packages(base.tree) if package.ecosystem == "apk")
    for path, _ in base.tree.under("var/lib/dpkg/info"):
        if path.endswith(".list"):
            yield posixpath.basename(path)[:-5].partition(":")[0]


def _system_files(request: Request, base: BaseImage) -> Iterator[str]:
    """Accounts and certificates that our layers changed, and data that the base lacks."""
    tree = request.tree
    accounts = tree.nodes.get("etc/passwd")
    if accounts is not None and request.is_ours(accounts):
        yield from (path for path in ("etc/passwd", "etc/group") if path in tree.nodes)
    if any(request.is_ours(node) for _, node in tree.under("etc/ssl/certs")) and not _same_certificates(request, base):
        yield "etc/ssl/certs"
    if base.tree is not None:
        for path in _DATA:
            if tree.resolve(path) is not None and base.tree.resolve(path) is None:
                yield path


def _same_certificates(request: Request, base: BaseImage) -> bool:
    ours, theirs = request.tree.nodes.get(_BUNDLE), base.tree.nodes.get(_BUNDLE) if base.tree else None
    return ours is not None and theirs is not None and ours.entry.size_bytes == theirs.entry.size_bytes
