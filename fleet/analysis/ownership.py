"""Which layers came with the base image, how that is known, and which build step made which layer.

The surest word comes first: what the builder attested; else an image that the fleet knows and whose layers are the
first of this one's, told by their ChainID, which is that of the contents and not of how a push compressed them; else
an estimate from history.

History has one entry a step, and steps without content are marked ``empty_layer``. Not every builder keeps to that:
buildah marks steps with content as empty, buildpacks leave entries blank. Where the count does not fit the layers,
nothing is paired. Spec: https://github.com/opencontainers/image-spec/blob/main/config.md (history, ChainID), and
annotations.md for the labels that name a base.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fleet.analysis.redaction import escape_controls
from fleet.image.loading import LoadedImage
from fleet.oci.manifest import HistoryEntry

# What ends a base: no Dockerfile of ours sets a command and adds files after it.
_COMMAND = re.compile(r"^(?:/bin/sh -c #\(nop\)\s{1,5})?(?:CMD|ENTRYPOINT)\b")
# How the makers of distributions' root file systems, and tools without Dockerfile, write their steps.
_ROOT_FILE_SYSTEM = re.compile(
    r"^# debian\.sh |^(?:/bin/sh -c #\(nop\)\s{1,5})?ADD .{1,500} (?:in )?/(?: # buildkit)?\s*$"
)
_TOOL = re.compile(r"^(bazel build|apko)\b")


_NAME_LABEL = "org.opencontainers.image.base.name"
_LONGEST_NAME = 500

BaseSource = Literal["attested", "known", "history", ""]
# How the layers of a base are known, for people.
KNOWN_BY: Mapping[str, str] = {
    "attested": "as its builder attested",
    "known": "known by its layers",
    "history": "estimated from the history",
}


@dataclass(frozen=True, slots=True)
class Base:
    """``layers`` is how many of the first layers came with the base, always less than all; 0 where nothing tells.
    ``source`` is how the count is known, ``name`` what the base is called where the builder, a label or the fleet says
    so."""

    layers: int = 0
    source: BaseSource = ""
    name: str = ""


NO_BASE = Base()


def chain_ids(diff_ids: Sequence[str]) -> tuple[str, ...]:
    """The ChainID of the first layer, of the first two, and so on: equal where the layers below hold the same."""
    chains: list[str] = []
    for diff_id in diff_ids:
        if chains:
            diff_id = f"sha256:{hashlib.sha256(f'{chains[-1]} {diff_id}'.encode()).hexdigest()}"
        chains.append(diff_id)
    return tuple(chains)


def find_base(image: LoadedImage, known: Mapping[str, str]) -> Base:
    """``known`` are the names of images that the fleet knows, by the ChainID of all their layers."""
    layers = len(image.manifest.layers)
    labelled = next(_names(image), "")
    if layers < 2:
        return Base(name=labelled)
    if image.provenance and (attested := image.provenance.base_layer_count(image.manifest)):
        return Base(attested, "attested", labelled)
    chains = chain_ids(image.config.diff_ids[: layers - 1])
    for count in range(len(chains), 0, -1):
        if chains[count - 1] in known:
            return Base(count, "known", labelled or known[chains[count - 1]])
    estimated = _estimated(image, layers)
    return Base(estimated, "history" if estimated else "", labelled)


def _names(image: LoadedImage) -> Iterator[str]:
    """What the builder says that the base is called: by label, by annotation, or attested."""
    named = (image.config.labels.get(_NAME_LABEL, ""), image.manifest.annotations.get(_NAME_LABEL, ""))
    # Of several attested bases the one of the last stage is not told from those of others.
    attested = [name for name, _ in image.provenance.base_digests] if image.provenance else []
    for name in (*named, *(attested if len(attested) == 1 else ())):
        if name:
            yield escape_controls(name[:_LONGEST_NAME])


def layer_steps(history: Sequence[HistoryEntry], layers: int) -> tuple[HistoryEntry, ...] | None:
    """The history entry of each layer in order, or None where history does not fit the layers."""
    steps = tuple(entry for entry in history if not entry.empty_layer)
    return steps if len(steps) == layers else None


def base_layer_count(image: LoadedImage) -> int:
    """How many of the first layers came with the base, by what the image alone tells."""
    return find_base(image, {}).layers


def _estimated(image: LoadedImage, layers: int) -> int:
    """From history: the base ends at the last CMD or ENTRYPOINT that steps with content follow; without one it is the
    first layer where that is a root file system or an import."""
    history = image.config.history
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
