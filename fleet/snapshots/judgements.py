"""What rules and recipes said of an image, as rows."""

from __future__ import annotations

from collections.abc import Iterable

from fleet.analysis import findings as facts
from fleet.analysis.redaction import redact
from fleet.dockerfile.ladder import Offer, recommended
from fleet.dockerfile.suggestion import Obstacle
from fleet.models import Analysis, Finding, Image, Service, Suggestion
from fleet.snapshots.text import storable


def store_analysis(image: Image, analysis: facts.Analysis) -> None:
    """The analysis of an image in place of the one before, findings and all."""
    reclaimable = analysis.reclaimable
    row, _ = Analysis.objects.update_or_create(
        image=image,
        defaults={
            "ruleset": analysis.ruleset,
            "runtime": analysis.runtime.name,
            "runtime_version": storable(analysis.runtime.version, 50),
            "runtime_evidence": storable(analysis.runtime.evidence, 255),
            "base_layers": analysis.base.layers,
            "base_source": analysis.base.source,
            "base_name": storable(analysis.base.name, 500),
            "reclaimable_unpacked_bytes": reclaimable.unpacked_bytes,
            "reclaimable_compressed_bytes": reclaimable.compressed_bytes,
            "observations": [_observation(observation) for observation in analysis.observations],
            "packages": [
                {
                    "ecosystem": package.ecosystem,
                    "name": storable(package.name),
                    "version": storable(package.version),
                    "bytes": package.unpacked_bytes,
                }
                for package in analysis.packages
            ],
        },
    )
    row.findings.all().delete()
    Finding.objects.bulk_create(_finding(row, finding, analysis.layers) for finding in analysis.findings)


def _observation(observation: facts.Observation) -> dict[str, str | None]:
    return {
        "name": observation.name,
        "severity": observation.severity,
        "title": observation.title,
        "detail": storable(observation.detail),
        "advice": observation.advice,
        "on": observation.on.isoformat() if observation.on else None,
    }


def _finding(row: Analysis, finding: facts.Finding, layers: tuple[facts.LayerFacts, ...]) -> Finding:
    layer = layers[finding.layer]
    return Finding(
        analysis=row,
        rule=finding.rule,
        title=storable(finding.title, 200),
        advice=storable(finding.advice),
        unpacked_bytes=finding.sizes.unpacked_bytes,
        compressed_bytes=finding.sizes.compressed_bytes,
        layer=finding.layer,
        created_by=storable(redact(layer.created_by)),
        base=layer.base,
        paths=[storable(path) for path in finding.paths],
        path_count=finding.path_count,
    )


def store_offers(service: Service, image: Image, made: Iterable[Offer]) -> None:
    """One row a mode and tier, kept under its key so that a link to a Dockerfile stays good; others go."""
    made = tuple(made)
    best = recommended(made)
    for offer in made:
        Suggestion.objects.update_or_create(
            service=service,
            mode=offer.mode,
            tier=offer.tier,
            defaults={**_columns(offer), "image": image, "recommended": offer is best},
        )
    kept = {(offer.mode, offer.tier) for offer in made}
    for row in service.suggestions.all():
        if (row.mode, row.tier) not in kept:
            row.delete()


def _columns(offer: Offer) -> dict[str, object]:
    if isinstance(offer, Obstacle):
        return {**_NOTHING, "obstacle": storable(offer.reason)}
    return {
        "dockerfile": storable(offer.dockerfile),
        "obstacle": "",
        "base_reference": storable(offer.base.reference, 500),
        "base_digest": offer.base.digest or "",
        "base_source": offer.base.source,
        "base_unpacked_bytes": offer.base.sizes.unpacked_bytes,
        "base_compressed_bytes": offer.base.sizes.compressed_bytes,
        "before_unpacked_bytes": offer.before.unpacked_bytes,
        "before_compressed_bytes": offer.before.compressed_bytes,
        "after_unpacked_bytes": offer.after.unpacked_bytes,
        "after_compressed_bytes": offer.after.compressed_bytes,
        "gates": [{"name": gate.name, "passed": gate.passed, "detail": storable(gate.detail)} for gate in offer.gates],
        "reasons": [storable(reason) for reason in offer.reasons],
        "notes": [storable(note) for note in offer.notes],
        "usable": offer.usable,
        "risk": storable(offer.risk),
        "buildkit_dockerfile": storable(offer.buildkit),
        "components": offer.component_counts or {},
    }


_NOTHING: dict[str, object] = {
    "dockerfile": "",
    "base_reference": "",
    "base_digest": "",
    "base_source": "",
    "base_unpacked_bytes": None,
    "base_compressed_bytes": None,
    "before_unpacked_bytes": None,
    "before_compressed_bytes": None,
    "after_unpacked_bytes": None,
    "after_compressed_bytes": None,
    "gates": [],
    "reasons": [],
    "notes": [],
    "usable": False,
    "risk": "",
    "buildkit_dockerfile": "",
    "components": {},
}
