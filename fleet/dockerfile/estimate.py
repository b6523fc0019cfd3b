"""What a suggested image will weigh: the base as measured plus the measured share of everything that is kept.

Nothing is multiplied by a ratio; the constants below are what a build step writes beside its purpose, as measured on a
real engine.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fleet.image.filetree import FileTree
from fleet.image.packages.package import Package
from fleet.image.sizes import NOTHING, Sizes

# pyvenv.cfg, the activation scripts and the setuptools that `python -m venv` brings up to Python 3.11.
VENV_SKELETON = Sizes(14_000, 4_600)
VENV_SETUPTOOLS = Sizes(8_030_000, 2_770_000)
# A rewritten dpkg status, logs, and the package manager's caches.
APT_STEP = Sizes(1_300_000, 350_000)


def weigh(tree: FileTree, paths: Collection[str]) -> Sizes:
    """What copying some paths costs. A hard link whose content is not copied under another name becomes a file."""
    unpacked = compressed = 0
    links: dict[str, str] = {}
    for path in paths:
        entry = tree.nodes[path].entry
        unpacked += entry.size_bytes
        compressed += entry.compressed_bytes
        if entry.kind == "hardlink" and entry.link not in paths:
            links.setdefault(entry.link, path)
    extra = (tree.nodes[target].entry for target in links if target in tree.nodes)
    return sum((Sizes(entry.size_bytes, entry.compressed_bytes) for entry in extra), Sizes(unpacked, compressed))


def weigh_packages(tree: FileTree, packages: Iterable[Package]) -> Sizes:
    """What installing system packages adds, from their files in the original."""
    paths = {path for package in packages for path in package.paths if path in tree.nodes}
    return weigh(tree, paths) + APT_STEP if paths else NOTHING
