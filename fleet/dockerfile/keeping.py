"""Which files of an image its program keeps on another base, and the fewest paths that copy exactly those.

Outside system directories everything is the team's and stays. Inside them only what our layers brought counts, less
what a system package owns or writes when it is installed: the base has its own, or gets it from its package manager.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from fleet.dockerfile.interpreter import Interpreter
from fleet.dockerfile.request import Request
from fleet.image.filetree import FileTree, Node

_NEVER = frozenset({"proc", "sys", "dev", "run", "tmp", "boot", "lost+found", ".dockerenv"})
_SYSTEM = frozenset({"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "var", "root"})
_STANDARD = frozenset({"home", "opt", "srv", "mnt", "media"})
_CACHES_WORDS = (
    ".cache/pip .cache/uv .cache/pypoetry .cache/pipenv .cache/pre-commit .cache/go-build .cache/yarn .cache/node "
    ".cache/fontconfig .config/go .config/pip .cache/Microsoft .npm .cargo .rustup .gnupg .wget-hsts .python_history "
    ".bash_history .bashrc .profile .bash_logout .node-gyp .launchpadlib .local/state .local/share/virtualenv"
)
_CACHES = frozenset(_CACHES_WORDS.split())
# Directories that only developing needs, wherever the program lies.
WASTE = frozenset({".git", ".hg", ".svn", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".nox"})
_GENERATED = re.compile(
    r"etc/(?:ld\.so\.cache|alternatives/|rc.\.d/|passwd|group|shadow|gshadow|sub[ug]id|\.pwd\.lock|resolv\.conf|hostname"
    r"|hosts|mtab|apt/|dpkg/|ssl/|ca-certificates|pam\.d/|systemd/|mailcap|magic|localtime|timezone|environment|init\.d/"
    r"|fonts/|sgml/|xml/|emacs|python3|perl|gtk-|cron|logrotate|profile\.d/|skel/|default/|motd|issue|shells|nsswitch)"
    r"|usr/(?:include/|share/(?:doc|man|info|locale|mime|icons|fonts|applications|perl|python3|glib-2\.0|bug|lintian)/)"
    r"|usr/(?:lib/sysimage|share/rpm)/|usr/lib/(?:python3|locale|systemd|gcc|apt|dpkg|ssl)/|(?:usr/)?lib.*/(?:modules|loaders|immodules|gconv-modules)\.cache"
    r"|var/(?:lib/(?:apt|dpkg|rpm|dnf|yum|systemd|pam|ucf|shells\.state|ghostscript|dbus|polkit-1|python|xml-core|sgml-base|misc)"
    r"|cache|log(?:$|/(?:apt|dpkg|alternatives|bootstrap|faillog|lastlog|btmp|wtmp|fontconfig))|tmp|run|lock|spool|mail|backups|opt$|local$)"
)
_LOCAL_SKIPPED = re.compile(r"usr/local/(?:include|man$|share/(?:man|doc|info)|lib/pkgconfig|lib/[^/]+\.l?a$)")


@dataclass(frozen=True, slots=True)
class Kept:
    """``paths`` is everything that stays, ``roots`` the fewest paths that copy it, ``waste`` what must be deleted below
    the roots first. Neither has leading slashes."""

    paths: frozenset[str]
    roots: tuple[str, ...]
    waste: tuple[str, ...]


def choose(request: Request, interpreter: Interpreter, base: FileTree | None, dropped: Collection[str]) -> Kept:
    """What stays of an image. ``dropped`` are paths (files, or directories with all below) that the base has its own
    of; they count as waste where they lie below what is copied."""
    tree, chooser = request.tree, _Chooser(request, interpreter, base)
    waste = {path for path in dropped if tree.resolve(path) is not None}
    waste |= {path for path in tree.nodes if path[path.rfind("/") + 1 :] in WASTE and not path.startswith("usr/lib/")}
    gone = everything_below(tree, waste)
    paths = frozenset(path for path in chooser.chosen() if path not in gone)
    # What the base has of site-packages does no harm there, and lets the directory be copied as one.
    harmless = everything_below(tree, [interpreter.site_packages])
    roots = minimal_roots(tree, paths, gone | harmless)
    copied = everything_below(tree, roots)
    tops = (path for path in waste if parent_of(path) not in gone and path in copied)
    return Kept(paths, roots, tuple(sorted(tops)))


class _Chooser:
    def __init__(self, request: Request, interpreter: Interpreter, base: FileTree | None) -> None:
        self._request = request
        self._interpreter = interpreter
        self._base: Mapping[str, Node] = base.nodes if base else {}
        self._base_layers = request.base_layers
        self._owned = request.owned()
        self._package_steps = _package_steps(request)

    def chosen(self) -> Iterator[str]:
        """The paths that stay, before anything is taken out of them."""
        for path, node in self._request.tree.nodes.items():
            # Most files of an image are its base's, below /usr: they are passed over first.
            is_bases = node.layer < self._base_layers and path.startswith("usr/") and not path.startswith("usr/local/")
            if not is_bases and self.stays(path, node):
                yield path

    def stays(self, path: str, node: Node) -> bool:
        top, _, rest = path.partition("/")
        if top in _NEVER or node.entry.kind in ("device", "fifo"):
            return False
        if not rest:
            return top not in _SYSTEM and top not in _STANDARD and not self._in_base(path, node)
        if top not in _SYSTEM:
            return not self._in_base(path, node) and not _is_cache(path)
        if path.startswith("usr/local/"):
            return self._stays_local(path, node)
        return node.layer >= self._base_layers and self._stays_in_system(path, node)

    def _stays_local(self, path: str, node: Node) -> bool:
        if path.startswith(f"{self._interpreter.prefix}/") and self._interpreter.owns(path):
            return False
        if _LOCAL_SKIPPED.match(path):
            return False
        return node.entry.kind != "directory" and not self._in_base(path, node)

    def _stays_in_system(self, path: str, node: Node) -> bool:
        if path.startswith("root/"):
            return node.entry.kind != "directory" and not _is_cache(path) and not self._in_base(path, node)
        if path in self._owned or _GENERATED.match(path) or "__pycache__" in path:
            return False
        if node.entry.kind == "directory":
            return path.startswith("var/") and not self._in_base(path, node)
        if path.startswith(("usr/bin/", "usr/sbin/")):
            return node.entry.kind == "file" or node.layer not in self._package_steps
        return node.layer not in self._package_steps

    def _in_base(self, path: str, node: Node) -> bool:
        """Whether the base has the same: for what no layer of ours brought, and directories."""
        other = self._base.get(path)
        if other is None or other.entry.kind != node.entry.kind:
            return False
        if other.entry.size_bytes != node.entry.size_bytes or other.entry.link != node.entry.link:
            return False
        return node.entry.kind == "directory" or node.layer < self._base_layers or not self._base_layers


def _package_steps(request: Request) -> frozenset[int]:
    """Layers in which a package manager ran, whose unowned files are mostly written by installation scripts."""
    manager = re.compile(r"\b(?:apt-get|apt|dpkg|apk|aptitude)\b")
    return frozenset(i for i, layer in enumerate(request.analysis.layers) if manager.search(layer.created_by))


def _is_cache(path: str) -> bool:
    if path.startswith("root/"):
        rest = path[5:]
    elif path.startswith("home/"):
        rest = path[5:].partition("/")[2]
    else:
        return False
    first, _, tail = rest.partition("/")
    return rest == ".cache" or first in _CACHES or f"{first}/{tail.partition('/')[0]}" in _CACHES


def minimal_roots(tree: FileTree, kept: Set[str], ignored: Set[str]) -> tuple[str, ...]:
    """The topmost paths below which nothing lies that must not be copied. What is ``ignored`` may lie there."""
    foreign = (
        path
        for path, node in tree.nodes.items()
        if path not in kept and node.entry.kind != "directory" and path not in ignored
    )
    mixed = {""}
    for parent in {parent_of(path) for path in foreign}:
        while parent not in mixed:
            mixed.add(parent)
            parent = parent_of(parent)
    return tuple(sorted({_highest(path, mixed) for path in kept if path not in mixed}))


def _highest(path: str, mixed: Set[str]) -> str:
    parent = parent_of(path)
    while parent not in mixed and parent not in _SYSTEM:
        path, parent = parent, parent_of(parent)
    return path


def everything_below(tree: FileTree, tops: Iterable[str]) -> set[str]:
    """Some paths and all below them."""
    found: set[str] = set()
    for top in tops:
        found.add(top)
        found.update(path for path, _ in tree.under(top))
    return found


def below(tree: FileTree, roots: Collection[str], waste: Collection[str]) -> frozenset[str]:
    """Every path that copying ``roots`` brings after ``waste`` is deleted."""
    copied = everything_below(tree, roots) - everything_below(tree, waste)
    return frozenset(path for path in copied if path in tree.nodes)


def parent_of(path: str) -> str:
    """The directory of a path without leading slash; the root is the empty string."""
    end = path.rfind("/")
    return path[:end] if end > 0 else ""
