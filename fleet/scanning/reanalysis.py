"""Judge the fleet's newest images anew from what is stored, as after a change of the rules: no registry is asked.

The layers' indexes are in the database, bases that were read before too. What FROM pinned for a build stage is taken
from the Dockerfile that was suggested before.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from django.db.models import Q

from fleet import snapshots
from fleet.analysis.analyse import RULESET
from fleet.dockerfile.base_rules import SCRATCH
from fleet.dockerfile.bases import TableBases, base_image, mirrored, parse_mirrors, scratch_base, short_name
from fleet.dockerfile.parse import InvalidDockerfile, parse_dockerfile
from fleet.dockerfile.suggestion import BaseImage as Base
from fleet.models import BaseImage, Registry, Service
from fleet.models.service import ServiceQuerySet
from fleet.oci.errors import InvalidReference, RegistryError
from fleet.oci.manifest import Platform
from fleet.oci.origin import registry_origins
from fleet.oci.reference import Reference
from fleet.scanning.bases import base_rules
from fleet.scanning.comparing import compare_read
from fleet.scanning.judging import judge, recall
from fleet.scanning.lifecycle import DATABASE_GONE

log = logging.getLogger(__name__)

Outcome = Literal["judged", "overtaken", "unread", "failed"]


@dataclass(frozen=True, slots=True)
class Reanalysis:
    """How far it is: ``done`` services of ``total``; ``repository`` is being judged, empty at the end. ``outcomes``
    counts what became of those that are done: ``unread`` have layers whose index is missing or of another version,
    ``overtaken`` were judged by a scan meanwhile."""

    done: int
    total: int
    repository: str
    outcomes: Counter[Outcome]


def due(services: ServiceQuerySet, *, everything: bool = False) -> ServiceQuerySet:
    """Those of the services that have an image on which the present rules had no say yet, or all that have one."""
    judged = Q(snapshot__image__analysis__ruleset=RULESET)
    with_image = services.present().filter(snapshot__isnull=False)
    return with_image if everything else with_image.exclude(judged)


def reanalyse(services: ServiceQuerySet, show: Callable[[Reanalysis], None] = lambda progress: None) -> Reanalysis:
    """Judge each of the services anew, one after the other. What was written is kept when it is interrupted, and the
    next call goes on with the rest."""
    keys = list(services.order_by("pk").values_list("pk", flat=True))
    outcomes: Counter[Outcome] = Counter()
    for done, key in enumerate(keys):
        service = Service.objects.select_related("registry", "snapshot__image").filter(pk=key).first()
        if service is None or service.snapshot is None:
            outcomes["overtaken"] += 1
            continue
        show(Reanalysis(done, len(keys), service.repository, outcomes))
        outcomes[_judge_anew(service)] += 1
    last = Reanalysis(len(keys), len(keys), "", outcomes)
    show(last)
    return last


def _judge_anew(service: Service) -> Outcome:
    """One service that cannot be judged must not hold up the others."""
    assert service.snapshot is not None
    try:
        image = recall(service.snapshot.image, image_name(service))
        if image is None:
            return "unread"
        judgement = judge(service, image, StoredBases(service))
        written = snapshots.write_judgement(service, judgement)
        snapshots.compare_by_layers(service.pk)
        compare_read(service, snapshots.Record(judgement=judgement))
    except DATABASE_GONE:
        raise
    except RegistryError as error:  # what is stored contradicts itself: the next scan reads it anew
        log.warning("%s cannot be judged from what is stored: %s", service.repository, error)
        return "unread"
    except Exception:
        log.exception("Judging %s anew failed", service.repository)
        return "failed"
    return "judged" if written else "overtaken"


def image_name(service: Service) -> str:
    """What FROM says of a service's image, without its tag, as the source that read it called it."""
    registry = service.registry
    if registry.kind != Registry.Kind.DISTRIBUTION:
        return service.repository
    try:
        host, _ = registry_origins(registry.url, plain_http=True)
    except InvalidReference:
        return service.repository
    return f"{host}/{service.repository}"


class StoredBases:
    """Bases as they were when they were last read, else from the dated table. Asks nobody."""

    def __init__(self, service: Service) -> None:
        self._mirrors = parse_mirrors(service.registry.base_mirrors.splitlines())
        self._platform = service.platform
        self._pins = _pins(service)
        self._rules = base_rules()

    def find(self, candidates: Sequence[str]) -> Base | None:
        permitted = [name for name in candidates if self._rules.permits(*self._names(name))]
        for name in permitted:
            if name == SCRATCH:
                return scratch_base(Platform.parse(self._platform))
            if base := self._stored(name):
                return base
        return TableBases(self._rules).find(permitted)

    def refusal(self, candidates: Sequence[str]) -> str:
        return self._rules.refusal(map(self._names, candidates))

    def pin(self, reference: str) -> str | None:
        name = self._name(reference)
        return self._pins.get(name) if name else None

    def _stored(self, candidate: str) -> Base | None:
        name = self._name(candidate)
        rows = BaseImage.objects.filter(name=name, image__platform=self._platform).select_related("image")
        row = rows.order_by("-seen_at", "-pk").first() if name else None
        image = recall(row.image, name) if row and name else None
        return base_image(name, row.head_digest or row.image.digest, image) if row and name and image else None

    def _names(self, candidate: str) -> tuple[str, ...]:
        name = self._name(candidate)
        return (candidate, name) if name else (candidate,)

    def _name(self, reference: str) -> str | None:
        try:
            return short_name(Reference.parse(mirrored(self._rules.mapped(reference), self._mirrors)))
        except InvalidReference:
            return None


def _pins(service: Service) -> dict[str, str]:
    """What the Dockerfiles suggested so far pin: name → name@digest."""
    pins: dict[str, str] = {}
    for text in service.suggestions.exclude(dockerfile="").values_list("dockerfile", flat=True):
        try:
            stages = parse_dockerfile(text).stages
        except InvalidDockerfile:
            continue
        for stage in stages:
            name, at, _ = stage.base.partition("@")
            if at:
                pins[name] = stage.base
    return pins
