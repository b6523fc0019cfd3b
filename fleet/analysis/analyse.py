"""One image, all facts: the entry point of this package."""

from __future__ import annotations

from fleet.analysis.claims import find_all
from fleet.analysis.findings import Analysis, LayerFacts
from fleet.analysis.observations import View, observe
from fleet.analysis.ownership import KnownBases, find_base, layer_steps
from fleet.analysis.redaction import redact
from fleet.analysis.rules import RULES
from fleet.analysis.rules.rule import survey
from fleet.analysis.runtime import detect_runtime
from fleet.image.loading import LoadedImage
from fleet.image.packages import read_packages

# One higher whenever a rule finds something else in the same image: stored analyses are then made anew.
RULESET = 5


def analyse(image: LoadedImage, known_bases: KnownBases | None = None) -> Analysis:
    """All that there is to say of an image, from what was indexed; nothing is read again. ``known_bases`` are the
    images of the fleet that it may be built on."""
    packages = read_packages(image.tree)
    base = find_base(image, known_bases or {})
    runtime = detect_runtime(image, packages)
    surveyed = survey(image.tree, image.config, packages)
    return Analysis(
        ruleset=RULESET,
        runtime=runtime,
        layers=_layer_facts(image, base.layers),
        packages=packages,
        findings=find_all(surveyed, RULES, base.layers),
        base=base,
        observations=observe(View(image, surveyed, runtime)),
    )


def _layer_facts(image: LoadedImage, base_layers: int) -> tuple[LayerFacts, ...]:
    steps = layer_steps(image.config.history, len(image.layers))
    return tuple(
        LayerFacts(
            digest=layer.digest,
            diff_id=layer.diff_id,
            media_type=layer.media_type,
            sizes=layer.sizes,
            entries=len(layer.entries),
            created_by=redact(steps[position].created_by or steps[position].comment) if steps else "",
            base=position < base_layers,
        )
        for position, layer in enumerate(image.layers)
    )
