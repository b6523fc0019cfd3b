"""What a service shares with others, and what deleting it or one of its tags would free.

As far as Plimsoll reads the registry: tags that are not read may hold on to the same layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Sum

from fleet.models import ImageLayer, LayerUse, Service, Snapshot

TAGS_SHOWN = 200
NEIGHBOURS_SHOWN = 10
# A layer that more services use is everybody's and tells nothing of who is near whom.
FEW_SERVICES = 200


@dataclass(frozen=True, slots=True)
class TagShare:
    """A tag, what it weighs, and what deleting it alone would free (compressed bytes). ``same`` are other tags of the
    same image, whose deletion would free nothing either while one of them stays."""

    tag: str
    compressed_bytes: int
    freed_bytes: int
    same: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Neighbour:
    service: Service
    shared_bytes: int


@dataclass(frozen=True, slots=True)
class Sharing:
    """``tags`` are those that would free most, first; ``more_tags`` counts the rest. ``uses`` says how many services
    use a layer, by its key, where it is more than this one."""

    tags: list[TagShare]
    more_tags: int
    neighbours: list[Neighbour]
    uses: dict[int, int]


def sharing(service: Service) -> Sharing:
    """Four queries, whatever the number of tags."""
    current = list(Snapshot.objects.filter(service=service.pk).current().only("tag", "image_id", "compressed_bytes"))
    stacks = _stacks({snapshot.image_id for snapshot in current})
    layers = {layer for stack in stacks.values() for layer in stack}
    scope = service.registry.scope_of(service.repository)
    used = LayerUse.objects.filter(registry=service.registry_id, scope=scope, layer__in=layers)
    uses = dict(used.values_list("layer_id", "services"))
    tags = _tags(current, stacks, uses)
    newest = stacks.get(service.snapshot.image_id, {}) if service.snapshot else {}
    return Sharing(tags[:TAGS_SHOWN], len(tags[TAGS_SHOWN:]), _neighbours(service, newest, uses), uses)


def _stacks(images: Iterable[int]) -> dict[int, dict[int, int]]:
    """The layers of each image with their compressed bytes."""
    stacks: dict[int, dict[int, int]] = {image: {} for image in images}
    rows = ImageLayer.objects.filter(image__in=stacks).order_by()
    for image, layer, size_bytes in rows.values_list("image_id", "layer_id", "layer__compressed_bytes"):
        stacks[image][layer] = size_bytes
    return stacks


def _tags(current: Sequence[Snapshot], stacks: dict[int, dict[int, int]], uses: dict[int, int]) -> list[TagShare]:
    holders = Counter(layer for image in stacks for layer in stacks[image])
    by_image: dict[int, list[str]] = {}
    for snapshot in current:
        by_image.setdefault(snapshot.image_id, []).append(snapshot.tag)

    def freed(snapshot: Snapshot) -> int:
        stack = stacks[snapshot.image_id]
        if len(by_image[snapshot.image_id]) > 1:
            return 0
        kept = sum(size for layer, size in stack.items() if holders[layer] > 1 or uses.get(layer, 1) > 1)
        return max(snapshot.compressed_bytes - kept, 0)

    shares = [
        TagShare(
            tag=snapshot.tag,
            compressed_bytes=snapshot.compressed_bytes,
            freed_bytes=freed(snapshot),
            same=tuple(tag for tag in by_image[snapshot.image_id] if tag != snapshot.tag),
        )
        for snapshot in current
    ]
    return sorted(shares, key=lambda share: (-share.freed_bytes, share.tag))


def _neighbours(service: Service, newest: dict[int, int], uses: dict[int, int]) -> list[Neighbour]:
    """The services whose newest image shares most with this one's. Layers that very many use are left out of the
    search: those who share a rarer one share them as well."""
    telling = [layer for layer in newest if 1 < uses.get(layer, 1) <= FEW_SERVICES]
    if not telling:
        return []
    others = Service.objects.filter(
        registry=service.registry_id, gone_at__isnull=True, snapshot__image__imagelayer__layer__in=telling
    ).exclude(pk=service.pk)
    if service.registry.keeps_once != service.registry.Sharing.REGISTRY:
        scope = service.registry.scope_of(service.repository)
        others = others.filter(repository__startswith=f"{scope}/")
    shared = others.annotate(shared=Sum("snapshot__image__imagelayer__layer__compressed_bytes"))
    everybodys = sum(size for layer, size in newest.items() if uses.get(layer, 1) > FEW_SERVICES)
    found = shared.only("pk", "repository", "name").order_by("-shared", "pk")[:NEIGHBOURS_SHOWN]
    return [Neighbour(other, other.shared + everybodys) for other in found]
