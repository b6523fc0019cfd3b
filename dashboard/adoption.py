"""What suggestions bring to the fleet: what was promised and kept, and what the next ones would do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Count, F, Sum
from django.http import HttpRequest

from dashboard.unread import registry_columns
from fleet.dockerfile.benefits import Load, Stack, weigh
from fleet.models import Adoption, BaseImage, Image, ImageLayer, Registry, Service, Suggestion

CHOICES = (5, 10, 25, 50, 100)
DEFAULT = 10
CHUNK = 500
KEPT_SECONDS = 600
# Fewer services are weighed while the page waits.
QUICK_SERVICES = 1000


@dataclass(frozen=True, slots=True)
class Kept:
    """Promises and what came of them, over all adoptions. Compressed bytes."""

    adoptions: int
    promised_bytes: int
    real_bytes: int

    @property
    def percent(self) -> float:
        """How far the real saving is from the promised one."""
        return 100 * (self.real_bytes / self.promised_bytes - 1) if self.promised_bytes else 0.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the newest images of the fleet store and pull ``now`` (measured), and would ``after`` the ``adopted`` best
    suggestions (estimates)."""

    adopted: int
    now: Load
    after: Load

    @property
    def stored_less(self) -> int:
        return self.now.stored_bytes - self.after.stored_bytes

    @property
    def pulled_less(self) -> int:
        return self.now.pulled_bytes - self.after.pulled_bytes


def kept_promises() -> Kept:
    """One query."""
    sums = Adoption.objects.aggregate(
        count=Count("pk"), promised=Sum("promised_compressed_bytes"), real=Sum("real_compressed_bytes")
    )
    return Kept(sums["count"], sums["promised"] or 0, sums["real"] or 0)


def requested_top(request: HttpRequest) -> int:
    """How many suggestions the address asks for; the default for what makes no sense."""
    text = request.GET.get("top", "")
    return min(max(int(text), 1), CHOICES[-1]) if text.isascii() and text.isdigit() and len(text) < 6 else DEFAULT


def known_forecast(top: int, services: int) -> Forecast | None:
    """The forecast where it is at hand; None where it takes longer than a page should."""
    found: Forecast | None = cache.get(_key(top))
    return forecast(top) if found is None and services <= QUICK_SERVICES else found


def forecast(top: int) -> Forecast:
    """Weighed anew, and kept for ten minutes; a number of queries that grows with the fleet by one for 500 services."""
    before = _stacks()
    offers = _best_offers(top)
    bases = _base_layers(offers)
    after = dict(before)
    for offer in offers:
        if offer.service_id in after:
            blobs = _blobs(offer, bases)
            after[offer.service_id] = Stack(after[offer.service_id].scope, blobs, after[offer.service_id].replicas)
    found = Forecast(len(offers), weigh(before.values()), weigh(after.values()))
    cache.set(_key(top), found, KEPT_SECONDS)
    return found


def _key(top: int) -> str:
    return f"dashboard.forecast.{top}"


def _stacks() -> dict[int, Stack]:
    """What each service stores and pulls, by its key."""
    registries = {each.pk: each for each in Registry.objects.defer(*registry_columns(""))}
    present = Service.objects.present().filter(snapshot__isnull=False).order_by("pk")
    rows = list(
        present.values_list("pk", "registry_id", "repository", "weight", "snapshot__image_id", "compressed_bytes")
    )
    layers = _layers({row[4] for row in rows})
    stacks = {}
    for service, registry, repository, replicas, image, size_bytes in rows:
        blobs = dict(layers.get(image, {}))
        # What is no layer: the config, or all of an image whose layers are not stored.
        blobs["image", image] = max((size_bytes or 0) - sum(blobs.values()), 0)
        scope = (registry, registries[registry].scope_of(repository))
        stacks[service] = Stack(scope, blobs, replicas)
    return stacks


def _layers(images: Iterable[int]) -> dict[int, dict[Hashable, int]]:
    """The layers of each image by their key, with their compressed bytes."""
    found: dict[int, dict[Hashable, int]] = defaultdict(dict)
    keys = sorted(images)
    for at in range(0, len(keys), CHUNK):
        rows = ImageLayer.objects.filter(image__in=keys[at : at + CHUNK]).order_by()
        for image, layer, size_bytes in rows.values_list("image_id", "layer_id", "layer__compressed_bytes"):
            found[image][layer] = size_bytes
    return found


def _best_offers(top: int) -> list[Suggestion]:
    """The recommended suggestions of the first services of the ranking, for the images that these have now."""
    offers = Suggestion.objects.filter(
        recommended=True,
        image=F("service__snapshot__image"),
        service__gone_at__isnull=True,
        service__compressed_bytes__isnull=False,
    ).only("service", "base_digest", "base_reference", "base_compressed_bytes", "after_compressed_bytes")
    return list(offers.order_by(F("service__savings_compressed_bytes").desc(nulls_last=True), "service_id")[:top])


def _base_layers(offers: Sequence[Suggestion]) -> dict[str, dict[Hashable, int]]:
    """The layers of the suggested bases that are stored, by the digest that FROM pins."""
    digests = {offer.base_digest for offer in offers if offer.base_digest}
    images = dict(Image.objects.filter(digest__in=digests).values_list("digest", "pk"))
    images |= dict(BaseImage.objects.filter(head_digest__in=digests).values_list("head_digest", "image_id"))
    layers = _layers(set(images.values()))
    return {digest: layers[image] for digest, image in images.items() if layers.get(image)}


def _blobs(offer: Suggestion, bases: Mapping[str, dict[Hashable, int]]) -> dict[Hashable, int]:
    """The suggested image: its base, shared by all that start from it, and what is its own."""
    after_bytes, base_bytes = offer.after_compressed_bytes or 0, offer.base_compressed_bytes or 0
    blobs = dict(bases.get(offer.base_digest, {}))
    if not blobs and base_bytes:
        blobs = {("base", offer.base_digest or offer.base_reference): base_bytes}
    return {**blobs, ("own", offer.pk): max(after_bytes - base_bytes, 0)}
