"""Step 5 of a service: from the layers of its newest image to findings and suggestions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import lru_cache, partial

from django.utils import timezone

from fleet.analysis.analyse import RULESET, analyse
from fleet.analysis.findings import Analysis
from fleet.analysis.ownership import find_base
from fleet.analysis.redaction import redact
from fleet.dockerfile.base_rules import BaseRules
from fleet.dockerfile.bases import Bases, DockerfileBases, Opener, RegistryBases, parse_mirrors, unpinned_notes
from fleet.dockerfile.catalog import end_of_life_note
from fleet.dockerfile.ladder import Offer, climb
from fleet.dockerfile.lint import linted
from fleet.dockerfile.parse import InvalidDockerfile
from fleet.dockerfile.suggest import suggest
from fleet.dockerfile.suggestion import Mode, NothingToSuggest, Obstacle, Tier
from fleet.image.loading import LoadedImage, ResolvedImage, assemble, resolve_image
from fleet.models import Image, Registry, Service
from fleet.oci.errors import InvalidReference, RegistryError
from fleet.oci.manifest import Platform
from fleet.oci.origin import registry_origins
from fleet.oci.provenance import Provenance, find_provenance, read_provenance
from fleet.oci.sources import Source
from fleet.scanning.bases import base_rules, keep_base, known_bases
from fleet.scanning.connection import connect
from fleet.scanning.lanes import beat
from fleet.scanning.layers import LayerReader, stored_layer
from fleet.snapshots import Judgement, SeenTag, restore, store_images, store_layers

FROM_PROVENANCE = "It starts from the Dockerfile that the image's provenance says it was built with."


def is_judged(service: Service, image: Image | ResolvedImage) -> bool:
    """Whether the present rules had their say on this image, and the service its suggestions."""
    if not isinstance(image, Image):
        return False
    return service.suggestions.filter(image=image, image__analysis__ruleset=RULESET).exists()


def weigh(image: Image | ResolvedImage, reader: LayerReader) -> LoadedImage:
    """An image with all its layers, of which only the unknown are read. Raises RegistryError."""
    resolved = restore(image) if isinstance(image, Image) else image
    store_layers([resolved])
    layers = resolved.manifest.layers
    indexes = reader.read(layers)
    return assemble(reader.source.name, resolved, tuple(indexes[layer.digest] for layer in layers))


def attested(seen: SeenTag, image: LoadedImage, source: Source) -> LoadedImage:
    """The image with its provenance, which is asked for once: an empty one where there is none. Raises RegistryError
    for what may pass."""
    row = seen.image if isinstance(seen.image, Image) else None
    if row is not None and row.provenance is not None:
        return replace(image, provenance=Provenance.restore(row.provenance))
    index = None if isinstance(seen.image, Image) else seen.image.index
    if index is not None:
        found = read_provenance(source, index, image.descriptor)
    else:
        found = find_provenance(source, seen.head_digest, image.descriptor.digest)
    return replace(image, provenance=found or Provenance())


def recall(image: Image, name: str) -> LoadedImage | None:
    """A stored image without asking anybody; None unless every layer of it is known."""
    resolved = restore(image)
    indexes = [stored_layer(layer) for layer in resolved.manifest.layers]
    known = tuple(index for index in indexes if index is not None)
    if len(known) < len(indexes):
        return None
    provenance = None if image.provenance is None else Provenance.restore(image.provenance)
    return replace(assemble(name, resolved, known), provenance=provenance)


def judge(service: Service, image: LoadedImage, bases: Bases | None = None) -> Judgement:
    """The rules' word on an image, and a suggestion or the reason why there is none for each rung of its ladder.
    ``bases`` are asked for what a Dockerfile may start from, by default those of the service's registry."""
    analysis = analyse(image, known_bases(service, image))
    offers = climb(partial(_offer, service, image, analysis, bases or bases_of(service))).rungs
    # What was read for the suggestions may be the very base of this image, the first of the fleet that is built on it.
    known = known_bases(service, image)
    if find_base(image, known) != analysis.base:
        analysis = analyse(image, known)
    return Judgement(image, analysis, offers)


