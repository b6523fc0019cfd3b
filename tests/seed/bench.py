"""Where the seed is tried: an engine, a registry, bases. It builds, weighs and asks images, and forgets them again."""

from __future__ import annotations

import contextlib
import io
import os
import posixpath
import re
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from fleet.image.loading import LoadedImage
from fleet.image.sizes import Sizes
from fleet.oci.platform import Platform
from fleet.oci.reference import Reference
from fleet.oci.sources import open_location
from tests.applications.workshop import DoesNotWork, Workshop
from tests.seed.article import PORT

SECONDS_TO_ANSWER = 60
# Who a container runs as that would be root.
SOMEBODY = 65532
_ROOT = re.compile(r"(?:0+|root)?(?::.*)?").fullmatch
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a container answered to GET /. ``uids`` are those of all its processes at that time, as the engine tells
    them; ``user`` is what it was started as, empty where the image said so itself."""

    status: int
    body: str
    uids: tuple[int, ...]
    user: str = ""

    @property
    def shown_uids(self) -> str:
        return ", ".join(map(str, self.uids))


@dataclass
class Bench:
    """``mirror`` is the place of the bases, empty where the published ones are pulled. ``checkout`` is the team's
    working copy. Images are named ``seed/NAME:mark``."""

    workshop: Workshop
    checkout: Path
    mirror: str
    mark: str = field(default_factory=lambda: str(os.getpid()))
    _pulled: list[str] = field(default_factory=list)

    @property
    def official(self) -> bool:
        return not self.mirror

    @property
    def mirrors(self) -> Mapping[str, str]:
        if self.official:
            return {}
        return {
            "docker.io/library": f"{self.mirror}/library",
            "gcr.io/distroless": f"{self.mirror}/distroless",
        }

    def name(self, image: str) -> str:
        return self.workshop.name(f"seed/{image}")

    def shown(self, base: str) -> str:
        """A base's name without the registry that served it here."""
        return base.removeprefix(f"{self.mirror}/") if self.mirror else base

    def build(self, image: str, dockerfile: str, context: Path | None) -> str:
        """The reference. Raises DoesNotWork."""
        for base in _FROM.findall(dockerfile):
            if not base.startswith(f"{self.workshop.registry.host}/") and not self._has(base):
                self._pulled.append(base)
        self.workshop.build(self.name(image), dockerfile, context)
        return self.name(image)

    def load(self, reference: str) -> LoadedImage:
        """As the product reads it from the registry, for the engine's own platform."""
        source, target = open_location(Reference.parse(reference), plain_http=True)
        with contextlib.closing(source):
            architecture = str(self.workshop.engine.version()["Arch"])
            return self.workshop.load_from(source, target, Platform("linux", architecture))

    def weigh(self, reference: str) -> Sizes:
        """As it was pushed: what the engine and the registry say. An engine with containerd's store counts the
        compressed blobs too, so there the layers are unpacked and counted."""
        weighed = self.workshop.weigh(reference)
        if "io.containerd.snapshotter" in str(self.workshop.engine.info().get("DriverStatus")):
            return Sizes(self.load(reference).sizes.unpacked_bytes, weighed.compressed_bytes)
        return weighed

    def forget(self, reference: str) -> None:
        self.workshop.forget(reference)

    def forget_pulled(self) -> None:
        """Remove what the builds pulled from elsewhere and the engine did not have."""
        for base in dict.fromkeys(self._pulled):
            with contextlib.suppress(docker.errors.DockerException):
                self.workshop.engine.images.remove(base)

    def ask(self, reference: str, *, as_is: bool = False) -> Answer:
        """Start it and GET /. Unless it is to run ``as_is``, what would run as root runs as somebody else, who is given
        the directory that it writes to. Raises DoesNotWork with the end of its log, or the engine's words."""
        config = self.workshop.engine.images.get(reference).attrs["Config"]
        user = f"{SOMEBODY}:{SOMEBODY}" if not as_is and _ROOT(config.get("User") or "") else ""
        with self._container(reference, user) as container:
            try:
                if user:
                    _give(container, config["WorkingDir"])
                container.start()
            except docker.errors.APIError as error:
                raise DoesNotWork(f"It cannot be started: {error.explanation or error}") from error
            status, body = _get(container, self._address)
            return Answer(status, body, _uids(container), user)

    @contextlib.contextmanager
    def _container(self, reference: str, user: str) -> Iterator[Container]:
        options: dict[str, Any] = {"user": user} if user else {}
        if not self._has_bridge():
            options["network_mode"] = "host"
        container = self.workshop.engine.containers.create(reference, **options)
        try:
            yield container
        finally:
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True, v=True)

    def _has_bridge(self) -> bool:
        return any(network.name == "bridge" for network in self.workshop.engine.networks.list())

    def _address(self, container: Container) -> str:
        return str(container.attrs["NetworkSettings"]["IPAddress"]) if self._has_bridge() else "127.0.0.1"

    def _has(self, reference: str) -> bool:
        try:
            self.workshop.engine.images.get(reference)
        except (docker.errors.DockerException, ValueError):
            return False
        return True


def _give(container: Container, directory: str) -> None:
    """A directory's owner is changed in this container, as a platform does with what it mounts; nothing below it."""
    entry = tarfile.TarInfo(posixpath.basename(directory))
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    entry.uid = entry.gid = SOMEBODY
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(entry)
    container.put_archive(posixpath.dirname(directory), archive.getvalue())


def _get(container: Container, address_of: Any) -> tuple[int, str]:
    deadline = time.monotonic() + SECONDS_TO_ANSWER
    while True:
        container.reload()
        if container.status == "exited":
            raise DoesNotWork(f"It ended instead of serving: {_log(container)}")
        try:
            with urllib.request.urlopen(f"http://{address_of(container)}:{PORT}/", timeout=10) as answer:
                return int(answer.status), answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError as error:
            if time.monotonic() > deadline:
                raise DoesNotWork(
                    f"No answer within {SECONDS_TO_ANSWER} seconds: {error}: {_log(container)}"
                ) from error
        time.sleep(0.2)


def _log(container: Container) -> str:
    return str(container.logs().decode(errors="replace")[-3000:])


def _uids(container: Container) -> tuple[int, ...]:
    """Of every process in it, each once."""
    listed = container.top(ps_args="-o pid,uid")
    column = listed["Titles"].index("UID")
    return tuple(sorted({int(process[column]) for process in listed["Processes"]}))
