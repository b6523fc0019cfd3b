"""Whether a service's new image is what a suggestion promised.

1. The new image follows another one, and is neither known from before nor built before it: a rollback is no adoption.
2. Its sizes fell by at least half of what a usable suggestion for the image before promised.
3. Of several such suggestions the one with the best evidence counts, then the one nearest to the real fall.

It is a conclusion, and the row says what it rests on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from django.db.models import Q

from fleet.dockerfile.adoption import fell_as_promised, matches
from fleet.dockerfile.wording import megabytes
from fleet.image.sizes import Sizes
from fleet.models import Adoption, Image, ImageLayer, Service, Snapshot, Suggestion, bodies_of
from fleet.snapshots.images import fill_unpacked

# Builds that can be repeated to the bit carry a date of long ago.
FIRST_CREDIBLE_YEAR = 2000


class Evidence(IntEnum):
    SIZES = 0
    BASE = 1
    DOCKERFILE = 2


@dataclass(frozen=True, slots=True)
class _Candidate:
    suggestion: Suggestion
    evidence: Evidence
    sentence: str
    distance_bytes: int

    def order(self) -> tuple[int, int]:
        return -self.evidence, self.distance_bytes


def note_adoption(service: Service, newest: Snapshot, attested: str | None = None) -> None:
    """Write an adoption where the newest snapshot shows one. To be called before the suggestions for the image before
    are replaced, and without effect when it is called again. ``attested`` is the Dockerfile of the new image's
    provenance."""
    # The row says it, whatever the object was read when.
    stored = Snapshot.objects.filter(pk__in=Service.objects.filter(pk=service.pk).values("snapshot"))
    before = stored.select_related("image").defer(*bodies_of("image")).first()
    if before is None or before.image_id == newest.image_id:
        return
    offers = list(service.suggestions.filter(image=before.image_id, usable=True).exclude(dockerfile=""))
    if not offers or _is_rollback(service, before, newest):
        return
    fill_unpacked(service.pk)
    after = Image.objects.bodiless().get(pk=newest.image_id)
    unpacked = _unpacked_fall(before.image, after)
    fall = Sizes(unpacked or 0, before.image.compressed_bytes - after.compressed_bytes)
    likely = [offer for offer in offers if fell_as_promised(fall, _promise(offer, unpacked=unpacked is not None))]
    if likely:
        stacks = _stack(before.image_id), _stack(after.pk)
        chosen = min((_candidate(service, offer, stacks, fall, attested) for offer in likely), key=_Candidate.order)
        _store(service, before.image, newest, chosen, fall.compressed_bytes, unpacked)


def fill_adoptions(service_id: int) -> None:
    """Give what an adoption saved unpacked to those that were noted before every layer was read."""
    unfilled = Adoption.objects.filter(service_id=service_id, real_unpacked_bytes__isnull=True)
    sizes = "from_image__unpacked_bytes", "to_image__unpacked_bytes"
    for pk, before, after in unfilled.values_list("pk", *sizes):
        if before is not None and after is not None:
            Adoption.objects.filter(pk=pk).update(real_unpacked_bytes=before - after)


def _is_rollback(service: Service, before: Snapshot, newest: Snapshot) -> bool:
    if Snapshot.objects.filter(service=service, image=newest.image_id, pk__lt=before.pk).exists():
        return True
    built, built_before = newest.image.created_at, before.image.created_at
    return bool(built and built_before and built.year >= FIRST_CREDIBLE_YEAR and built < built_before)


def _unpacked_fall(before: Image, after: Image) -> int | None:
    """None where not every layer was read: then the compressed size alone has to tell."""
    if before.unpacked_bytes is None or after.unpacked_bytes is None:
        return None
    return before.unpacked_bytes - after.unpacked_bytes


def _promise(offer: Suggestion, *, unpacked: bool) -> Sizes:
    return Sizes(offer.savings_unpacked_bytes if unpacked else 0, offer.savings_compressed_bytes)


def _candidate(
    service: Service,
    offer: Suggestion,
    stacks: tuple[Sequence[int], Sequence[int]],
    real: Sizes,
    attested: str | None,
) -> _Candidate:
    fell = (
        f"The size fell by {megabytes(real.compressed_bytes)} compressed, of "
        f"{megabytes(offer.savings_compressed_bytes)} promised."
    )
    evidence = Evidence.SIZES
    if attested and matches(attested, offer.dockerfile):
        evidence, fell = Evidence.DOCKERFILE, f"{fell} The image's provenance says it was built with this Dockerfile."
    elif matches(service.dockerfile, offer.dockerfile):
        evidence, fell = Evidence.DOCKERFILE, f"{fell} The team's own Dockerfile is the suggested one."
    elif _starts_anew(offer, *stacks):
        evidence, fell = Evidence.BASE, f"{fell} The new image starts from the suggested base, {offer.base_reference}."
    distance_bytes = abs(real.compressed_bytes - offer.savings_compressed_bytes)
    return _Candidate(offer, evidence, fell, distance_bytes)


def _starts_anew(offer: Suggestion, old: Sequence[int], new: Sequence[int]) -> bool:
    """Whether the new image, and not the old one, starts with the layers of the suggested base."""
    if not offer.base_digest:
        return False
    named = Q(digest=offer.base_digest) | Q(base_names__head_digest=offer.base_digest)
    keys = Image.objects.filter(named).order_by("pk").values_list("pk", flat=True).distinct()
    bases = [base for base in map(_stack, keys) if base]
    return any(new[: len(base)] == base and old[: len(base)] != base for base in bases)


def _stack(image: int) -> list[int]:
    """The layers of an image in their order."""
    return list(ImageLayer.objects.filter(image=image).order_by("position").values_list("layer_id", flat=True))


def _store(
    service: Service,
    before: Image,
    newest: Snapshot,
    chosen: _Candidate,
    compressed_bytes: int,
    unpacked_bytes: int | None,
) -> None:
    offer = chosen.suggestion
    Adoption.objects.get_or_create(
        service=service,
        to_image_id=newest.image_id,
        defaults={
            "from_image": before,
            "mode": offer.mode,
            "tier": offer.tier,
            "dockerfile": offer.dockerfile,
            "dockerfile_sha256": sha256(offer.dockerfile.encode()).hexdigest(),
            "promised_compressed_bytes": offer.savings_compressed_bytes,
            "promised_unpacked_bytes": offer.savings_unpacked_bytes,
            "real_compressed_bytes": compressed_bytes,
            "real_unpacked_bytes": unpacked_bytes,
            "evidence": chosen.sentence,
            "adopted_at": newest.seen_at,
        },
    )
