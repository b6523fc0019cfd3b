"""What a recipe is asked: the facts about one image and what kind of Dockerfile is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet.analysis.findings import Analysis
from fleet.dockerfile.bases import Bases
from fleet.dockerfile.suggestion import Mode, Tier
from fleet.image.filetree import FileTree, Node
from fleet.image.loading import LoadedImage


@dataclass(frozen=True, slots=True)
class Request:
    """``dockerfile`` is the team's own, when they gave one."""

    image: LoadedImage
    analysis: Analysis
    mode: Mode
    tier: Tier
    bases: Bases
    dockerfile: str | None = None
    base_layers: int = field(init=False)
    """How many of the first layers came with the base image."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_layers", sum(layer.base for layer in self.analysis.layers))

    @property
    def tree(self) -> FileTree:
        return self.image.tree

    def is_ours(self, node: Node) -> bool:
        return node.layer >= self.base_layers

    def owned(self) -> Mapping[str, str]:
        """Paths that a system package installed, with its name, under /usr also for what dpkg lists outside it."""
        found: dict[str, str] = {}
        for package in self.analysis.packages:
            if package.ecosystem in ("deb", "apk"):
                for path in package.paths:
                    found[path] = package.name
                    if path.startswith(("bin/", "sbin/", "lib")):
                        found[f"usr/{path}"] = package.name
        return found
