"""Two images of which only manifests and configs are known, as of old tags: their layers, compressed, compared by
digest, by what they inflate to, and by the build step that made them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from fleet.analysis.growth.by_files import CONFIG
from fleet.analysis.growth.causes import Change, Growth, LayerChange
from fleet.analysis.growth.explaining import explain
from fleet.analysis.growth.hierarchy import Hierarchy
from fleet.analysis.growth.labels import step_text
from fleet.analysis.ownership import layer_steps
from fleet.image.loading import LoadedImage
from fleet.image.sizes import Sizes
from fleet.oci.manifest import ImageConfig, Manifest
from fleet.oci.media_types import is_foreign_layer


class Described(Protocol):
    """An image of which the manifest and config are known, read or not."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def config(self) -> ImageConfig: ...


def grow_by_layers(before: Described, after: Described) -> Growth:
    """What a pull moves more, layer by layer; the causes add up to the byte. Unpacked bytes are unknown, and 0."""
    hierarchy = Hierarchy()
    above = hierarchy.add(hierarchy.root, "layer", "")
    for layer in layer_changes(before, after):
        change: Change = "added" if layer.before_bytes is None else "changed"
        change = "removed" if layer.after_bytes is None else change
        hierarchy.add_change(above, "layer", layer.step, 0, layer.delta_bytes, change)
    configs = after.manifest.config.size_bytes - before.manifest.config.size_bytes
    hierarchy.add_change(hierarchy.root, "rest", CONFIG, 0, configs)
    delta = Sizes(0, after.manifest.compressed_bytes - before.manifest.compressed_bytes)
    return Growth(delta, explain(hierarchy))


def layer_changes(before: Described, after: Described) -> tuple[LayerChange, ...]:
    """The layers of both images and what a pull moves of each: those of ``after`` in order, each with the one that it
    replaced, then those that are gone. Foreign layers weigh nothing: a pull moves them from elsewhere."""
    old, new = _layers(before), _layers(after)
    replaced = _pair(old, new)
    changes = [_change(replaced.get(layer.position), layer) for layer in new]
    kept = {layer.position for layer in replaced.values()}
    return tuple(changes) + tuple(_change(layer, None) for layer in old if layer.position not in kept)


@dataclass(frozen=True, slots=True)
class _Layer:
    """``step`` is what the builder wrote, in full: it tells layers apart and is not for people."""

    position: int
    digest: str
    diff_id: str
    step: str
    compressed_bytes: int

    @property
    def label(self) -> str:
        return step_text(self.step) if self.step else f"Layer {self.position}"


def _layers(image: Described) -> list[_Layer]:
    layers = image.manifest.layers
    steps = layer_steps(image.config.history, len(layers))
    diff_ids = image.config.diff_ids if len(image.config.diff_ids) == len(layers) else ("",) * len(layers)
    sizes = _compressed_sizes(image)
    return [
        _Layer(
            position=at,
            digest=layer.digest,
            diff_id=diff_ids[at],
            step=(steps[at].created_by or steps[at].comment) if steps else "",
            compressed_bytes=sizes[at],
        )
        for at, layer in enumerate(layers)
    ]


def _compressed_sizes(image: Described) -> list[int]:
    """What a pull moves of each layer. Where a source keeps plain layers only those who read them can estimate it."""
    if isinstance(image, LoadedImage) and image.compressed_estimated:
        return [layer.compressed_bytes for layer in image.layers]
    return [0 if is_foreign_layer(layer.media_type) else layer.size_bytes for layer in image.manifest.layers]


# Versions, dates, and the checksums that the legacy builder wrote into COPY steps: they change from release to release.
_VARIABLE = re.compile(r"[0-9a-f]{32,64}|\d[\w.+~-]{0,60}")
_KEYS: tuple[Callable[[_Layer], Hashable], ...] = (
    lambda layer: layer.digest,
    lambda layer: layer.diff_id,
    lambda layer: layer.step,
    lambda layer: _VARIABLE.sub("", layer.step),
)


def _pair(old: list[_Layer], new: list[_Layer]) -> dict[int, _Layer]:
    """The layer of ``old`` that each position of ``new`` replaces, the surest likeness first; each is used once."""
    pairs: dict[int, _Layer] = {}
    used: set[int] = set()
    for key in _KEYS:
        waiting: dict[Hashable, list[_Layer]] = defaultdict(list)
        for layer in reversed(old):
            if layer.position not in used and key(layer):
                waiting[key(layer)].append(layer)
        for layer in new:
            if layer.position not in pairs and waiting.get(key(layer)):
                pairs[layer.position] = same = waiting[key(layer)].pop()
                used.add(same.position)
    return pairs


def _change(old: _Layer | None, new: _Layer | None) -> LayerChange:
    shown = new or old
    assert shown is not None
    return LayerChange(
        step=shown.label,
        before_bytes=old.compressed_bytes if old else None,
        after_bytes=new.compressed_bytes if new else None,
        shared=bool(old and new and old.digest == new.digest),
    )
