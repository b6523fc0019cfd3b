"""Nothing of a verification stays on the engine: everything it makes carries a label, and is found by that."""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from docker import DockerClient
from docker.errors import APIError

from fleet.oci.errors import RegistryError
from fleet.verification.engine import Engine

log = logging.getLogger(__name__)

LABEL = "plimsoll.verification"
ENDS_LABEL = "plimsoll.verification.ends"
REPOSITORY = "plimsoll-verification"
WITH_TAG = "-tag"
"""How the name ends of an image that was pulled by a tag, which came with it."""
# An engine that is busy may refuse at first.
_TRIES = 3
_PAUSE_SECONDS = 0.5
# Clocks of workers differ a little.
_GRACE_SECONDS = 300
_TAG = re.compile(rf"{REPOSITORY}:[0-9a-f]{{12}}-(\d{{1,12}})-[a-z0-9-]{{1,40}}")


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells one verification's things from another's. ``ends`` is when it must be over, seconds since 1970: what
    is older belongs to a worker that died."""

    key: str
    ends: int

    @classmethod
    def fresh(cls, seconds: float) -> Mark:
        return cls(secrets.token_hex(6), int(time.time() + seconds))

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.key, ENDS_LABEL: str(self.ends)}

    @property
    def filters(self) -> dict[str, str]:
        return {"label": f"{LABEL}={self.key}"}

    def name(self, part: str) -> str:
        """A name for an image of this verification."""
        return f"{REPOSITORY}:{self.key}-{self.ends}-{part}"


def clean(engine: Engine, mark: Mark) -> None:
    """Remove everything that a verification made or pulled, containers first. What resists is logged, and swept before
    the next one."""
    _remove(engine, lambda labels: labels.get(LABEL) == mark.key, mark.key)


def remove_containers(engine: Engine, mark: Mark) -> None:
    """Those of a verification alone, also of build steps that are under way."""
    with contextlib.suppress(RegistryError):
        for item in engine.ask(lambda client: client.api.containers(all=True, filters=mark.filters)):
            _gone(engine, partial(_remove_container, item["Id"]))


def sweep(engine: Engine) -> None:
    """Remove what verifications left whose worker died."""
    now = time.time() - _GRACE_SECONDS

    def is_over(labels: dict[str, str]) -> bool:
        ends = labels.get(ENDS_LABEL, "")
        return LABEL in labels and ends.isascii() and ends.isdigit() and int(ends[:12]) < now

    _remove(engine, is_over, None)


def _remove(engine: Engine, ours: Callable[[dict[str, str]], bool], key: str | None) -> None:
    for _ in range(_TRIES):
        try:
            failed = _remove_once(engine, ours, key)
        except RegistryError as error:
            log.warning("Could not clean up after a verification: %s", error)
            return
        if not failed:
            return
        time.sleep(_PAUSE_SECONDS)
    log.warning("The engine kept what a verification made: %s", ", ".join(failed))


def _remove_once(engine: Engine, ours: Callable[[dict[str, str]], bool], key: str | None) -> list[str]:
    """What could not be removed."""
    labelled = {"label": LABEL}
    containers = engine.ask(lambda client: client.api.containers(all=True, filters=labelled))
    failed = [
        item["Id"]
        for item in containers
        if ours(item.get("Labels") or {}) and not _gone(engine, partial(_remove_container, item["Id"]))
    ]
    images = engine.ask(lambda client: client.api.images(all=True, filters=labelled))
    for item in images:
        if ours(item.get("Labels") or {}):
            names = [tag for tag in item.get("RepoTags") or () if "<none>" not in tag] or [item["Id"]]
            failed += [name for name in names if not _gone(engine, partial(_remove_image, name))]
    for name in _pulled(engine, key):
        failed += [] if _gone(engine, partial(_remove_pulled, name)) else [name]
    return failed


def _pulled(engine: Engine, key: str | None) -> Iterable[str]:
    """Names that mark images as pulled for a verification: of one, or of all that are over."""
    now = time.time() - _GRACE_SECONDS
    for item in engine.ask(lambda client: client.api.images(name=REPOSITORY)):
        for tag in item.get("RepoTags") or ():
            match = _TAG.fullmatch(tag)
            if match and (tag.startswith(f"{REPOSITORY}:{key}-") if key else int(match[1]) < now):
                yield tag


def _remove_container(key: str, client: DockerClient) -> None:
    client.api.remove_container(key, v=True, force=True)


def _remove_image(name: str, client: DockerClient) -> None:
    client.api.remove_image(name, force=True)


def _remove_pulled(name: str, client: DockerClient) -> None:
    """The mark, and the digest or tag by which the image was pulled. What others named meanwhile they keep."""
    found: dict[str, Any] = client.api.inspect_image(name)
    others = [tag for tag in found.get("RepoTags") or () if not tag.startswith(f"{REPOSITORY}:")]
    if len(others) <= int(name.endswith(WITH_TAG)):
        for each in (*others, *(found.get("RepoDigests") or ())):
            with contextlib.suppress(APIError):
                client.api.remove_image(each)
    with contextlib.suppress(APIError):
        client.api.remove_image(name)


def _gone(engine: Engine, remove: Callable[[DockerClient], None]) -> bool:
    try:
        engine.ask(remove)
    except RegistryError as error:
        return getattr(error, "status", None) == 404
    return True
