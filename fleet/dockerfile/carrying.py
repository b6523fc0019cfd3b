"""Which paths of an image a final stage takes that brings its own runtime along: on a bare system, on distroless, or on
nothing at all.

The team's files stay, and what our layers put beside the system; of system packages those come that the team asked for
or that own what is started, without the ones that every system consists of; then everything that ELF files need, and
what symlinks lead to. What the base has just the same is not taken twice.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from fleet.analysis.command import SHELLS, find_program, named_files
from fleet.dockerfile.carried_system import USELESS, libraries, packages_for, surroundings, tools, written
from fleet.dockerfile.certain_waste import certain_waste, waste_roots
from fleet.dockerfile.command_line import named_in_scripts, named_words, shebang_program, shebang_programs
from fleet.dockerfile.interpreter import Interpreter
from fleet.dockerfile.keeping import below, choose, everything_below, minimal_roots, parent_of
from fleet.dockerfile.request import Request
from fleet.dockerfile.selection import package_paths
from fleet.dockerfile.suggestion import BaseImage
from fleet.image.filetree import FileTree, Node
from fleet.image.packages.package import Package
from fleet.oci.manifest import ImageConfig

# No path lies below it: nothing of /usr/local is left to a base's interpreter.
_NOWHERE = Interpreter("nowhere", "0")
# Compilers and package managers of languages where the official images have them, and what they fetch or write.
_LEFT_BEHIND = re.compile(
    r"usr/local/go|go/(?:pkg|bin)|usr/local/(?:cargo|rustup)|usr/src/(?:linux-[^/]+|python|php\.tar\.xz[^/]*)|root/(?:go|\.cargo|\.rustup|\.m2|\.gradle)"
    r"|usr/local/lib/node_modules/(?:npm|corepack)|opt/yarn-v[^/]+"
    r"|usr/local/bin/(?:npm|npx|yarn|yarnpkg|corepack|pip[\d.]*|idle[\d.]*|pydoc[\d.]*|2to3[\d.-]*|python[\d.]*-config)"
    r"|usr/(?:local/)?lib/python3\.\d+/(?:test|idlelib|tkinter|turtledemo|ensurepip|config-3\.[^/]+)"
    r"|(?:usr/lib/jvm/[^/]+|opt/[^/]*(?:java|jdk|jre)[^/]*(?:/[^/]+)?)/(?:jmods|include|man|demo|sample|src\.zip"
    r"|lib/(?:src\.zip|ct\.sym))"
    r"|usr/lib/jvm/[^/]+/bin/(?:jar|jarsigner|javac|javadoc|javap|jconsole|jdb|jdeprscan|jdeps|jhsdb|jimage|jinfo|jlink"
    r"|jmap|jmod|jpackage|jps|jrunscript|jshell|jstack|jstat|jstatd|rmic|serialver)|usr/lib/debug"
    r"|usr/(?:share|lib|lib64)/dotnet/(?:sdk|sdk-manifests|packs|templates|library-packs)|root/\.nuget"
    r"|usr/local/lib/ruby/gems/[^/]+/(?:cache|doc)|usr/local/bundle/(?:cache|doc)|usr/local/php/man"
    r"|usr/local/(?:share/(?:man|doc)|include|CHANGELOG\.md|README\.md|LICENSE)"
)
_PIP_OF_BASE = re.compile(r"usr/local/lib/python3\.\d+/site-packages/(?:pip|pip-[^/]+\.dist-info)")
# What a site that nginx serves was built with.
_BUILT_WITH = re.compile(r"usr/local/bin/node(?:js)?|usr/local/lib/node_modules|usr/local/bin/docker-entrypoint\.sh")
_DOTNET_HOMES = ("usr/share/dotnet", "usr/lib/dotnet", "usr/lib64/dotnet")
_TOO_BROAD = frozenset(
    {"", "bin", "sbin", "lib", "lib64", "usr", "usr/bin", "usr/lib", "usr/share", "etc", "var", "opt"}
)
_PLACE = re.compile(r"var/(?:log|lib|cache|spool)/[^/]+")
_PLACE_OF_SYSTEM = re.compile(
    r"var/(?:lib/(?:apt|dpkg|rpm|dnf|yum|pam|systemd|ucf|misc|shells|python|dbus|git|sgml|xml)"
    r"|cache/(?:apt|dnf|yum|debconf|ldconfig|man|fontconfig)|log/apt)"
)
_NEVER = ("proc/", "sys/", "dev/", "tmp/", "var/run/", "var/lock/", "var/tmp/")


@dataclass(frozen=True, slots=True)
class Carried:
    """``paths`` is all that the final stage takes, ``roots`` the fewest paths that copy it once ``waste`` below them is
    gone, ``places`` directories of which nothing else comes along, ``team`` what is neither the system's nor the
    runtime's. ``packages`` came along with their files. ``tools`` are system packages that give the program others to
    start, with one program of each."""

    paths: frozenset[str]
    roots: tuple[str, ...]
    waste: tuple[str, ...]
    places: tuple[str, ...]
    team: frozenset[str]
    packages: tuple[Package, ...]
    tools: tuple[tuple[str, str], ...]


def carry(request: Request, config: ImageConfig, base: BaseImage, *, has_runtime: bool = False) -> Carried:
    """What stays of an image that is to run as ``config`` says. ``has_runtime`` says that the base brings the runtime
    that the image's own base brought."""
    tree = request.tree
    named = _named(tree, config)
    there = base.tree.nodes if base.tree else {}
    dropped = [path for path in _left_behind(request) if not _is_used(path, named, config)]
    claimed = certain_waste(request.image, request.analysis) - named
    dropped += [top for top in waste_roots(request.image, request.analysis) if not _is_used(top, named, config)]
    gone = everything_below(tree, dropped)
    chosen = choose(request, _NOWHERE, base.tree, dropped)
    team = below(tree, chosen.roots, chosen.waste)
    if request.tier in ("distroless", "scratch"):
        team = frozenset(path for path in team if path in named or not _is_bases_script(request, path))
    home = runtime_home(request, named)
    if has_runtime:
        team = frozenset(path for path in team if request.is_ours(tree.nodes[path]) or not _of_runtime(path, home))
    elif home:
        team |= {path for path, _ in tree.under(home) if path not in gone}
    packages, started = packages_for(request, named, claimed)
    system = {path for path in package_paths(request, packages) - claimed if not USELESS.match(path)}
    # On a bare base what the image's own base set up is as much ours to bring as what the team did.
    since = request.base_layers if has_runtime else min(1, request.base_layers)
    wanted = set(team) | system | set(named) | set(surroundings(request, base, since))
    wanted |= set(written(request, wanted, since)) if packages else set()
    wanted |= _directories(tree, team) | set(_places(tree, since))
    wanted |= set(_env(tree, config, wanted))
    wanted = _with_targets(tree, wanted)
    if base.tree is not None:
        gone = gone | set(_idle_scripts(request, config, system, team | named | there.keys()))
    wanted = {path for path in wanted if path in named or not (path in gone or tree.resolve(path) in gone)}
    wanted |= set(libraries(request, base, wanted))
    paths = frozenset(
        path
        for path in wanted
        if path in tree.nodes
        and not path.startswith(_NEVER)
        and not _is_same(request, path, there)
        and not _is_link_of_base(tree, path, base)
    )
    # Where something stays below what goes, the rest is left where it is, instead of being deleted after.
    whole = [top for top in chosen.waste if not any(path.startswith(f"{top}/") for path in named)]
    roots = minimal_roots(tree, paths, everything_below(tree, whole) - paths)
    copied = everything_below(tree, roots)
    waste = tuple(top for top in whole if top in copied and top not in paths)
    places = tuple(_empty_directories(tree, paths, copied))
    others = tuple(tools(request, packages, started))
    return Carried(paths, roots, waste, places, team & paths, packages, others)


