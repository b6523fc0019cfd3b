"""A suggestion as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard import wording
from dashboard.benefits import components, cost_basis, monthly, pull_time
from fleet.dockerfile.adoption import Figure, summary
from fleet.dockerfile.benefits import Tariff
from fleet.models import Service, Suggestion


def markdown(service: Service, row: Suggestion, tariff: Tariff) -> str:
    """A summary for a pull request."""
    name = service.name or service.repository
    sizes = (
        ("Compressed, what a pull moves", row.before_compressed_bytes, row.after_compressed_bytes),
        ("Unpacked", row.before_unpacked_bytes, row.after_unpacked_bytes),
    )
    figures = [
        Figure(
            title,
            f"{wording.megabytes(now or 0)} (measured)",
            f"{wording.megabytes(after or 0)} (estimate)",
            wording.saving((now or 0) - (after or 0)),
        )
        for title, now, after in sizes
    ]
    pull, cost = pull_time(row, tariff), monthly(row, service.weight, tariff)
    figures.append(Figure(f"Pull at {tariff.bandwidth_mbit} Mbit/s (estimate)", pull.now, pull.after))
    if cost:
        figures.append(Figure("Cost a month (estimate)", cost.now, cost.after, cost.less))
    figures += [Figure(f"{each.name} (estimate)", each.now, each.after, each.less) for each in components(row)]
    base = f"{row.base_reference}{f' at {row.base_digest}' if row.base_digest else ''}" if row.base_reference else ""
    sections = [
        ("Why it is smaller", row.reasons),
        ("Risk", [row.risk] if row.risk else []),
        ("Checked before it was suggested", [_gate(gate) for gate in row.gates]),
        ("Know before you merge", [*row.notes, *([cost_basis(tariff, service.weight)] if cost else [])]),
        ("Base", [base] if base else []),
    ]
    return summary(
        f"A smaller image for {name}: {wording.tier(row.tier).lower()}",
        figures,
        sections,
        row.dockerfile,
        introduction=_introduction(service, row),
    )


def _introduction(service: Service, row: Suggestion) -> str:
    if row.mode == "repack":
        how = "It builds from the published image alone, without source."
    elif service.dockerfile.strip():
        how = "It rewrites the team's own Dockerfile into a build stage and a final stage."
    else:
        how = "It is outlined from the image's history: compare it with the real Dockerfile before use."
    return f"{wording.mode(row.mode)}, suggested by Plimsoll for {row.image.digest}. {how}"


def _gate(gate: Mapping[str, Any]) -> str:
    return f"{'Passed' if gate.get('passed') else 'FAILED'}, {gate.get('name', '')}: {gate.get('detail', '')}"
