"""What there is in a file system beside bytes: packages to patch, programs to misuse."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fleet.analysis.command import SHELLS
from fleet.dockerfile.final_stage import FinalStage
from fleet.dockerfile.suggestion import Components
from fleet.image.filetree import FileTree
from fleet.image.packages import read_packages
from fleet.image.packages.package import Package

_SETUID = 0o6000
_EXECUTABLE = 0o111
_SHELLS = SHELLS | {"busybox"}
# A package counts as there when so much of it is: a library that came alone is not its package's other half.
_MOST = 0.5


def compare(original: FileTree, packages: Iterable[Package], stage: FinalStage) -> tuple[Components, Components] | None:
    """The components of the original and of the final stage; None where the base's files are unknown."""
    if stage.base.tree is None:
        return None
    packages = tuple(packages)
    before = _count(original, len(packages))
    there = _identities(packages, stage.tree.nodes) | _identities(read_packages(stage.base.tree), stage.tree.nodes)
    return before, _count(stage.tree, len(there))


def _identities(packages: Iterable[Package], paths: Collection[str]) -> set[tuple[str, str]]:
    return {(package.ecosystem, package.name) for package in packages if _is_there(package, paths)}


def _is_there(package: Package, paths: Collection[str]) -> bool:
    return bool(package.paths) and sum(path in paths for path in package.paths) >= len(package.paths) * _MOST


def _count(tree: FileTree, packages: int) -> Components:
    executables = setuid_files = shells = 0
    for path, node in tree.nodes.items():
        entry = node.entry
        if entry.kind not in ("file", "hardlink"):
            continue
        setuid_files += bool(entry.mode & _SETUID)
        if not entry.mode & _EXECUTABLE:
            continue
        facts = tree.elf.get(path)
        if path in tree.shebangs or (facts is not None and (facts.static or (facts.interpreter and not facts.soname))):
            executables += 1
            shells += path[path.rfind("/") + 1 :] in _SHELLS
    return Components(packages, executables, setuid_files, shells)
