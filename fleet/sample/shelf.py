"""Plans become images. What a layer weighed is remembered, so that a second start composes nothing.

The memory is one JSON file; it holds for this code and is forgotten when any file of ``fleet/sample`` changes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from fleet.sample.build import Layer, Published, build_image, build_layer
from fleet.sample.index import attested
from fleet.sample.plan import Plan, Recipe

Weights = dict[str, tuple[str, str, int, int]]


def publish(
    plans: Mapping[str, Mapping[str, Plan]], memory: Path | None = None, *, threads: int | None = None
) -> dict[str, dict[str, Published]]:
    """Every plan as what its tag will point to, by repository and tag. ``memory`` is the file to remember in."""
    recipes = {recipe.key: recipe for tags in plans.values() for plan in tags.values() for recipe in plan.recipes}
    layers = _layers(recipes, memory, threads or min(4, os.cpu_count() or 1))
    return {repository: {tag: _image(plan, layers) for tag, plan in tags.items()} for repository, tags in plans.items()}


def _image(plan: Plan, layers: Mapping[str, Layer]) -> Published:
    image = build_image(plan.config, [layers[recipe.key] for recipe in plan.recipes], dialect=plan.dialect)
    return attested(image, plan.config.platform) if plan.attested else image


def _layers(recipes: Mapping[str, Recipe], memory: Path | None, threads: int) -> dict[str, Layer]:
    known = _recall(memory)
    new = [key for key in recipes if key not in known]
    with ThreadPoolExecutor(threads) as pool:
        for key, layer in zip(new, pool.map(lambda key: build_layer(recipes[key].files), new), strict=True):
            known[key] = (layer.digest, layer.diff_id, layer.size_bytes, layer.tar_bytes)
    if new and memory is not None:
        _remember(memory, known)
    return {key: Layer(*known[key], recipe.files) for key, recipe in recipes.items()}


def _recall(memory: Path | None) -> Weights:
    if memory is None or not memory.exists():
        return {}
    try:
        stored = json.loads(memory.read_text())
        if stored["edition"] == edition():
            return {key: (row[0], row[1], row[2], row[3]) for key, row in stored["layers"].items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        pass  # Half a file or another's: it is made again.
    return {}


def _remember(memory: Path, known: Weights) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True)
    draft = memory.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps({"edition": edition(), "layers": known}))
    draft.replace(memory)


@cache
def edition() -> str:
    """A hash of the code and tables that the layers come from."""
    state = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".txt"):
            state.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return state.hexdigest()
