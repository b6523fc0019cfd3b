"""Libraries inside of files: the modules of Go programs, the crates of Rust ones, and Java archives with those within.

The files themselves say so; what they hold is read while their layer passes (``fleet/image/java_archive.py``,
``go_build_info.py``, ``rust_audit.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fleet.image.entries import Component
from fleet.image.filetree import FileTree
from fleet.image.packages.listing import short
from fleet.image.packages.package import Package


def read(tree: FileTree) -> Iterator[Package]:
    """One package for each component of each file. Archives within a file come first and state their own bytes; the
    one after them, the file's own, gets what is left."""
    for path in sorted(tree.components):
        node = tree.nodes[path]
        if node.entry.kind == "file":
            for component, own_bytes in _weighed(tree.components[path]):
                yield Package(
                    ecosystem=component.ecosystem,
                    name=short(component.name),
                    version=short(component.version),
                    unpacked_bytes=own_bytes,
                    layer=node.layer,
                    paths=(path,),
                )


def _weighed(components: Sequence[Component]) -> Iterator[tuple[Component, int]]:
    """Each with the bytes that are its own within the file, those of the archives in it left out."""
    within: Counter[str] = Counter()
    for component in components:
        within[component.location.rpartition("!/")[0]] += component.size_bytes
    for component in components:
        if component.size_bytes > within[component.location]:
            yield component, component.size_bytes - within[component.location]
    for component in components:
        if component.size_bytes <= within[component.location]:
            yield component, 0
