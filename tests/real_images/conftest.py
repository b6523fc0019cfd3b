"""Images that a real engine built of real packages, one after the other: each goes through every test, then it goes."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import docker
import pytest
from docker.models.images import Image

from fleet.image.loading import LoadedImage, load_image
from fleet.oci.client import RegistryClient
from fleet.oci.manifest import Platform
from fleet.oci.sources import EngineSource, RegistrySource
from tests.debian import debian_tarball
from tests.real_images import oddities
from tests.real_images.recipes import RECIPES
from tests.servers import DebianRegistry, debian_registry

PLATFORM = Platform("linux", "amd64")
TAG = "1"


@dataclass(frozen=True, slots=True)
class Built:
    """An image, as the engine keeps it and as we read it: from the engine itself, and from a registry it pushed to."""

    name: str
    engine: docker.DockerClient
    registry: DebianRegistry
    image: Image
    by_engine: LoadedImage
    by_registry: LoadedImage

    @property
    def repository(self) -> str:
        return f"real/{self.name}"

    @property
    def reference(self) -> str:
        return f"{self.registry.host}/{self.repository}:{TAG}"


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env(timeout=600)) as client:
        yield client


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    with debian_registry(tmp_path_factory.mktemp("real-registry")) as registry:
        yield registry


@pytest.fixture(scope="session")
def base(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian, and in its layer what no builder would write."""
    if not shutil.which("debootstrap"):
        pytest.skip("debootstrap is not installed")
    workdir = tmp_path_factory.mktemp("real-base")
    tarball = oddities.added_to(debian_tarball(tmp_path_factory.getbasetemp()), workdir)
    name = "plimsoll-real-base"
    answer = engine.api.import_image_from_file(str(tarball), repository=name, tag=TAG, changes=['CMD ["/bin/bash"]'])
    assert "error" not in answer, answer
    shutil.rmtree(workdir)
    yield f"{name}:{TAG}"
    engine.images.remove(f"{name}:{TAG}", force=True)


@pytest.fixture(scope="session", params=RECIPES)
def built(
    request: pytest.FixtureRequest,
    engine: docker.DockerClient,
    registry: DebianRegistry,
    base: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Built]:
    name = request.param
    context = tmp_path_factory.mktemp(name)
    dockerfile = f"FROM {base}\n{textwrap.dedent(RECIPES[name](context))}"
    (context / "Dockerfile").write_text(dockerfile)
    repository = f"{registry.host}/real/{name}"
    image, _ = engine.images.build(path=str(context), tag=f"{repository}:{TAG}", network_mode="host", rm=True)
    shutil.rmtree(context)
    try:
        engine.images.push(repository, tag=TAG)
        yield Built(name, engine, registry, image, _by_engine(repository), _by_registry(registry, f"real/{name}"))
    finally:
        engine.images.remove(image.id, force=True)


def _by_engine(repository: str) -> LoadedImage:
    with closing(EngineSource(repository)) as source:
        return load_image(source, TAG, PLATFORM)


def _by_registry(registry: DebianRegistry, repository: str) -> LoadedImage:
    client = RegistryClient(registry.host, plain_http=True)
    with closing(RegistrySource(client, repository, owns_client=True)) as source:
        return load_image(source, TAG, PLATFORM)