def bases_of(service: Service) -> Bases:
    """Where the service's Dockerfile may start from. What registries said of bases holds for an hour, for every
    service of the same registry in this process; hosts that the team named are asked for this service alone."""
    registry = service.registry
    settings = tuple(getattr(registry, name) for name in _SETTINGS)
    hour = int(time.monotonic() // 3600)
    return DockerfileBases(registry_bases(registry, settings, service.platform, hour, base_rules()), service.dockerfile)


# What decides how bases are asked for: when an admin changes one, they are asked for anew.
_SETTINGS = (
    "kind", "url", "plain_http", "base_mirrors", "login", "username", "secret", "ca_certificate", "client_certificate",
    "client_key", "requests_per_minute",
)  # fmt: skip


@lru_cache(maxsize=8)
def registry_bases(
    registry: Registry, settings: tuple[object, ...], platform: str, hour: int, rules: BaseRules
) -> RegistryBases:
    """What was asked of bases in this hour, by this process."""
    return RegistryBases(
        parse_mirrors(registry.base_mirrors.splitlines()),
        platform=Platform.parse(platform),
        plain_http=registry.plain_http,
        load=load_base,
        keep=keep_base,
        openers=_openers(registry),
        beat=beat,
        rules=rules,
        unreachable=_unreachable(hour),
    )


@lru_cache(maxsize=1)
def _unreachable(hour: int) -> set[str]:
    """The catalog's hosts that could not be reached in this hour: the same for every registry."""
    return set()


def _openers(registry: Registry) -> Mapping[str, Opener]:
    """The registry's own host, whose bases are read as its services are."""
    if registry.kind != Registry.Kind.DISTRIBUTION:
        return {}

    @contextmanager
    def opened(repository: str) -> Iterator[Source]:
        with closing(connect(registry)) as endpoint, closing(endpoint.source(repository)) as source:
            yield source

    try:
        name, _ = registry_origins(registry.url, plain_http=True)
    except InvalidReference:
        return {}
    return {name: opened}


def load_base(source: Source, digest: str, platform: Platform) -> LoadedImage:
    """A base's layers are read once for the fleet too; services that are built on it share some. The image is stored,
    so that these know what came with it."""
    resolved = resolve_image(source, digest, platform)
    image = weigh(resolved, LayerReader(source, beat))
    store_images([resolved], {image.descriptor.digest: image})
    return image


def _offer(service: Service, image: LoadedImage, analysis: Analysis, bases: Bases, mode: Mode, tier: Tier) -> Offer:
    """What can be offered on a rung; a base that gets no more updates is named as such."""
    offer = _make(service, image, analysis, bases, mode, tier)
    if isinstance(offer, Obstacle):
        return offer
    offer = linted(offer)
    note = end_of_life_note(offer.base.reference, timezone.localdate())
    return offer if not note else replace(offer, notes=(*offer.notes, note))


def _make(service: Service, image: LoadedImage, analysis: Analysis, bases: Bases, mode: Mode, tier: Tier) -> Offer:
    """From the team's own Dockerfile; without one from what the builder attested, where that can be used."""
    make = partial(suggest, image, analysis, mode=mode, tier=tier, bases=bases)
    try:
        if not service.dockerfile and (built := _attested_dockerfile(image)):
            with suppress(NothingToSuggest, InvalidDockerfile):
                offer = make(dockerfile=built)
                notes = (*offer.notes, FROM_PROVENANCE, *unpinned_notes(bases))
                return replace(offer, notes=notes) if mode == "rebuild" else offer
        offer = make(dockerfile=service.dockerfile or None)
        return replace(offer, notes=(*offer.notes, *unpinned_notes(bases))) if service.dockerfile else offer
    except (NothingToSuggest, InvalidDockerfile, RegistryError) as obstacle:
        return Obstacle(mode, tier, str(obstacle))


def _attested_dockerfile(image: LoadedImage) -> str | None:
    """The Dockerfile that the builder attested. One that holds what must not be shown is no use."""
    text = image.provenance.dockerfile if image.provenance else None
    if not text or any(redact(line) != line for line in text.replace("\t", " ").splitlines()):
        return None
    return text
