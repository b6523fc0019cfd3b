"""How an image is looked at: what is asked of it, and how the asking is done without a network."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fleet.oci.errors import InvalidReference
from fleet.oci.manifest import ImageConfig
from fleet.oci.wording import shown

Kind = Literal["auto", "http", "tcp", "command", "run"]

_PORT = re.compile(r"(\d{1,5})(?:-\d{1,5})?(?:/tcp)?", re.IGNORECASE | re.ASCII)
# Ports that speak HTTP most often, tried before the others that listen.
_USUAL = (80, 8080, 8000, 3000, 5000, 443)
_LISTENING = "0A"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}", re.ASCII)
_HOST = "localhost"


@dataclass(frozen=True, slots=True)
class Probe:
    """``auto`` finds out what there is to ask, by the ``ports`` that the image names, else by those that listen.
    ``command`` runs in place of what the image starts. ``environment`` is set for both images."""

    kind: Kind = "auto"
    path: str = "/"
    port: int = 0
    ports: tuple[int, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def about(self) -> str:
        """In words, for tables and pages."""
        if self.kind == "http":
            return f"HTTP GET {self.path} on port {self.port}"
        if self.kind == "tcp":
            return f"TCP connection to port {self.port}"
        if self.kind == "command":
            return f"runs {shlex.join(self.command)}"
        return "starts and runs" if self.kind == "run" else "asks what the image offers"

    def as_json(self) -> dict[str, Any]:
        """Without the variables, which may hold what nobody should see."""
        return {
            "kind": self.kind,
            "path": self.path,
            "port": self.port,
            "command": list(self.command),
            "variables": sorted(self.environment),
        }


def make_probe(
    config: ImageConfig | None = None,
    *,
    path: str = "",
    port: int = 0,
    command: str = "",
    tcp: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Probe:
    """What a person asked for, else what the image itself says. Raises InvalidReference for what cannot be asked."""
    variables = dict(environment or {})
    if port and not 0 < port < 65_536:
        raise InvalidReference(f"{port} is no port. Write one from 1 to 65535.")
    if command:
        try:
            words = tuple(shlex.split(command))
        except ValueError:
            words = ()
        if not words:
            raise InvalidReference(f"{shown(command)!r} is no command: check its quotes.")
        return Probe("command", command=words, environment=variables)
    if path and (not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path):
        raise InvalidReference(f"{shown(path)!r} is no HTTP path. Write it as /health.")
    exposed = exposed_ports(config.exposed_ports if config else ())
    if port and tcp:
        return Probe("tcp", port=port, environment=variables)
    if port:
        return Probe("http", path or "/", port, environment=variables)
    return Probe("auto", path or "/", ports=exposed, environment=variables)


def parse_environment(text: str) -> dict[str, str]:
    """``NAME=value``, one a line. Raises InvalidReference."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            name, equals, value = line.strip().partition("=")
            if not equals or not _NAME.fullmatch(name) or "\0" in value:
                raise InvalidReference(f"Line {number} is no variable. Write NAME=value, one a line.")
            found[name] = value
    return found


def exposed_ports(names: Sequence[str]) -> tuple[int, ...]:
    """The TCP ports that an image names, those first that speak HTTP most often."""
    numbers = {int(match[1]) for name in names if (match := _PORT.fullmatch(name))}
    return by_likelihood([number for number in numbers if 0 < number < 65_536])


def by_likelihood(ports: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(ports, key=lambda port: (_USUAL.index(port) if port in _USUAL else len(_USUAL), port)))


def listening(table: str) -> tuple[int, ...]:
    """The ports that ``/proc/net/tcp`` and ``tcp6`` show as listened on."""
    rows = (line.split() for line in table.splitlines())
    ports = {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == _LISTENING}
    return by_likelihood(sorted(ports))


def request(path: str) -> str:
    """An HTTP/1.0 request: the answer ends with the connection."""
    return f"GET {path} HTTP/1.0\r\nHost: {_HOST}\r\nUser-Agent: plimsoll\r\nAccept: */*\r\nConnection: close\r\n\r\n"
