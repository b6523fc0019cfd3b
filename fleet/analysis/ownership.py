"""Which layers came with the base image, how that is known, and which build step made which layer.

The surest word comes first: what the builder attested; else the longest stack of layers that the fleet knows as an
image and that this one begins with, told by its ChainID, which is that of the contents and not of how a push compressed
them; else an estimate from history. A name goes with known layers only where a digest says that it means them: a label
is inherited, so that it often names the base of the base.

History has one entry a step, and steps without content are marked ``empty_layer``. Not every builder keeps to that:
buildah marks steps with content as empty, buildpacks leave entries blank. Where the count does not fit the layers,
nothing is paired. Spec: https://github.com/opencontainers/image-spec/blob/main/config.md (history, ChainID), and
annotations.md for the labels that name a base.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
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

_NAME_KEY = "org.opencontainers.image.base.name"
_DIGEST_KEY = "org.opencontainers.image.base.digest"
_LONGEST_NAME = 500

BaseSource = Literal["attested", "known", "shared", "label", "history", ""]
# How the layers of a base are known, for people.
KNOWN_BY: Mapping[str, str] = {
    "attested": "as its builder attested",
    "known": "known by its layers",
    "shared": "an image of another service, known by its layers",
    "label": "known by the digest that the image names",
    "history": "estimated from the history",
}


@dataclass(frozen=True, slots=True)
class KnownBase:
    """An image of the fleet as the base of another. ``source`` says why it is one: ``known``, Dockerfiles begin with
    its ``name``; ``shared``, another service ships it; ``label``, the other image names it by digest. ``digests`` are
    those by which the other image names it."""

    name: str
    source: Literal["known", "shared", "label"]
    digests: frozenset[str] = frozenset()


# By the ChainID of all its layers.
KnownBases = Mapping[str, KnownBase]


@dataclass(frozen=True, slots=True)
class Base:
    """``layers`` is how many of the first layers came with the base, always less than all; 0 where nothing tells.
    ``source`` is how the count is known, ``name`` what the base is called where the builder, a label or the fleet says
    so."""

    layers: int = 0
    source: BaseSource = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class SaidBase:
    """What an image says of its base, or its builder of one of several; either may be empty. Spec:
    https://github.com/opencontainers/image-spec/blob/main/annotations.md"""

    name: str
    digest: str


NO_BASE = Base()


def chain_ids(diff_ids: Sequence[str]) -> tuple[str, ...]:
    """The ChainID of the first layer, of the first two, and so on: equal where the layers below hold the same."""
    chains: list[str] = []
    for diff_id in diff_ids:
        if chains:
            diff_id = f"sha256:{hashlib.sha256(f'{chains[-1]} {diff_id}'.encode()).hexdigest()}"
        chains.append(diff_id)
    return tuple(chains)


def find_base(image: LoadedImage, known: KnownBases) -> Base:
    """``known`` are the images of the fleet that this one may be built on."""
    layers = len(image.manifest.layers)
    named = _own_name(image)
    if layers < 2:
        return Base(name=named)
    chains = chain_ids(image.config.diff_ids[: layers - 1])
    if image.provenance and (attested := image.provenance.base_layer_count(image.manifest)):
        found = known.get(chains[attested - 1]) if attested <= len(chains) else None
        return Base(attested, "attested", _name_of(found, image) if found else named)
    for count in range(len(chains), 0, -1):
        if found := known.get(chains[count - 1]):
            return Base(count, found.source, _name_of(found, image))
    estimated = _estimated(image, layers)
    return Base(estimated, "history" if estimated else "", named)


def said_bases(image: LoadedImage) -> tuple[SaidBase, ...]:
    """What is said of an image's base, the surest first: by an annotation, by its builder, by a label. Names are fit to
    show; digests may be anything."""
    said = [SaidBase(image.manifest.annotations.get(_NAME_KEY, ""), image.manifest.annotations.get(_DIGEST_KEY, ""))]
    said += (SaidBase(name, digest) for name, digest in (image.provenance.base_digests if image.provenance else ()))
    said.append(SaidBase(image.config.labels.get(_NAME_KEY, ""), image.config.labels.get(_DIGEST_KEY, "")))
    return tuple(SaidBase(escape_controls(each.name[:_LONGEST_NAME]), each.digest) for each in said)


def _own_name(image: LoadedImage) -> str:
    """What the base is called by all that is said of it. Of several attested bases the one of the last stage is not
    told from those of others."""
    annotated, *attested, labelled = said_bases(image)
    said = (annotated, *(attested if len(attested) == 1 else ()), labelled)
    return next((each.name for each in said if each.name), "")


def _name_of(base: KnownBase, image: LoadedImage) -> str:
    """As the image calls it, where its digest says that it means this one; else as the fleet does."""
    return next((said.name for said in said_bases(image) if said.name and said.digest in base.digests), base.name)


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
