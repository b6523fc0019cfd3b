"""What scripts/seed brings: an engine, a registry and bases, on a machine that may have none of them. Everything that
was started or made ends with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import docker

from fleet.dockerfile.bases import RegistryBases
from fleet.oci.platform import Platform
from scripts.lib import debian
from scripts.lib.processes import Processes, free_port, listens
from scripts.lib.servers import PROGRAMS, Servers, clear_mounts
from scripts.lib.steps import SetupError, step
from tests.applications.bases import MINOR, OF_PYTHON, SUITE, Shelf
from tests.applications.workshop import Workshop, closing_engine
from tests.end_to_end.bases import DEVELOPMENT_PACKAGES
from tests.seed.article import check_out
from tests.seed.bench import Bench
from tests.servers import DebianRegistry

NEEDED = ("dockerd", "iptables", "docker-registry", "debootstrap")
# Where Debian's package is not to be had.
REGISTRY_IMAGE = "registry:2"
OFFICIAL = (f"docker.io/library/python:{MINOR}", f"docker.io/library/python:{MINOR}-slim")
FAMILIES = ("debian", "distroless", "python")
SECONDS_TO_END = 30.0
TRIES = 20


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    """Everything that ``prove`` needs. Raises SetupError, whose message says what is missing."""
    with tempfile.TemporaryDirectory(prefix="plimsoll-seed-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        try:
            with Processes(directory / "log", grace_seconds=SECONDS_TO_END) as processes:
                address = _engine(directory, processes)
                with closing_engine(address) as engine, _registry(engine, directory, processes) as registry:
                    yield from _furnished(Workshop(engine, registry, directory))
        finally:
            clear_mounts(directory)


def _furnished(workshop: Workshop) -> Iterator[Bench]:
    """The bench with its bases, until it is used up."""
    made: Bench | None = None
    try:
        mirror = "" if can_pull(workshop.engine) else workshop.registry.host
        if mirror:
            _make_bases(workshop)
        made = Bench(workshop, check_out(workshop.directory, mirror), mirror)
        yield made
    finally:
        with step("Images removed"):
            forget_all(workshop)
            if made is not None:
                made.forget_pulled()


def forget_all(workshop: Workshop) -> None:
    """Remove all that was built. Whoever else removes images from the same engine meanwhile disturbs its listing."""
    for _ in range(TRIES):
        with contextlib.suppress(docker.errors.NotFound):
            workshop.forget_all()
            return
    print("Some images could not be listed and may be left: see `docker images`.", file=sys.stderr)


def _engine(directory: Path, processes: Processes) -> str | None:
    """The address of one that we started, None for the one that the environment names."""
    servers = Servers(directory, processes)
    missing = [PROGRAMS[program] for program in NEEDED if not shutil.which(program)]
    if missing and debian.may_install():
        with step(f"Debian packages ({', '.join(missing)})"):
            debian.install(missing)
    servers.start_engine()
    if servers.missing:
        raise SetupError(
            f"{' '.join(servers.missing)} Start Docker and see that you may use it (`docker ps`), name one in "
            "DOCKER_HOST, or run this as root where dockerd is installed."
        )
    return servers.env.get("DOCKER_HOST")


@contextlib.contextmanager
def _registry(engine: docker.DockerClient, directory: Path, processes: Processes) -> Iterator[DebianRegistry]:
    port = free_port()
    registry = DebianRegistry(f"127.0.0.1:{port}", directory / "registry.log")
    with step("Registry"):
        container = None
        if program := shutil.which("docker-registry"):
            config = directory / "registry.yml"
            config.write_text(
                "version: 0.1\nlog: {level: warn}\n"
                f"storage: {{filesystem: {{rootdirectory: {directory / 'storage'}}}}}\n"
                f"http: {{addr: '127.0.0.1:{port}'}}\n"
            )
            processes.start("docker-registry", [program, "serve", str(config)])
        else:
            container = _registry_container(engine, port)
        processes.wait_until(lambda: listens(port), "The registry")
    try:
        yield registry
    finally:
        if container is not None:
            container.remove(force=True, v=True)


def _registry_container(engine: docker.DockerClient, port: int) -> docker.models.containers.Container:
    try:
        return engine.containers.run(REGISTRY_IMAGE, detach=True, ports={"5000/tcp": ("127.0.0.1", port)})
    except docker.errors.DockerException as error:
        raise SetupError(
            f"There is no registry to weigh images in: docker-registry is not installed, and {REGISTRY_IMAGE} could "
            f"not be started: {error}. Install Debian's package docker-registry."
        ) from error


def can_pull(engine: docker.DockerClient, references: Sequence[str] = OFFICIAL) -> bool:
    """Whether both we and the engine reach the published bases. Nothing is pulled yet."""
    bases = RegistryBases({}, platform=Platform("linux", str(engine.version()["Arch"])))
    with step("Published bases"):
        try:
            return all(bases.pin(each) and engine.images.get_registry_data(each) for each in references)
        except docker.errors.DockerException:
            return False


def make_bases(workshop: Workshop, families: Sequence[str] = FAMILIES) -> None:
    """Those of the shelf, and on top of its ``python:3.x`` what the published one carries to compile with."""
    Shelf(workshop).need(families)
    if "python" not in families:
        return
    full = workshop.name(f"library/python:{MINOR}")
    install = f"apt-get install -y --no-install-recommends {OF_PYTHON} {DEVELOPMENT_PACKAGES}"
    workshop.build(
        full,
        f'FROM {full}-{SUITE}\nRUN apt-get update && {install} && rm -rf /var/lib/apt/lists/*\nCMD ["python3"]\n',
    )
    workshop.push(full)


def _make_bases(workshop: Workshop) -> None:
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise SetupError(
            "The published bases are out of reach, and only root can make bases here, with debootstrap. Let Docker and "
            "this machine reach Docker Hub, or run this as root on Debian."
        )
    for family in FAMILIES:
        with step(f"Bases made here ({family})"):
            try:
                make_bases(workshop, (family,))
            except Exception as error:
                raise SetupError(f"The bases ({family}) could not be made: {error}") from error
