"""What the fleet knows of bases: those that were read for suggestions, images that other services ship, and images that
the one in question names by digest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.db.models import Exists, Max, OuterRef, Q

from fleet import snapshots
from fleet.analysis.ownership import KnownBase, KnownBases, chain_ids, said_bases
from fleet.dockerfile.base_names import mirrored, parse_mirrors, short_name
from fleet.dockerfile.base_rules import SCRATCH, BaseRules
from fleet.dockerfile.catalog import CatalogEntry, entries
from fleet.dockerfile.suggestion import BaseImage as Base
from fleet.image.loading import LoadedImage
from fleet.image.sizes import NOTHING, Sizes
from fleet.models import BaseImage, BaseRule, Image, ImageLayer, Registry, Service, Snapshot
from fleet.models.image import ImageQuerySet
from fleet.oci.reference import Reference

# A base that is built daily without a change has many images of the same layers; the newest tell enough.
_MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class ListedBase:
    """A base of the catalog as this fleet would use it. ``name`` is what FROM would say, before a registry's mirror;
    ``refusal`` is empty where the rules permit it. ``sizes`` and ``seen_at`` are of when it was last read, None where
    it never was."""

    entry: CatalogEntry
    name: str
    refusal: str
    sizes: Sizes | None
    seen_at: datetime | None


def listed_bases(platform: str) -> tuple[ListedBase, ...]:
    """The whole catalog, with the admins' rules and what was read of it so far. Three queries; asks no registry."""
    rules, read = base_rules(), _read_sizes(platform)
    texts = Registry.objects.exclude(base_mirrors="").values_list("base_mirrors", flat=True)
    mirrors = [parse_mirrors(text.splitlines()) for text in texts]
    found: list[ListedBase] = []
    for entry in entries():
        name = rules.mapped(entry.reference)
        places = [short_name(Reference.parse(mirrored(name, each))) for each in ({}, *mirrors)]
        sizes, seen_at = next((read[place] for place in places if place in read), (None, None))
        if entry.reference == SCRATCH:
            sizes = NOTHING
        found.append(ListedBase(entry, name, rules.refusal([(entry.reference,)]), sizes, seen_at))
    return tuple(found)


def _read_sizes(platform: str) -> Mapping[str, tuple[Sizes, datetime]]:
    """Sizes of the bases that were read, the newest of each name."""
    rows = BaseImage.objects.filter(image__platform=platform, image__unpacked_bytes__isnull=False)
    columns = ("name", "image__unpacked_bytes", "image__compressed_bytes", "seen_at")
    ordered = rows.order_by("seen_at", "pk").values_list(*columns)
    return {name: (Sizes(unpacked, compressed), seen) for name, unpacked, compressed, seen in ordered}


def base_rules() -> BaseRules:
    """What admins allow, forbid and map, as of now."""
    return BaseRule.objects.gathered()


def keep_base(base: Base, image: LoadedImage) -> None:
    """Remember a base that was read, so that images built on it are recognised."""
    snapshots.store_base(base.reference, base.digest or "", image.descriptor.digest, image.sizes.unpacked_bytes)


def known_bases(service: Service, image: LoadedImage) -> KnownBases:
    """The images of the fleet that this one may be built on. Three queries, whatever the fleet's size."""
    stacks = _stacks_below(image.config.diff_ids)
    if stacks is None:
        return {}
    said = {each.digest for each in said_bases(image) if each.digest}
    named = dict(_led_to(stacks, said)) if said else {}
    known = {chain: KnownBase("", "label", digests) for chain, digests in named.items()}
    for chain, name in _shipped(stacks, service):
        known[chain] = KnownBase(name, "shared", named.get(chain, frozenset()))
    for chain, name in _built_on(stacks):
        known[chain] = KnownBase(name, "known", named.get(chain, frozenset()))
    return known


def _stacks_below(diff_ids: Sequence[str]) -> ImageQuerySet | None:
    """The images whose layers are the first of these. A config is believed only where the layers themselves were read
    and hold what it says."""
    chains = chain_ids(diff_ids)[:-1]
    if not chains:
        return None
    foreign = ImageLayer.objects.filter(image=OuterRef("pk")).exclude(layer__diff_id__in=diff_ids)
    return Image.objects.filter(~Exists(foreign), chain_id__in=chains)


def _built_on(stacks: ImageQuerySet) -> Iterator[tuple[str, str]]:
    """ChainIDs and names of bases that were read, those that were seen last at the end."""
    rows = BaseImage.objects.filter(image__in=stacks).order_by("-seen_at", "-pk")
    yield from reversed(rows.values_list("image__chain_id", "name")[:_MOST_ROWS])


def _shipped(stacks: ImageQuerySet, service: Service) -> Iterator[tuple[str, str]]:
    """ChainIDs and names of images that other services ship or shipped."""
    others = Snapshot.objects.filter(image__in=stacks).exclude(service=service.pk)
    newest = others.order_by().values("image__chain_id").annotate(newest=Max("pk")).values("newest")
    rows = Snapshot.objects.filter(pk__in=newest).order_by()
    for chain, repository, tag in rows.values_list("image__chain_id", "service__repository", "tag"):
        yield chain, f"{repository}:{tag}"


def _led_to(stacks: ImageQuerySet, said: Collection[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """ChainIDs to which these digests lead, by whatever names them: the image itself, or an index that holds it."""
    leads = Q(digest__in=said) | Q(base_names__head_digest__in=said) | Q(snapshots__head_digest__in=said)
    rows = stacks.filter(leads).values_list("chain_id", "digest", "base_names__head_digest", "snapshots__head_digest")
    found: dict[str, set[str]] = defaultdict(set)
    for chain, *digests in islice(rows.distinct(), _MOST_ROWS):
        found[chain].update(digest for digest in digests if digest in said)
    for chain, led in found.items():
        yield chain, frozenset(led)
