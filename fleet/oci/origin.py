"""Where requests go: origins and URLs, from an admin's text or from a server's, with what each may be."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from fleet.oci.errors import InvalidReference, InvalidResponse
from fleet.oci.reference import DOCKER_HUB, is_registry
from fleet.oci.wording import shown

_PORTS = {"http": 80, "https": 443}
_HUB_HOSTS = (DOCKER_HUB, f"index.{DOCKER_HUB}", f"registry-1.{DOCKER_HUB}")
_EXAMPLE = "Write it as https://registry.example.com."


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: credentials for one origin are never sent to another. An IPv6 host has no brackets."""

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


@dataclass(frozen=True, slots=True)
class Target:
    """What one request asks for. ``path`` starts with a slash and includes the query."""

    origin: Origin
    path: str

    def resolve(self, location: str) -> Target:
        """The absolute or relative URL that a server sent. InvalidResponse unless it is http or https."""
        refusal = f"{self.origin.netloc} refers to a URL that cannot be followed. Its administrator has to correct it."
        try:
            url = parse_url(urljoin(f"{self.origin}{self.path}", location))
        except (LocationParseError, ValueError):
            raise InvalidResponse(refusal) from None
        if url.scheme not in _PORTS or not url.host or url.auth is not None:
            raise InvalidResponse(refusal)
        origin = Origin(url.scheme, _bare(url.host), url.port or _PORTS[url.scheme])
        return Target(origin, url.request_uri)


def registry_origins(url: str, *, plain_http: bool = False) -> tuple[str, tuple[Origin, ...]]:
    """The registry's name as references have it, and the origins to try, the first that answers to be kept.

    Without a scheme that is https, then http where Docker would try it too: on loopback, or with ``plain_http``.
    Raises InvalidReference for a URL that is no registry's or that would use plain HTTP without leave.
    """
    scheme, separator, rest = url.strip().rpartition("://")
    scheme = scheme.lower()
    if "@" in rest:
        raise InvalidReference("The URL of a registry must hold no login. Put user name and password in their fields.")
    netloc, _, path = rest.partition("/")
    if (separator and scheme not in _PORTS) or not is_registry(netloc) or path.strip("/") not in ("", "v2"):
        raise InvalidReference(f"{shown(url)!r} is no URL of a registry. {_EXAMPLE}")
    if netloc.lower() in _HUB_HOSTS:
        return DOCKER_HUB, (Origin("https", f"registry-1.{DOCKER_HUB}", 443),)
    host, port = _split_port(netloc.lower())
    plain_allowed = plain_http or is_loopback(host)
    if scheme == "http" and not plain_allowed:
        raise InvalidReference(
            f"{shown(netloc)} would be read over plain HTTP, in clear text. Use https://, or allow plain HTTP for it."
        )
    schemes = (scheme,) if scheme else ("https", "http") if plain_allowed else ("https",)
    origins = tuple(Origin(each, host, port or _PORTS[each]) for each in schemes)
    return origins[0].netloc, origins


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine by its very name, as Docker decides it: without asking DNS."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _split_port(netloc: str) -> tuple[str, int | None]:
    host, colon, port = netloc.rpartition(":")
    if not colon or netloc.endswith("]"):
        return _bare(netloc), None
    if not 0 < int(port) < 1 << 16:
        raise InvalidReference(f"{shown(netloc)!r} has no valid port. {_EXAMPLE}")
    return _bare(host), int(port)


def _bare(host: str) -> str:
    return host.strip("[]").lower()
