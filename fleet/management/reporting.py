"""Analyses and suggestions as JSON. The keys are stable: programs read them."""

from __future__ import annotations

import json
from typing import Any

from fleet.analysis.findings import Analysis
from fleet.dockerfile.suggestion import Suggestion
from fleet.image.loading import LoadedImage
from fleet.image.sizes import Sizes


def analysis_as_json(reference: str, image: LoadedImage, analysis: Analysis) -> str:
    """``findings[].layer`` is the position in ``layers``, from 0; dates are ISO 8601; sizes are bytes."""
    created = image.config.created
    return _dump(
        {
            "reference": reference,
            "digest": image.descriptor.digest,
            "platform": str(image.config.platform),
            "created": created.isoformat() if created else None,
            **_sizes(image.sizes),
            "compressed_estimated": image.compressed_estimated,
            "layers": _layers(analysis),
            "runtime": {
                "name": analysis.runtime.name,
                "version": analysis.runtime.version,
                "evidence": analysis.runtime.evidence,
            },
            "base": {
                "layers": analysis.base.layers,
                "source": analysis.base.source,
                "name": analysis.base.name,
            },
            "packages": [
                {
                    "ecosystem": package.ecosystem,
                    "name": package.name,
                    "version": package.version,
                    "bytes": package.unpacked_bytes,
                }
                for package in analysis.packages
            ],
            "findings": _findings(analysis),
            "observations": [
                {
                    "name": observation.name,
                    "severity": observation.severity,
                    "title": observation.title,
                    "detail": observation.detail,
                    "advice": observation.advice,
                    "on": observation.on.isoformat() if observation.on else None,
                }
                for observation in analysis.observations
            ],
            "reclaimable": _sizes(analysis.reclaimable),
            "ruleset": analysis.ruleset,
        }
    )


def suggestion_as_json(image: LoadedImage, suggestion: Suggestion) -> str:
    """``before`` is measured, ``after`` and ``savings`` are estimates. ``base.digest`` is null when the base's sizes
    come from the table, whose date ``base.as_of`` tells."""
    base = suggestion.base
    return _dump(
        {
            "digest": image.descriptor.digest,
            "mode": suggestion.mode,
            "tier": suggestion.tier,
            "dockerfile": suggestion.dockerfile,
            "base": {
                "reference": base.reference,
                "digest": base.digest,
                **_sizes(base.sizes),
                "source": base.source,
                "as_of": base.as_of,
            },
            "before": _sizes(suggestion.before),
            "after": _sizes(suggestion.after),
            "savings": _sizes(suggestion.savings),
            "usable": suggestion.usable,
            "gates": [{"name": gate.name, "passed": gate.passed, "detail": gate.detail} for gate in suggestion.gates],
            "reasons": list(suggestion.reasons),
            "notes": list(suggestion.notes),
            "risk": suggestion.risk,
            "buildkit_dockerfile": suggestion.buildkit,
            "components": suggestion.component_counts,
        }
    )


def _layers(analysis: Analysis) -> list[dict[str, Any]]:
    return [
        {
            "digest": layer.digest,
            "diff_id": layer.diff_id,
            "media_type": layer.media_type,
            **_sizes(layer.sizes),
            "entries": layer.entries,
            "created_by": layer.created_by,
            "base": layer.base,
        }
        for layer in analysis.layers
    ]


def _findings(analysis: Analysis) -> list[dict[str, Any]]:
    return [
        {
            "rule": finding.rule,
            "title": finding.title,
            "advice": finding.advice,
            **_sizes(finding.sizes),
            "layer": finding.layer,
            "paths": list(finding.paths),
            "path_count": finding.path_count,
        }
        for finding in analysis.findings
    ]


def _sizes(sizes: Sizes) -> dict[str, int]:
    return {"unpacked_bytes": sizes.unpacked_bytes, "compressed_bytes": sizes.compressed_bytes}


def _dump(value: dict[str, Any]) -> str:
    # ASCII: neither control characters nor undecodable bytes of an image reach a terminal.
    return json.dumps(value, indent=2)
