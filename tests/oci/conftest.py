"""Debian's registry as a real counterpart, and nobody's logins."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.oci.client import RegistryClient
from tests import servers
from tests.fakes.registry import ScriptedRegistry
from tests.oci.content import HASTY, Sample, make_sample
from tests.servers import DebianRegistry

# bcrypt at its lowest cost, as htpasswd writes it.
PASSWORDS = "reader:$2y$04$QQK9GtqnhZlbWI5Nch.tjuLi0j6Fy2knbLWwkHGI/KYD83hdHPziG\n"


@pytest.fixture
def sample() -> Sample:
    return make_sample()


@pytest.fixture
def registry() -> Iterator[ScriptedRegistry]:
    with ScriptedRegistry() as server:
        yield server


@pytest.fixture
def client(registry: ScriptedRegistry) -> Iterator[RegistryClient]:
    client = RegistryClient(registry.url, limits=HASTY)
    yield client
    client.close()


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads the logins of whoever runs it."""
    directory = tmp_path / "docker-config"
    directory.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(directory))
    return directory


@pytest.fixture(scope="session")
def debian_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    _require_docker_registry()
    with servers.debian_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(scope="session")
def locked_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    """The same behind htpasswd: user ``reader``, password ``s3cret``."""
    _require_docker_registry()
    directory = tmp_path_factory.mktemp("locked-registry")
    passwords = directory / "htpasswd"
    passwords.write_text(PASSWORDS)
    settings = f"auth: {{htpasswd: {{realm: test, path: '{passwords}'}}}}\n"
    with servers.debian_registry(directory, settings) as registry:
        yield registry


def _require_docker_registry() -> None:
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed")
