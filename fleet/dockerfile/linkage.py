"""The shared libraries that a program needs and its new base lacks.

glibc and its loader never cross from one image to another: they must match each other to the byte, and every base has
its own. Spec: https://man7.org/linux/man-pages/man8/ld.so.8.html
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable

from fleet.analysis.findings import Analysis
from fleet.dockerfile.final_stage import facts_of
from fleet.dockerfile.suggestion import BaseImage
from fleet.image.filetree import FileTree
from fleet.image.libraries import library_closure

_GLIBC = re.compile(
    r"(?:ld-linux[\w-]*\.so\.\d+|ld-musl-\S+|ld-[\d.]+\.so|libc\.musl\S*"
    r"|lib(?:c|m|pthread|dl|rt|resolv|util|anl|mvec|thread_db|BrokenLocale|nss_\w+|memusage|pcprofile)"
    r"(?:-[\d.]+)?\.so(?:\.\d+)?)"
)
_DEFAULT = re.compile(r"(?:usr/)?lib(?:64|32)?(?:/[a-z0-9_]+-linux-[a-z0-9]+)?")

# Libraries that these distributions load by name when they run, so that no ELF file tells.
_LOADED_BY_NAME = {
    "python-magic": ("libmagic.so.1",),
    "weasyprint": ("libpango-1.0.so.0", "libpangoft2-1.0.so.0", "libharfbuzz.so.0", "libfontconfig.so.1"),
    "cairocffi": ("libcairo.so.2",),
    "pyzbar": ("libzbar.so.0",),
    "pyenchant": ("libenchant-2.so.2",),
    "gssapi": ("libgssapi_krb5.so.2",),
    "soundfile": ("libsndfile.so.1",),
}


def is_glibc(path: str) -> bool:
    return _GLIBC.fullmatch(posixpath.basename(path)) is not None


def missing_libraries(
    tree: FileTree, kept: Collection[str], base: BaseImage, extra: Iterable[str] = ()
) -> tuple[str, ...]:
    """Paths of the original's tree, symlinks and the files they lead to, that kept ELF files need and neither ``kept``
    nor the base holds. ``extra`` are libraries that are needed though no kept file says so."""
    starts = [path for path in kept if path in tree.elf]
    wanted = dict.fromkeys([*extra, *library_closure(tree, [*starts, *extra]).found])
    return tuple(path for path in wanted if path not in kept and not is_glibc(path) and not _has(base, tree, path))


def loaded_by_name(tree: FileTree, analysis: Analysis) -> tuple[str, ...]:
    """Paths of libraries that installed distributions are known to load by name."""
    names = {
        soname
        for package in analysis.packages
        if package.ecosystem == "pypi"
        for soname in _LOADED_BY_NAME.get(package.name.lower(), ())
    }
    if not names:
        return ()
    return tuple(sorted(path for path in tree.nodes if posixpath.basename(path) in names and is_in_default_place(path)))


def is_made_by_ldconfig(tree: FileTree, path: str) -> bool:
    """Whether a path is the link that ldconfig makes for the library beside it: named as its soname, in a directory
    that is searched by default."""
    node, real = tree.nodes.get(path), tree.resolve(path)
    if node is None or node.entry.kind != "symlink" or real is None or not is_in_default_place(path):
        return False
    facts = tree.elf.get(real)
    is_beside = posixpath.dirname(real) == tree.resolve(posixpath.dirname(path))
    return facts is not None and facts.soname == posixpath.basename(path) and is_beside


def is_in_default_place(path: str) -> bool:
    """Whether the loader searches a library's directory without a cache or a setting."""
    return _DEFAULT.fullmatch(posixpath.dirname(path)) is not None


def _has(base: BaseImage, tree: FileTree, path: str) -> bool:
    if "/" not in path:
        return True  # a link such as /lib, which every base has in its own way
    if base.tree is None:
        facts = facts_of(base)
        real = tree.elf.get(tree.resolve(path) or "")
        names = {posixpath.basename(path), real.soname if real else ""}
        return facts is not None and ("/libpython" in path or not names.isdisjoint(facts.libraries))
    directories = (posixpath.dirname(path), "usr/local/lib", posixpath.dirname(path).removeprefix("usr/"))
    return any(f"{directory}/{posixpath.basename(path)}" in base.tree.nodes for directory in directories)
