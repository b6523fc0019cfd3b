"""Images so small that they are made within a second: one static program that is many, and what a test is about."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker

from fleet.oci.credentials import Credentials
from fleet.verification.cleanup import LABEL, REPOSITORY
from fleet.verification.engine import EngineSettings, Limits
from fleet.verification.probing import Probe
from fleet.verification.verify import Order, Outcome, verify
from fleet.verification.watch import Log, Watch

BUSYBOX = "bin/busybox"
LS = "usr/bin/ls"
SERVE = ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
BRIEF = Limits(
    memory_bytes=60_000_000, pids=32, build_seconds=60, start_seconds=20, stay_seconds=2, whole_seconds=120, cpus=1.0
)


class Images:
    """Images of one test module, gone with it."""

    def __init__(self, engine: docker.DockerClient) -> None:
        self.engine = engine
        self.name = f"plimsoll-tested-{uuid.uuid4().hex[:12]}"

    def add(self, tag: str, files: Mapping[str, bytes], *changes: str) -> str:
        """The reference of an image with these files and the busybox."""
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            for path, body in {BUSYBOX: busybox(), **files}.items():
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(body), 0o755
                tar.addfile(member, io.BytesIO(body))
        self.engine.api.import_image_from_data(content.getvalue(), repository=self.name, tag=tag, changes=list(changes))
        return f"{self.name}:{tag}"

    def remove(self) -> None:
        for image in self.engine.images.list(self.name):
            for tag in image.tags:
                self.engine.images.remove(tag, force=True)


def busybox() -> bytes:
    found = shutil.which("busybox")
    assert found, "busybox-static is installed"
    return Path(found).read_bytes()


def dynamic_program() -> dict[str, bytes]:
    """``ls`` of this machine and the libraries that it needs, by their paths."""
    told = subprocess.run(["ldd", "/bin/ls"], capture_output=True, text=True, check=True).stdout
    paths = re.findall(r"(/\S+) \(0x", told)
    return {LS: Path("/bin/ls").read_bytes(), **{path.lstrip("/"): Path(path).read_bytes() for path in paths}}


def copied(original: str, paths: Sequence[str], *lines: str) -> str:
    """A repack: these paths of the original, on nothing."""
    copies = [f"COPY --from=original /{path} /{path}" for path in paths]
    return "\n".join([f"FROM {original} AS original", "FROM scratch", *copies, *lines]) + "\n"


def command(words: Sequence[str]) -> str:
    return "CMD [" + ", ".join(f'"{word}"' for word in words) + "]"


def shell(script: str) -> str:
    quoted = script.replace("\\", "\\\\").replace('"', '\\"')
    return f'CMD ["/bin/busybox", "sh", "-c", "{quoted}"]'


def scripted(script: str) -> Probe:
    """A probe that runs a script to its end in place of what the image starts."""
    return Probe("command", command=("/bin/busybox", "sh", "-c", script))


def run(
    dockerfile: str,
    original: str,
    probe: Probe | None = None,
    *,
    limits: Limits = BRIEF,
    watch: Watch | None = None,
    **order: Any,
) -> Outcome:
    wanted = Order(dockerfile, original, probe=probe or Probe(), **order)
    return verify(wanted, EngineSettings(limits=limits, build_network="host"), nobody, watch)


def nobody(host: str) -> Credentials | None:
    return None


def left_behind(engine: docker.DockerClient, *keys: str) -> list[str]:
    """Everything of verifications that is still on the engine; of all, unless some are named by their keys."""
    found = []
    for label in [f"{LABEL}={key}" for key in keys] or [LABEL]:
        filters = {"label": label}
        found += [f"container {each['Id']}" for each in engine.api.containers(all=True, filters=filters)]
        found += [f"image {each['Id']}" for each in engine.api.images(all=True, filters=filters)]
        found += [f"network {each['Id']}" for each in engine.api.networks(filters=filters)]
    names = [tag for each in engine.api.images(REPOSITORY) for tag in each["RepoTags"] or ()]
    return found + [f"name {tag}" for tag in names if not keys or any(key in tag for key in keys)]


class Stopping:
    """Raises what it is given once a step begins that is called so, or the first time it is asked after that."""

    def __init__(self, step: str, error: BaseException) -> None:
        self.steps: list[str] = []
        self._step = step
        self._error = error

    def follows(self, log: Log) -> None: ...

    def step(self, sentence: str) -> None:
        self.steps.append(sentence)

    def beat(self) -> None:
        if self.steps[-1].startswith(self._step):
            raise self._error


def engine_client() -> Iterator[docker.DockerClient]:
    client = docker.from_env(timeout=120)
    yield client
    client.close()
