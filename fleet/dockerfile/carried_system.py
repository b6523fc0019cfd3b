"""What of an image's system comes along with a program: packages, settings, accounts, certificates, libraries."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from fleet.analysis.command import find_program
from fleet.dockerfile.base_table import known_base
from fleet.dockerfile.command_line import shebang_program
from fleet.dockerfile.final_stage import facts_of
from fleet.dockerfile.interpreter import is_musl
from fleet.dockerfile.linkage import loaded_by_name, missing_libraries
from fleet.dockerfile.request import Request
from fleet.dockerfile.suggestion import BaseImage
from fleet.dockerfile.system_packages import asked_for, dependency_closure
from fleet.image.libraries import library_closure
from fleet.image.packages.package import Package

USELESS = re.compile(
    r"usr/share/(?:man|info|locale|lintian|bug|bash-completion|doc-base|gnome|applications|menu|zsh)/"
    r"|usr/share/doc/(?!.*/copyright$)|usr/include/|etc/(?:init\.d|cron[^/]*|logrotate\.d|systemd|profile\.d)/"
    r"|usr/lib/(?:systemd|tmpfiles\.d|sysusers\.d)/|lib/systemd/|.*\.(?:a|la)$"
)
# Of what installation scripts write without any package owning it: links to programs, and settings.
_WRITTEN = re.compile(
    r"etc/|usr/s?bin/|usr/lib/(?:apache2|nginx|jvm|php|ruby|ssl)/|usr/lib/[^/]+/.*\.cache$|var/lib/(?:gems|php)/"
)
_NOT_SETTINGS = re.compile(
    r"etc/(?:ld\.so\.cache|rc.\.d/|passwd|group|shadow|gshadow|sub[ug]id|\.pwd\.lock|resolv\.conf|hostname|hosts|mtab"
    r"|apt/|dpkg/|pam\.d/|systemd/|init\.d/|cron|logrotate|profile\.d/|skel/|motd|issue|shells|localtime|timezone"
    r"|ssl/(?!certs/java)|ca-certificates|nsswitch)|.*-$"
)
_SURROUNDINGS = (
    "usr/share/zoneinfo",
    "etc/ssl/certs",
    "usr/share/ca-certificates",
    "etc/nsswitch.conf",
    "etc/mime.types",
)
_ONLY_ON_NOTHING = ("etc/ssl/openssl.cnf", "usr/lib/locale/C.utf8", "etc/os-release", "usr/lib/os-release")
_ACCOUNTS = ("etc/passwd", "etc/group")
# Loaded by name by glibc itself: name services, and what ends threads.
_OF_GLIBC = re.compile(r"(?:usr/)?lib(?:/[\w-]+)?/(?:libnss_(?:files|dns)\.so\.2|libresolv\.so\.2|libgcc_s\.so\.1)")
# What .NET loads by name: Unicode, and TLS.
_OF_DOTNET = re.compile(r"(?:usr/)?lib(?:64)?(?:/[\w-]+)?/lib(?:icuuc|icui18n|icudata|ssl|crypto)\.so\.\d[\d.]*")
_CACHE = "etc/ld.so.cache"
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"


def packages_for(
    request: Request, named: Collection[str], claimed: Collection[str]
) -> tuple[tuple[Package, ...], frozenset[str]]:
    """The system packages that come along, and the names of those that what is started belongs to."""
    analysis, owned = request.analysis, request.owned()
    asked = _needed(request, asked_for(request).wanted, claimed)
    reached = library_closure(request.tree, [path for path in named if path in request.tree.elf]).found
    owners = {owned[path] for path in (*named, *reached) if path in owned}
    started = {owned[path] for path in named if path in owned}
    system = _system_names(request)
    old = {p.name for p in analysis.packages if p.ecosystem in ("deb", "apk") and p.layer < request.base_layers}
    new = dependency_closure(analysis, [name for name in asked if name not in old], frozenset(system | old))
    of_program = dependency_closure(analysis, [name for name in started if name not in system], frozenset(system))
    packages = {package.name: package for package in (*new, *of_program)}
    direct = {p.name for p in of_program} | owners
    return tuple(packages[name] for name in sorted(packages)), frozenset(direct)


def _needed(request: Request, asked: Iterable[str], claimed: Collection[str]) -> list[str]:
    """The asked packages, less those that rules claim most of: compilers under any name."""
    by_name = {package.name: package for package in request.analysis.packages if package.ecosystem in ("deb", "apk")}
    found = [by_name[name] for name in asked if name in by_name]
    return [each.name for each in found if not _is_claimed(each, claimed)]


def _is_claimed(package: Package, claimed: Collection[str]) -> bool:
    """Whether more of a package is claimed than its documentation, which rules claim of every package."""
    paths = [path for path in package.paths if not path.startswith("usr/share/doc/") and not USELESS.match(path)]
    return 2 * sum(path in claimed for path in paths) > len(paths)


def _system_names(request: Request) -> set[str]:
    """What every system of the distribution has: its libraries come as the programs need them."""
    known = known_base("alpine:3.20" if is_musl(request.tree) else "debian:bookworm-slim")
    essential = {package.name for package in request.analysis.packages if package.essential}
    return essential | set(known.packages if known else ())


def written(request: Request, wanted: Collection[str], since: int) -> Iterator[str]:
    """What installation scripts wrote in layers from ``since`` on: settings, and links to files that are wanted."""
    tree, owned = request.tree, request.owned()
    links: list[str] = []
    there = set(wanted)
    for path, node in tree.nodes.items():
        if node.layer < since or path in owned or not _WRITTEN.match(path) or _NOT_SETTINGS.match(path):
            continue
        if node.entry.kind == "symlink":
            links.append(path)
        elif node.entry.kind == "file" and path.startswith(("etc/", "usr/lib/", "var/")) and not USELESS.match(path):
            there.add(path)
            yield path
    for path in links:
        if tree.resolve(path) in there:
            yield from (each for each in tree.trace(path) if each in tree.nodes)


def surroundings(request: Request, base: BaseImage, since: int) -> Iterator[str]:
    """Accounts, certificates and time zones where the base has none, or layers from ``since`` on have others."""
    tree, is_nothing = request.tree, is_empty(base)
    for path in _ACCOUNTS:
        # The accounts of a base without a shell are few, and programs look up those that their system had.
        if (node := tree.nodes.get(path)) is not None and (request.tier != "slim" or node.layer >= since):
            yield path
    for path, node in ((path, node) for path, node in tree.nodes.items() if path == "run" or path.startswith("run/")):
        if node.entry.kind == "directory" and (is_nothing or node.layer >= since):
            yield path
    for path in (*_SURROUNDINGS, *(_ONLY_ON_NOTHING if is_nothing else ())):
        real = tree.resolve(path)
        if real is not None and (not _has(base, path) or (path in _BUNDLE and _is_changed(request, base))):
            yield from (each for each in tree.trace(path) if each in tree.nodes)
            yield from (each for each, _ in tree.under(real))


def is_empty(base: BaseImage) -> bool:
    """Whether a base is nothing at all."""
    return base.tree is not None and not base.tree.nodes


def _has(base: BaseImage, path: str) -> bool:
    if base.tree is not None:
        return base.tree.resolve(path) is not None
    facts = facts_of(base)
    return facts is not None and any(f"{each}/".startswith(f"{path}/") for each in facts.data)


def _is_changed(request: Request, base: BaseImage) -> bool:
    """Whether our layers have other certificates than the base."""
    ours = request.tree.nodes.get(_BUNDLE)
    if ours is None or not request.is_ours(ours):
        return False
    theirs = base.tree.nodes.get(_BUNDLE) if base.tree else None
    return theirs is None or theirs.entry.fingerprint != ours.entry.fingerprint


def libraries(request: Request, base: BaseImage, wanted: Collection[str]) -> Iterator[str]:
    """The closure of all ELF files; on nothing with the loader and the C library, which match each other."""
    tree, is_nothing = request.tree, is_empty(base)
    extra = loaded_by_name(tree, request.analysis)
    if request.analysis.runtime.name == "dotnet":
        extra = (*extra, *(path for path in tree.nodes if _OF_DOTNET.fullmatch(path)))
    if not is_nothing:
        yield from missing_libraries(tree, frozenset(wanted), base, extra)
    else:
        starts = [path for path in wanted if path in tree.elf]
        is_dynamic = any(not tree.elf[path].static for path in starts)
        loaded = [path for path in tree.nodes if _OF_GLIBC.fullmatch(path)] if is_dynamic else []
        closure = library_closure(tree, [*starts, *extra, *(tree.resolve(path) or path for path in loaded)])
        yield from (path for path in (*extra, *loaded, *closure.found) if path in tree.nodes)
        for path in loaded:
            yield from (each for each in tree.trace(path) if each in tree.nodes)
    has_local = any(path.startswith("usr/local/lib/") and path in tree.elf for path in wanted)
    if _CACHE in tree.nodes and (is_nothing or has_local):
        yield _CACHE


def _is_program(request: Request, path: str, direct: Collection[str]) -> bool:
    """Whether a file can be started apart from the runtime, whose scripts are its own."""
    tree = request.tree
    if path not in tree.shebangs:
        return tree.resolve(path) in tree.elf
    program = shebang_program(tree.shebangs[path])
    real = find_program(tree, request.image.config, program) if program else None
    return real is None or request.owned().get(real, "") not in direct


def tools(request: Request, packages: Iterable[Package], direct: Collection[str]) -> Iterator[tuple[str, str]]:
    """Packages that the team asked for and that give programs which nothing we know starts."""
    asked = set(asked_for(request).wanted)
    for package in packages:
        if package.name in asked and package.name not in direct:
            programs = (path for path in package.paths if re.match(r"(?:usr/(?:local/)?)?s?bin/", path))
            program = next((path for path in programs if _is_program(request, path, direct)), "")
            if program:
                yield package.name, program
