"""Which layers came with the base image, and which build step made which layer; read from history.

History has one entry a step, and steps without content are marked ``empty_layer``. Not every builder keeps to that:
buildah marks steps with content as empty, buildpacks leave entries blank. Where the count does not fit the layers,
nothing is paired. Spec: https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fleet.image.loading import LoadedImage
from fleet.oci.manifest import HistoryEntry

# What ends a base: no Dockerfile of ours sets a command and adds files after it.
_COMMAND = re.compile(r"^(?:/bin/sh -c #\(nop\)\s{1,5})?(?:CMD|ENTRYPOINT)\b")
# How the makers of distributions' root file systems, and tools without Dockerfile, write their steps.
_ROOT_FILE_SYSTEM = re.compile(
    r"^# debian\.sh |^(?:/bin/sh -c #\(nop\)\s{1,5})?ADD .{1,500} (?:in )?/(?: # buildkit)?\s*$"
)
_TOOL = re.compile(r"^(bazel build|apko)\b")


def layer_steps(history: Sequence[HistoryEntry], layers: int) -> tuple[HistoryEntry, ...] | None:
    """The history entry of each layer in order, or None where history does not fit the layers."""
    steps = tuple(entry for entry in history if not entry.empty_layer)
    return steps if len(steps) == layers else None


def base_layer_count(image: LoadedImage) -> int:
    """How many of the first layers came with the base, always less than the number of layers.

    What the builder attested holds. Else it is an estimate from history: the base ends at the last CMD or ENTRYPOINT
    that steps with content follow; without one it is the first layer where that is a root file system or an import.
    0 means that nothing tells.
    """
    history, layers = image.config.history, len(image.manifest.layers)
    if layers < 2:
        return 0
    if image.provenance and (attested := image.provenance.base_layer_count(image.manifest)):
        return attested
    steps = layer_steps(history, layers)
    return (_up_to_command(history) if steps else 0) or _leading(steps or tuple(history[:1]), layers)


def _up_to_command(history: Sequence[HistoryEntry]) -> int:
    """Layers before the last command step that is followed by content."""
    count = base = 0
    pending = False
    for entry in history:
        if entry.empty_layer:
            pending = pending or _COMMAND.match(entry.created_by) is not None
            continue
        if pending:
            base, pending = count, False
        count += 1
    return base


def _leading(steps: Sequence[HistoryEntry], layers: int) -> int:
    """Layers at the start that a tool made in one go, or the one that holds an imported root file system."""
    if not steps:
        return 0
    tool = _TOOL.match(steps[0].created_by)
    if tool:
        same = next((i for i, step in enumerate(steps) if not step.created_by.startswith(tool.group())), len(steps))
        return same if same < layers else 0
    first = steps[0]
    imported = not first.created_by and bool(first.comment)
    return int(imported or _ROOT_FILE_SYSTEM.match(first.created_by) is not None)
