"""The engine that a verification works on, what it may take of it, and its failures in sentences."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from fleet.oci.credentials import Credentials
from fleet.oci.errors import RegistryError
from fleet.oci.sources.engine_connection import EngineAddress, EngineConnection
from fleet.oci.sources.engine_failures import engine_failure
from fleet.oci.trust import Trust
from fleet.oci.wording import shown
from fleet.verification import relay

_T = TypeVar("_T")
_SAID_CHARACTERS = 500
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a build and a container may take. ``start_seconds`` is how long an image may take to answer,
    ``stay_seconds`` how long one that answers nothing has to run, ``whole_seconds`` the most for all together."""

    memory_bytes: int = 1_000_000_000
    cpus: float = 1.0
    pids: int = 256
    build_seconds: float = 1_800.0
    start_seconds: float = 60.0
    stay_seconds: float = 5.0
    whole_seconds: float = 3_600.0
    context_bytes: int = 1_000_000_000
    scratch_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """``url`` None is what DOCKER_HOST says. ``build_network`` is what RUN lines of a build reach: empty for the
    engine's usual network, ``host`` or ``none``."""

    url: str | None = None
    trust: Trust = field(default_factory=Trust)
    plain_http: bool = False
    limits: Limits = field(default_factory=Limits)
    build_network: str = ""


class Refused(RegistryError):
    """The engine understood and would not. ``said`` are its own words, fit to show."""

    def __init__(self, sentence: str, said: str, status: int) -> None:
        super().__init__(sentence)
        self.said = said
        self.status = status


# A registry's login, by its host as references name it; None where none is known.
Logins = Callable[[str], Credentials | None]


class Engine:
    """A connection to an engine that is open. Every question goes through ``ask``."""

    def __init__(self, settings: EngineSettings, address: EngineAddress, connection: EngineConnection) -> None:
        self.settings = settings
        self.limits = settings.limits
        self._address = address
        self._connection = connection
        self.architecture = ""

    @property
    def client(self) -> docker.DockerClient:
        return self._connection.client

    def ask(self, question: Callable[[docker.DockerClient], _T]) -> _T:
        """What the engine answers. Raises Refused for what it will not do, another RegistryError where it fails."""
        try:
            return question(self.client)
        except APIError as error:
            said = shown(str(error.explanation or error), _SAID_CHARACTERS)
            failure = engine_failure(self._address, error)
            if error.status_code is None or error.status_code in (401, 403):
                raise failure from error
            raise Refused(str(failure), said, error.status_code) from error
        except (DockerException, RequestException, HTTPError, OSError) as error:
            raise self.failure(error) from error

    def failure(self, error: Exception) -> RegistryError:
        tunnel = self._connection.tunnel
        return engine_failure(self._address, error, tunnel.said if tunnel else "")


@contextlib.contextmanager
def connected(settings: EngineSettings) -> Iterator[Engine]:
    """The engine, for the length of a block. Raises RegistryError with a sentence where it cannot be used."""
    address = EngineAddress(settings.url, trust=settings.trust, plain_http=settings.plain_http)
    try:
        connection = EngineConnection(address)
    except (DockerException, RequestException, HTTPError, OSError) as error:
        raise engine_failure(address, error) from error
    with contextlib.closing(connection):
        engine = Engine(settings, address, connection)
        said = engine.ask(lambda client: client.info())
        engine.architecture = _usable(said)
        yield engine


def _usable(said: dict[str, object]) -> str:
    """The architecture as image configs name it. Raises RegistryError for an engine that cannot probe."""
    kind = str(said.get("OSType") or "")
    machine = str(said.get("Architecture") or "")
    architecture = _ARCHITECTURES.get(machine, machine)
    if kind != "linux" or not relay.knows(architecture):
        raise RegistryError(
            f"The Docker Engine runs on {shown(kind)} {shown(machine)}. Verification needs Linux on amd64 or arm64: "
            "name another engine."
        )
    return architecture
