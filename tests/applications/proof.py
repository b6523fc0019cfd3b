"""One application, proven: built as its team builds it, pushed, read, and every suggestion for it built, run and
weighed against the original."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fleet.analysis.analyse import analyse
from fleet.dockerfile.bases import RegistryBases
from fleet.dockerfile.ladder import ladder
from fleet.dockerfile.suggestion import Obstacle, Suggestion
from fleet.image.loading import LoadedImage
from fleet.image.sizes import Sizes
from tests.applications.application import WORKS, Application
from tests.applications.bases import Shelf, with_host
from tests.applications.workshop import PLATFORM, Behaviour, DoesNotWork, Workshop

UNPACKED_PERCENT = 5.0
COMPRESSED_PERCENT = 10.0
# What every application may be suggested; the distroless ones are made in a second.
ALWAYS = ("debian", "distroless")
_USER = re.compile(r"^USER\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rung:
    """``obstacle`` is why it is not offered (then nothing else is there), ``failure`` what was wrong with it when it
    was built and run. ``built`` is None where it could not be built. ``seconds`` went by until it was built, pushed and
    tried."""

    mode: str
    tier: str
    obstacle: str = ""
    failure: str = ""
    dockerfile: str = ""
    estimated: Sizes | None = None
    built: Sizes | None = None
    seconds: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.mode} {self.tier}"

    @property
    def errors_percent(self) -> tuple[float, float] | None:
        """How far the estimate is off what was built: unpacked and compressed. Too low is negative."""
        if self.estimated is None or self.built is None:
            return None
        estimated, built = self.estimated, self.built
        return (
            100 * (estimated.unpacked_bytes / built.unpacked_bytes - 1),
            100 * (estimated.compressed_bytes / built.compressed_bytes - 1),
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """``original`` is what the team's own image weighs. ``only`` is a regular expression of the rungs that were built:
    nothing is expected of the others."""

    application: Application
    original: Sizes
    rungs: tuple[Rung, ...]
    only: str = ""

    def faults(self) -> Iterator[str]:
        """What is wrong, in sentences: none where all that is offered holds, and all that must be offered is."""
        for rung in self.rungs:
            if rung.failure:
                yield f"{rung.name}: {rung.failure}"
            yield from self._faults_of_sizes(rung)
        named = {rung.name: rung for rung in self.rungs}
        for name, wanted in self.application.rungs.items():
            if not re.search(self.only, name):
                continue
            if name not in named:
                yield f"{name}: it is neither offered nor refused"
            elif wanted == WORKS and named[name].obstacle:
                yield f"{name}: it must be offered, but: {named[name].obstacle}"
            elif wanted != WORKS and not re.search(wanted, named[name].obstacle):
                yield f"{name}: it must be refused for {wanted!r}, but: {named[name].obstacle or 'it is offered'}"

    def _faults_of_sizes(self, rung: Rung) -> Iterator[str]:
        errors = rung.errors_percent
        if errors is None or rung.built is None:
            return
        if abs(errors[0]) > UNPACKED_PERCENT:
            yield f"{rung.name}: the unpacked estimate is {errors[0]:+.1f} % off"
        if abs(errors[1]) > COMPRESSED_PERCENT:
            yield f"{rung.name}: the compressed estimate is {errors[1]:+.1f} % off"
        if rung.built.unpacked_bytes >= self.original.unpacked_bytes:
            yield f"{rung.name}: it is no smaller than the original"


def prove(
    workshop: Workshop, shelf: Shelf, application: Application, *, keep: bool = False, only: str = "", aside: int = 1
) -> Proof:
    """``only`` is a regular expression of rungs to build; ``aside`` is how many are built at a time. Raises DoesNotWork
    when the original does not."""
    reference = build_original(workshop, shelf, application)
    expected = workshop.behaviour(application, reference)
    image = workshop.load(reference)
    offers = [offer for offer in offered(workshop, application, image) if re.search(only, f"{offer.mode} {offer.tier}")]
    with ThreadPoolExecutor(aside) as pool:
        rungs = pool.map(lambda offer: _climb(workshop, application, offer, expected, keep), offers)
        return Proof(application, workshop.weigh(reference), tuple(rungs), only)


def build_original(workshop: Workshop, shelf: Shelf, application: Application) -> str:
    """The reference of the team's own image, built and pushed."""
    shelf.need((*ALWAYS, *application.bases))
    reference = workshop.name(f"team/{application.name}:1")
    workshop.build(reference, with_host(application.dockerfile, workshop.registry.host), application.context)
    workshop.push(reference)
    return reference


def offered(workshop: Workshop, application: Application, image: LoadedImage) -> Sequence[Suggestion | Obstacle]:
    host = workshop.registry.host
    mirrors = {
        "docker.io/library": f"{host}/library",
        "docker.io/nginxinc": f"{host}/nginxinc",
        "gcr.io/distroless": f"{host}/distroless",
    }
    bases = RegistryBases(mirrors, platform=PLATFORM, plain_http=True, load=workshop.load_from)
    return ladder(image, analyse(image), bases=bases, dockerfile=with_host(application.dockerfile, host)).rungs


def _climb(
    workshop: Workshop, application: Application, offer: Suggestion | Obstacle, expected: Behaviour, keep: bool
) -> Rung:
    if isinstance(offer, Obstacle):
        return Rung(offer.mode, offer.tier, obstacle=offer.reason)
    if not offer.usable:
        failed = "; ".join(gate.detail for gate in offer.gates if not gate.passed)
        return Rung(offer.mode, offer.tier, obstacle=failed, dockerfile=offer.dockerfile)
    # Two who try the same application by hand do not take each other's images away.
    reference = workshop.name(f"proof/{application.name}:{offer.mode}-{offer.tier}-{os.getpid()}")
    failure, built = "", None
    began = time.monotonic()
    seconds: list[float] = []
    try:
        if offer.mode == "repack":
            # Made of the published image alone, but for system packages that a final stage installs.
            network = "host" if "apt-get" in offer.dockerfile else "none"
            workshop.build(reference, offer.dockerfile, network=network)
        else:
            workshop.build(reference, offer.dockerfile, application.context)
        seconds.append(time.monotonic() - began)
        workshop.push(reference)
        seconds.append(time.monotonic() - began)
        built = workshop.weigh(reference)
        failure = _difference(offer, expected, workshop.behaviour(application, reference))
        seconds.append(time.monotonic() - began)
    except DoesNotWork as error:
        failure = str(error)
    finally:
        if not keep:
            workshop.forget(reference)
    return Rung(offer.mode, offer.tier, "", failure, offer.dockerfile, offer.after, built, tuple(seconds))


def _difference(suggestion: Suggestion, expected: Behaviour, found: Behaviour) -> str:
    """What is not as it was, in a sentence; empty where nothing is."""
    for before, after in zip(expected.answers, found.answers, strict=True):
        if before != after:
            return (
                f"it answers {after[0]} {after[1][:500]!r} where the original answers {before[0]} {before[1][:500]!r}"
            )
    final = suggestion.dockerfile.rpartition("\nFROM ")[2]
    users = _USER.findall(final)
    if not users or found.uid is None:
        return ""
    user = users[-1].partition(":")[0]
    if user.isdigit() and int(user) != found.uid:
        return f"it runs as uid {found.uid} where the Dockerfile says {user}"
    if user not in ("0", "root") and found.uid == 0:
        return f"it runs as root where the Dockerfile says {user}"
    return ""
