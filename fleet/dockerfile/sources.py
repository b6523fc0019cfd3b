"""What a rebuild starts from: the team's own Dockerfile, or the outline of one from the image's history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fleet.dockerfile.build_stage import last_base
from fleet.dockerfile.faults import find_faults
from fleet.dockerfile.history import outline_from
from fleet.dockerfile.page import explain
from fleet.dockerfile.parse import Dockerfile, parse_dockerfile
from fleet.dockerfile.request import Request
from fleet.dockerfile.run_settings import ROOT_USERS
from fleet.dockerfile.suggestion import Gate, NothingToSuggest
from fleet.oci.manifest import ImageConfig

SOURCES = "sources are known"
_USER = re.compile(r"^\s*USER\s", re.MULTILINE | re.IGNORECASE)
# How the official images call what their environment states.
_OFFICIAL = {
    "NODE_VERSION": "node:{}", "RUBY_VERSION": "ruby:{}", "PHP_VERSION": "php:{}", "GOLANG_VERSION": "golang:{}",
    "RUST_VERSION": "rust:{}", "NGINX_VERSION": "nginx:{}", "PYTHON_VERSION": "python:{}",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """The Dockerfile to start from. ``guesses`` are what had to be guessed in an outline; None says that the team gave
    it. ``minor`` is the Python that its FROM names, empty where it does not tell."""

    dockerfile: Dockerfile
    minor: str = ""
    guesses: tuple[str, ...] | None = None


def source_of(request: Request) -> Source:
    """The team's own Dockerfile, else an outline. Raises InvalidDockerfile, and NothingToSuggest where neither is
    any use."""
    if request.dockerfile is None:
        base = _outlined_base(request)
        outline = outline_from(request.image, request.base_layers, base)
        return Source(parse_dockerfile(outline.text), guesses=outline.guesses)
    dockerfile = parse_dockerfile(request.dockerfile)
    if dockerfile.escape != "\\":
        raise NothingToSuggest("The Dockerfile escapes with `, as for Windows: there is no recipe for that.")
    return Source(dockerfile)


def _outlined_base(request: Request) -> str:
    """What the image says, or its environment tells, that it was built on."""
    if request.analysis.base.name:
        return request.analysis.base.name
    config = request.image.config
    for variable, pattern in _OFFICIAL.items():
        version = (config.variable(variable) or "").removeprefix("v")
        if version and all(part.isdigit() for part in version.split(".")):
            return pattern.format(version)
    raise NothingToSuggest(
        "Nothing tells what the image was built on, so its history makes no outline: give the team's own Dockerfile."
    )


def become_root(config: ImageConfig, source: Source | None) -> list[str]:
    """What must stand before RUN lines that need root: nothing where neither the image nor a line of the Dockerfile
    names another user."""
    parts = (part for stage in source.dockerfile.stages for part in stage.parts) if source else ()
    is_root = config.user in ROOT_USERS and not _USER.search("".join(part.text for part in parts))
    return [] if is_root else ["USER 0"]


def outline_head(source: Source) -> str:
    """The comment that an outline begins with; empty for a team's own Dockerfile."""
    if source.guesses is None:
        return ""
    text = (
        "An outline from the image's history: base and sources are named by what history kept. Compare it with your "
        "own Dockerfile and adapt it before building."
    )
    return "\n".join(explain(text)) + "\n\n"


def source_gate(source: Source, minor: str = "") -> Gate:
    """Whether the build stage can be relied on. ``minor`` is the Python that the image runs."""
    if source.guesses is not None:
        if source.guesses:
            return Gate(SOURCES, False, " ".join(source.guesses))
        return Gate(SOURCES, True, "History names every source.")
    name = "Dockerfile fits the image"
    if faults := find_faults(source.dockerfile):
        return Gate(name, False, " ".join(fault.sentence for fault in faults))
    if minor and source.minor and source.minor != minor:
        return Gate(name, False, f"The Dockerfile starts from Python {source.minor}, the image runs {minor}.")
    runs = f", which runs Python {minor}" if minor else ""
    return Gate(name, True, f"Nothing in it contradicts the image{runs}.")


def source_notes(source: Source) -> Iterator[str]:
    if source.guesses is None:
        yield "The published image is taken to be built from this Dockerfile."
        return
    yield "This is an outline from the image's history, not your Dockerfile: adapt it before building."
    yield f"Its base is taken to be {last_base(source.dockerfile)}."
    yield from source.guesses
