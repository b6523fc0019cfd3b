"""An engine and a registry to build, push, run and weigh images with. Every image is named after the registry, so that
all of ours are found and removed again."""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from fleet.image.entries import LayerIndex
from fleet.image.loading import LoadedImage, load_image
from fleet.image.sizes import Sizes
from fleet.oci.manifest import Descriptor
from fleet.oci.platform import Platform
from fleet.oci.reference import Reference
from fleet.oci.sources import Source, open_location
from tests.applications.application import Application
from tests.servers import DebianRegistry

PLATFORM = Platform("linux", "amd64")
SECONDS_TO_START = 120
SECONDS_TO_END = 60
# What the classic builder says when what it found in its cache was removed by somebody else before it took it.
_CACHE_FAULT = "unable to find image"
_STEP = re.compile(r"^ ---> ([0-9a-f]{12})$", re.MULTILINE)


class DoesNotWork(Exception):
    """A build that failed or a container that does not do its work; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What is seen from outside: (status, body) of each path that was asked for, or code and output of what ended, or
    what it said. ``uid`` is the user of its first process, None where it had ended."""

    answers: tuple[tuple[int, str], ...]
    uid: int | None


@dataclass
class Workshop:
    """``directory`` is kept as long as the registry's storage."""

    engine: docker.DockerClient
    registry: DebianRegistry
    directory: Path
    _layers: dict[str, LayerIndex] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def _steps(self) -> Path:
        """What the builds left without a name, an ID a line."""
        return self.directory / "steps"

    def name(self, reference: str) -> str:
        return f"{self.registry.host}/{reference}"

    def has(self, reference: str) -> bool:
        """Whether a reference is at hand: in the engine, and pushed."""
        try:
            self.engine.images.get(self.name(reference))
            self.registry.manifest(*reference.rsplit(":", 1))
        except (docker.errors.ImageNotFound, urllib.error.HTTPError):
            return False
        return True

    def build(self, reference: str, dockerfile: str, context: Path | None = None, network: str = "host") -> str:
        """Returns the image's ID. Without a context there is none but the Dockerfile. Raises DoesNotWork."""
        options: dict[str, Any] = {"tag": reference, "network_mode": network, "rm": True, "forcerm": True}
        with tempfile.TemporaryDirectory(prefix="plimsoll-app-") as name:
            if context is None:
                options["fileobj"] = io.BytesIO(dockerfile.encode())
            else:
                beside = Path(name, "Dockerfile")
                beside.write_text(dockerfile)
                options |= {"path": str(context), "dockerfile": str(beside)}
            try:
                log = self._follow(options)
            except DoesNotWork as error:
                if _CACHE_FAULT not in str(error):
                    raise
                log = self._follow(options | ({"fileobj": io.BytesIO(dockerfile.encode())} if context is None else {}))
        with self._lock, self._steps.open("a") as steps:
            steps.writelines(f"{step}\n" for step in _STEP.findall(log))
        return str(self.engine.images.get(reference).id)

    def _follow(self, options: dict[str, Any]) -> str:
        log: list[str] = []
        try:
            for line in self.engine.api.build(decode=True, **options):
                log.append(str(line.get("stream", line.get("error", ""))))
                if "error" in line:
                    raise DoesNotWork("".join(log)[-4000:])
        except docker.errors.APIError as error:
            raise DoesNotWork(str(error)) from error
        return "".join(log)

    def tag(self, reference: str, other: str) -> None:
        self.engine.images.get(self.name(reference)).tag(self.name(other))

    def push(self, reference: str) -> None:
        for line in self.engine.images.push(reference, stream=True, decode=True):
            if "error" in line:
                raise DoesNotWork(f"push of {reference}: {line['error']}")

    def load(self, reference: str) -> LoadedImage:
        """As the product reads it from the registry; layers that were read before are not read again."""
        source, target = open_location(Reference.parse(reference), plain_http=True)
        with contextlib.closing(source):
            return self.load_from(source, target)

    def load_from(self, source: Source, target: str, platform: Platform = PLATFORM) -> LoadedImage:
        image = load_image(source, target, platform, known=self._known)
        self._layers.update({layer.digest: layer for layer in image.layers})
        return image

    def _known(self, layer: Descriptor) -> LayerIndex | None:
        return self._layers.get(layer.digest)

    def weigh(self, reference: str) -> Sizes:
        """What the engine and the registry say, asked without any of our own code. It must be pushed."""
        repository, _, tag = reference.removeprefix(f"{self.registry.host}/").rpartition(":")
        size = self.engine.images.get(reference).attrs["Size"]
        return Sizes(size, self.registry.compressed_bytes(repository, tag))

    def behaviour(self, application: Application, reference: str) -> Behaviour:
        """Run it as restricted as the application bears it, and look at it from outside. Raises DoesNotWork."""
        options: dict[str, Any] = {"environment": dict(application.env), "detach": True}
        if "no capabilities" in application.bears:
            options |= {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}
        if "read-only" in application.bears:
            options |= {"read_only": True, "tmpfs": {"/tmp": ""}}
        try:
            container = self.engine.containers.run(reference, list(application.arguments) or None, **options)
        except docker.errors.DockerException as error:
            raise DoesNotWork(f"It cannot be started: {error}") from error
        try:
            return _observe(application, container)
        finally:
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True, v=True)

    def forget(self, reference: str) -> None:
        with contextlib.suppress(docker.errors.DockerException):
            self.engine.images.remove(reference, force=True)

    def forget_all(self) -> None:
        """Remove every image that is named after the registry, and what the builds left without a name."""
        for image in self.engine.images.list():
            for tag in image.tags:
                if tag.startswith(f"{self.registry.host}/"):
                    self.forget(tag)
        steps = self._steps.read_text().split() if self._steps.exists() else []
        for step in reversed(dict.fromkeys(steps)):
            with contextlib.suppress(docker.errors.DockerException):
                self.engine.api.remove_image(step)