def _left_behind(request: Request) -> Iterator[str]:
    patterns = [_LEFT_BEHIND, *([_BUILT_WITH] if request.analysis.runtime.name == "nginx" else [])]
    for path, node in request.tree.nodes.items():
        is_bases = not request.is_ours(node) and _PIP_OF_BASE.fullmatch(path)
        if is_bases or any(pattern.fullmatch(path) for pattern in patterns):
            yield path


def _is_used(path: str, named: Collection[str], config: ImageConfig) -> bool:
    """Whether what is started needs a directory as a whole: npm is a directory of scripts, and a program may run where
    its sources lie. A program alone that lies among a language's tools is taken alone."""
    if f"{config.working_dir.strip('/')}/".startswith(f"{path}/"):
        return True
    if path.startswith(("go/", "usr/local/cargo", "usr/local/go")):
        return False
    return any(name == path or name.startswith(f"{path}/") for name in named)


def _is_bases_script(request: Request, path: str) -> bool:
    """Whether a shell script came with the image's base and lies on the search path: of no use without a shell."""
    shell = posixpath.basename(shebang_program(request.tree.shebangs.get(path, "")))
    return shell in SHELLS and path.startswith("usr/local/") and not request.is_ours(request.tree.nodes[path])


def _idle_scripts(
    request: Request, config: ImageConfig, system: Collection[str], others: Collection[str]
) -> Iterator[str]:
    """Scripts of system packages that nothing will be there to read: those that only maintain a system."""
    tree = request.tree
    for path, shebang in tree.shebangs.items():
        program = shebang_program(shebang)
        if path in system and path not in others and program:
            real = find_program(tree, config, program)
            if real not in system and real not in others:
                yield path


def _of_runtime(path: str, home: str) -> bool:
    return path.startswith(("usr/local/", "opt/", f"{home}/" if home else "usr/local/"))


