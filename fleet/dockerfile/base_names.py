"""Names of bases: as people write them, as a mirror serves them, and the registries that they lead to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from fleet.dockerfile.parse import InvalidDockerfile, parse_dockerfile
from fleet.oci.errors import InvalidReference
from fleet.oci.origin import registry_origins
from fleet.oci.reference import DOCKER_HUB, Reference


def hosts_in(dockerfile: str) -> frozenset[str]:
    """The registries that a Dockerfile's stages start from; none for what is no Dockerfile."""
    try:
        return hosts_of(stage.base for stage in parse_dockerfile(dockerfile).stages)
    except InvalidDockerfile:
        return frozenset()


def hosts_of(names: Iterable[str]) -> frozenset[str]:
    hosts: set[str] = set()
    for name in names:
        with suppress(InvalidReference):
            hosts.add(host_of(Reference.parse(name)))
    return frozenset(hosts)


def host_of(reference: Reference) -> str:
    """A reference's registry as its client names it, however it is spelt. Raises InvalidReference."""
    name, _ = registry_origins(reference.registry, plain_http=True)
    return name


def mirrored(name: str, mirrors: Mapping[str, str]) -> str:
    """A name as the mirror that serves it says it; longer prefixes win. ``python:3.11`` is ``docker.io/library/…``."""
    full = str(Reference.parse(name))
    for prefix, place in mirrors.items():
        if full.startswith(f"{prefix}/"):
            return f"{place}{full[len(prefix) :]}"
    return full


def short_name(reference: Reference) -> str:
    """A reference with its tag as people write it in FROM: Docker Hub's own names stay short."""
    name = reference.name
    if reference.registry == DOCKER_HUB:
        name = reference.repository.removeprefix("library/")
    return f"{name}:{reference.tag}" if reference.tag else name


def parse_mirrors(lines: Iterable[str]) -> Mapping[str, str]:
    """``docker.io/library=mirror.example:5000/hub`` lines as a mapping. Raises InvalidReference for what is neither."""
    mirrors: dict[str, str] = {}
    for line in lines:
        if not line.strip():
            continue
        prefix, equals, place = (part.strip().rstrip("/") for part in line.strip().partition("="))
        if not equals or not prefix or not place or any(char.isspace() for char in prefix + place):
            raise InvalidReference(
                f"{line.strip()[:100]!r} is no mirror. Write docker.io/library=registry.example.com/prefix."
            )
        Reference.parse(f"{place}/name")
        mirrors[prefix] = place
    return dict(sorted(mirrors.items(), key=lambda item: -len(item[0])))
