"""Containers that can do nothing but run: what they may take is limited, and what they say is read from the start."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from docker import DockerClient
from docker.models.containers import Container
from docker.types import LogConfig, Ulimit
from docker.utils.socket import frames_iter

from fleet.oci.errors import RegistryError
from fleet.verification.cleanup import Mark
from fleet.verification.engine import Engine, Refused

OUTPUT_BYTES = 65_536
_HOST_NAME = "verified"
_FILE_BYTES = 1_000_000_000
_STDOUT = 1
_LISTEN_SECONDS = 2.0
# Where programs expect to write; empty at first, as a new container's are.
_SCRATCH = ("/tmp", "/run")  # noqa: S108
_TMPFS = "rw,nosuid,nodev,exec,mode=1777,size={}"


@dataclass(frozen=True, slots=True)
class Setting:
    """How a container is run: the same for both images. ``command`` replaces what the image starts."""

    read_only: bool
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


class Output:
    """The first bytes of what a container writes, read as it writes them; the rest is nobody's.

    The engine keeps no log: an endless one fills neither its disk nor our memory.
    """

    def __init__(self, stream: Any) -> None:
        self._socket = stream
        self._parts: dict[bool, bytearray] = {True: bytearray(), False: bytearray()}
        self._thread = threading.Thread(target=self._read, name="container-output", daemon=True)
        self._thread.start()

    @property
    def stdout(self) -> bytes:
        return bytes(self._parts[True])

    @property
    def stderr(self) -> bytes:
        return bytes(self._parts[False])

    def wait(self, seconds: float = _LISTEN_SECONDS) -> None:
        """Until all is read of a container that has ended, or enough of one that has not."""
        self._thread.join(seconds)

    def close(self) -> None:
        """Hang up: an engine whose listener neither reads nor leaves cannot remove the container. Closing the file
        alone would leave the connection open, which has other owners."""
        with contextlib.suppress(OSError):
            getattr(self._socket, "_sock", self._socket).shutdown(socket.SHUT_RDWR)

    def _read(self) -> None:
        with contextlib.suppress(Exception):  # the connection ends as the container does, in many ways
            for stream, content in frames_iter(self._socket, tty=False):
                kept = self._parts[stream == _STDOUT]
                kept += content[: OUTPUT_BYTES - len(kept)]
                if len(kept) >= OUTPUT_BYTES:
                    break
        self.close()


class Running:
    """A container that was started, and its output."""

    def __init__(self, engine: Engine, container: Container, output: Output) -> None:
        self.key = str(container.id)
        self.output = output
        self._engine = engine
        self._container = container

    def state(self) -> dict[str, Any]:
        """``Running``, ``ExitCode``, ``OOMKilled``, as the engine has them."""
        self._engine.ask(lambda _: self._container.reload())
        found: dict[str, Any] = self._container.attrs["State"]
        return found

    @property
    def is_running(self) -> bool:
        return bool(self.state()["Running"])


@contextlib.contextmanager
def started(engine: Engine, mark: Mark, image: str, setting: Setting) -> Iterator[Running]:
    """A container of an image, gone at the end of the block. It has no network but its own loopback, no capabilities
    and cannot gain any; memory, processors, processes, files and time are limited. Raises Refused where the engine
    cannot start it."""
    limits = engine.limits
    options: dict[str, Any] = {
        **_confined(mark),
        "network_mode": "none",
        "hostname": _HOST_NAME,
        "extra_hosts": {_HOST_NAME: "127.0.0.1"},
        "read_only": setting.read_only,
        # What can be written to needs no room of its own, which would hide the image's files.
        "tmpfs": dict.fromkeys(_SCRATCH if setting.read_only else (), _TMPFS.format(limits.scratch_bytes)),
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "nano_cpus": int(limits.cpus * 1e9),
        "pids_limit": limits.pids,
        "shm_size": limits.scratch_bytes,
        # Any user may listen on any port of a network that nobody else is in.
        "sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
        "environment": dict(setting.environment),
        "healthcheck": {"test": ["NONE"]},
    }
    if setting.command:
        options["entrypoint"] = [setting.command[0]]
    with _run(engine, image, list(setting.command[1:]) if setting.command else None, options) as running:
        yield running


@contextlib.contextmanager
def beside(engine: Engine, mark: Mark, image: str, words: Sequence[str], other: Running) -> Iterator[Running]:
    """A container with a program of ours in the network of another one."""
    options = {
        **_confined(mark),
        "network_mode": f"container:{other.key}",
        "read_only": True,
        # The container's runtime takes part of both while it starts, and fails with less when the machine is busy.
        "mem_limit": 64 << 20,
        "memswap_limit": 64 << 20,
        "pids_limit": 32,
        "user": "65534:65534",
    }
    with _run(engine, image, list(words), options) as running:
        yield running


def _confined(mark: Mark) -> dict[str, Any]:
    return {
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "log_config": LogConfig(type="none"),
        "ulimits": [
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="fsize", soft=_FILE_BYTES, hard=_FILE_BYTES),
            Ulimit(name="nofile", soft=4_096, hard=4_096),
        ],
        "labels": mark.labels,
        "stdin_open": False,
        "tty": False,
        "privileged": False,
        "restart_policy": {"Name": "no"},
    }


@contextlib.contextmanager
def _run(engine: Engine, image: str, command: list[str] | None, options: dict[str, Any]) -> Iterator[Running]:
    container: Container = engine.ask(lambda client: client.containers.create(image, command, **options))
    output: Output | None = None
    try:
        output = Output(engine.ask(lambda client: _attached(client, str(container.id))))
        engine.ask(lambda _: container.start())
        yield Running(engine, container, output)
    finally:
        if output is not None:
            output.close()
        # What cannot be removed now is found by its label.
        with contextlib.suppress(RegistryError):
            engine.ask(lambda _: container.remove(force=True, v=True))


def _attached(client: DockerClient, key: str) -> Any:
    return client.api.attach_socket(key, params={"stdout": 1, "stderr": 1, "stream": 1})


__all__ = ["Output", "Refused", "Running", "Setting", "beside", "started"]