def runtime_home(request: Request, named: Iterable[str]) -> str:
    """The directory that holds a runtime which is one of directories: Java's and .NET's; empty for others."""
    name, tree = request.analysis.runtime.name, request.tree
    for path in named:
        if name == "java" and path.endswith("/bin/java") and path in tree.elf:
            return path.removesuffix("/bin/java").removesuffix("/jre")
        if name == "dotnet" and path.endswith("/dotnet") and path in tree.elf:
            return posixpath.dirname(path)
    if name == "dotnet":  # a launcher of the program's own looks for it there
        return next((home for home in _DOTNET_HOMES if f"{home}/dotnet" in tree.nodes), "")
    return ""


def _named(tree: FileTree, config: ImageConfig) -> frozenset[str]:
    """What the command and the health check name, under the very words that they use."""
    check = config.healthcheck.test[1:] if config.healthcheck else ()
    words = (*(config.entrypoint or ()), *(config.cmd or ()), *check)
    found = set(named_files(tree, config))
    programs = (*named_words(tree, config, words), *named_in_scripts(tree, config, words))
    for word in programs:
        found.update(_trail(tree, config, word))
    for path in [path for path in found if path in tree.shebangs]:
        for word in shebang_programs(tree.shebangs[path]):
            found.update(_trail(tree, config, word))
    return frozenset(found)


def _env(tree: FileTree, config: ImageConfig, wanted: Collection[str]) -> Iterator[str]:
    """``env``, where scripts on the search path are found by it."""
    for path, shebang in tree.shebangs.items():
        first = shebang.removeprefix("#!").split()[:1]
        if path in wanted and "/bin/" in f"/{path}" and first and posixpath.basename(first[0]) == "env":
            yield from _trail(tree, config, first[0])
            return


def _trail(tree: FileTree, config: ImageConfig, word: str) -> Iterator[str]:
    """The links that lead from a word to its file, and the file."""
    real = find_program(tree, config, word)
    directories = ("",) if "/" in word or real is None else (config.variable("PATH") or "").split(":")
    for directory in directories:
        path = posixpath.normpath(posixpath.join("/", config.working_dir, directory, word)).lstrip("/")
        trail = tree.trace(path)
        if trail and (real is None or trail[-1] == real):
            yield from (each for each in trail if each in tree.nodes)
            return


def _directories(tree: FileTree, paths: Iterable[str]) -> set[str]:
    """The directories above the team's files that have a mode or an owner of their own."""
    found: set[str] = set()
    for path in paths:
        parent = parent_of(path)
        while parent and parent not in found:
            found.add(parent)
            parent = parent_of(parent)
    return {path for path in found if path in tree.nodes and tree.nodes[path].entry.kind == "directory"} - _TOO_BROAD


def _places(tree: FileTree, since: int) -> Iterator[str]:
    """Directories that packages made for programs to write to: a daemon does not start where its log has no place. And
    links in them, by which official images have logs on standard output."""
    for path, node in tree.under("var"):
        is_place = _PLACE.match(path) and not _PLACE_OF_SYSTEM.match(path)
        if is_place and node.entry.kind in ("directory", "symlink") and node.layer >= since:
            yield path


def _empty_directories(tree: FileTree, paths: Collection[str], copied: Collection[str]) -> Iterator[str]:
    """Directories that have to be made, since no copied path brings them."""
    brought = {""}
    for path in paths:
        parent = parent_of(path) if tree.nodes[path].entry.kind != "directory" or path in copied else path
        parent = parent if parent != path else ""
        while parent not in brought:
            brought.add(parent)
            parent = parent_of(parent)
    for path in sorted(paths):
        if tree.nodes[path].entry.kind == "directory" and path not in copied and path not in brought:
            yield path


def _with_targets(tree: FileTree, paths: Iterable[str]) -> set[str]:
    """The paths and all that their symlinks lead to."""
    found, waiting = set[str](), list(paths)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        node = tree.nodes.get(path)
        if node is None or node.entry.kind != "symlink":
            continue
        trail = tree.trace(path)
        waiting += (each for each in trail if each in tree.nodes)
        if trail and trail[-1] not in _TOO_BROAD and not f"{path}/".startswith(f"{trail[-1]}/"):
            waiting += (each for each, _ in tree.under(trail[-1]))
    return found


def _is_same(request: Request, path: str, there: Mapping[str, Node]) -> bool:
    """Whether the base has the very same. Small files have no fingerprint: of these only what no layer of ours brought
    is taken for equal."""
    node, other = request.tree.nodes[path], there.get(path)
    if other is None:
        return False
    ours, theirs = node.entry, other.entry
    if (ours.kind, ours.link, ours.mode, ours.uid, ours.gid) != (
        theirs.kind, theirs.link, theirs.mode, theirs.uid, theirs.gid
    ):  # fmt: skip
        return False
    if ours.kind != "file":
        return True
    same = ours.size_bytes == theirs.size_bytes and ours.fingerprint == theirs.fingerprint
    return same and (bool(ours.fingerprint) or not request.is_ours(node))


def _is_link_of_base(tree: FileTree, path: str, base: BaseImage) -> bool:
    """Whether a link at the top, such as /lib, would cover a directory of the base."""
    if "/" in path or tree.nodes[path].entry.kind != "symlink":
        return False
    return base.tree is None or base.tree.resolve(path) is not None
