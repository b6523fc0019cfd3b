"""What an engine's word means for a service's suggestions: one that failed is offered as usable no more."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from fleet.dockerfile.ladder import Step, best_step
from fleet.models import Analysis, Service, Suggestion, Verification
from fleet.snapshots.columns import savings_columns
from fleet.snapshots.text import storable

GATE = "Verified on an engine"
_PROVEN = (Verification.Status.VERIFIED, Verification.Status.FAILED)
_DETAIL_CHARACTERS = 600


def digest_of(dockerfile: str) -> str:
    """What tells two Dockerfiles apart, in hex."""
    return hashlib.sha256(dockerfile.encode()).hexdigest()


def proofs_of(service: Service, *statuses: str) -> dict[str, Verification]:
    """The newest verification of each suggestion's very text, by ``mode-tier``, without its log and text; of any status
    unless some are named. Two queries."""
    rows = service.suggestions.exclude(dockerfile="").values_list("mode", "tier", "dockerfile")
    texts = {(mode, tier): digest_of(text) for mode, tier, text in rows}
    found = Verification.objects.filter(service=service, dockerfile_sha256__in=set(texts.values()))
    if statuses:
        found = found.filter(status__in=statuses)
    newest: dict[str, Verification] = {}
    for each in found.defer("log", "dockerfile").order_by("queued_at", "pk"):
        if texts.get((each.mode, each.tier)) == each.dockerfile_sha256:
            newest[f"{each.mode}-{each.tier}"] = each
    return newest


@transaction.atomic
def apply_verifications(service: Service) -> bool:
    """Give each suggestion that was verified, or failed to be, its gate, and move the recommendation from one that
    failed to the best that is left; whether anything changed. To be called whenever suggestions or verifications were
    written: doing it twice is doing it once."""
    proofs = proofs_of(service, *_PROVEN)
    rows = list(service.suggestions.select_for_update().exclude(dockerfile=""))
    changed = [row for row in rows if _judge(row, proofs.get(f"{row.mode}-{row.tier}"))]
    if changed:
        changed += [row for row in _recommend(rows) if row not in changed]
    for row in changed:
        row.save(update_fields=["gates", "usable", "recommended"])
    if changed:
        _rank(service)
    return bool(changed)


def _judge(row: Suggestion, proof: Verification | None) -> bool:
    """Whether its gates changed."""
    gates = [gate for gate in row.gates if gate.get("name") != GATE]
    if proof is not None:
        gates.append(_gate(proof))
    if gates == row.gates:
        return False
    row.gates, row.usable = gates, all(gate.get("passed") for gate in gates)
    return True


def _gate(proof: Verification) -> dict[str, Any]:
    passed = proof.status == Verification.Status.VERIFIED
    sentences = " ".join(str(reason) for reason in proof.reasons) or "It was built and run."
    return {"name": GATE, "passed": passed, "detail": storable(sentences, _DETAIL_CHARACTERS), "cause": proof.cause}


def _recommend(rows: Sequence[Suggestion]) -> list[Suggestion]:
    """Sees to it that what is recommended can be used, and that something is where anything can; the rows that
    changed."""
    fallen = [row for row in rows if row.recommended and not row.usable]
    for row in fallen:
        row.recommended = False
    useful = [row for row in rows if row.usable and row.savings_compressed_bytes > 0]
    steps = [Step(row.tier, row.savings_compressed_bytes, row.before_compressed_bytes or 0) for row in useful]
    best = best_step(steps)
    if any(row.recommended for row in rows) or best is None:
        return fallen
    useful[best].recommended = True
    return [*fallen, useful[best]]


def _rank(service: Service) -> None:
    """What the service could save, by the suggestion that is recommended now."""
    fresh = Service.objects.select_related("snapshot").get(pk=service.pk)
    if fresh.snapshot is None or fresh.compressed_bytes is None:
        return
    analysis = Analysis.objects.filter(image_id=fresh.snapshot.image_id).first()
    Service.objects.filter(pk=service.pk).update(**savings_columns(fresh, fresh.snapshot, analysis))