def _observe(application: Application, container: Container) -> Behaviour:
    if application.port:
        answers = tuple(_ask(application, container, path) for path in application.paths)
        return Behaviour(answers, _uid(container))
    if application.says:
        said = _wait_for_words(application, container)
        return Behaviour(((0, said),), _uid(container))
    code = int(container.wait(timeout=SECONDS_TO_END)["StatusCode"])
    output = container.logs().decode(errors="replace")
    if code != application.code:
        raise DoesNotWork(f"It ended with {code}, not {application.code}: {output[-3000:]}")
    return Behaviour(((code, output),), None)


def _ask(application: Application, container: Container, path: str) -> tuple[int, str]:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        container.reload()
        if container.status == "exited":
            raise DoesNotWork(f"It ended instead of serving {path}: {container.logs().decode()[-3000:]}")
        address = container.attrs["NetworkSettings"]["IPAddress"]
        try:
            with urllib.request.urlopen(f"http://{address}:{application.port}{path}", timeout=10) as answer:
                return int(answer.status), answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            # What stands in front may be up before what it asks.
            if error.code not in (502, 503, 504) or time.monotonic() > deadline:
                return error.code, error.read().decode(errors="replace")
        except OSError as error:
            if time.monotonic() > deadline:
                raise DoesNotWork(f"No answer for {path}: {error}: {container.logs().decode()[-3000:]}") from error
        time.sleep(0.1)


def _wait_for_words(application: Application, container: Container) -> str:
    deadline = time.monotonic() + SECONDS_TO_START
    words = re.compile(application.says)
    while True:
        container.reload()
        log = container.logs().decode(errors="replace")
        if container.status == "exited" or time.monotonic() > deadline:
            raise DoesNotWork(f"It is {container.status} and has not said {application.says!r}: {log[-3000:]}")
        if found := words.search(log):
            return found[0]
        time.sleep(0.1)


def _uid(container: Container) -> int | None:
    processes = container.top(ps_args="-o pid,uid")
    column = processes["Titles"].index("UID")
    return int(processes["Processes"][0][column])


@contextlib.contextmanager
def closing_engine(url: str | None = None) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=url, timeout=900) if url else docker.from_env(timeout=900)
    try:
        client.ping()
        yield client
    finally:
        client.close()
