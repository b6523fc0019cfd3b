"""HTTP as registries need it: bounded, timed, counted, redirects followed by our own rules.

urllib3 carries the bytes; what it would do by itself (retries, redirects, decoding) is switched off.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from functools import lru_cache
from http.client import RemoteDisconnected

import urllib3
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError

from fleet.oci.answer import Answer, Limits, Stats
from fleet.oci.errors import InvalidResponse, Unreachable, UntrustedCertificate
from fleet.oci.failures import connection_failure
from fleet.oci.origin import Origin, Target
from fleet.oci.wording import shown
from fleet.oci.zones import permitted_addresses

__all__ = ["Limits", "Stats", "Transport"]

_REDIRECTS = (301, 302, 303, 307, 308)
_ALWAYS_SENT = {"User-Agent": "plimsoll", "Accept-Encoding": "identity"}


class Transport:
    """Connections to one registry and to where it refers us. Threads share one.

    ``origins`` are tried in order until one answers, which is then kept: Docker's way from https to plain HTTP.
    """

    def __init__(self, origins: tuple[Origin, ...], *, stats: Stats, limits: Limits) -> None:
        self._origins = origins
        self._stats = stats
        self._limits = limits
        self._pools = urllib3.PoolManager(
            num_pools=8,
            maxsize=64,
            retries=False,
            timeout=urllib3.Timeout(connect=limits.connect_seconds, read=limits.read_seconds),
            ssl_context=_tls_context(os.environ.get("REQUESTS_CA_BUNDLE"), os.environ.get("SSL_CERT_FILE")),
        )

    @property
    def home(self) -> Origin:
        """The registry's own origin, settled once it has answered."""
        return self._origins[0]

    def request(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        """Asks the registry itself. Every status is an answer; Unreachable when there is none."""
        *earlier, last = self._origins
        for origin in earlier:
            try:
                answer = self.follow(method, Target(origin, path), headers, home=origin)
            except UntrustedCertificate:
                raise
            except Unreachable:
                continue
            self._origins = (origin,)
            return answer
        answer = self.follow(method, Target(last, path), headers, home=last)
        self._origins = (last,)
        return answer

    def follow(
        self, method: str, target: Target, headers: Mapping[str, str], *, home: Origin, body: bytes | None = None
    ) -> Answer:
        """One request and its redirects, none for a request with a body. Authorization goes to one origin only.

        Raises InvalidResponse for a redirect that leads where ``home`` must not send us.
        """
        for _ in range(self._limits.redirects + 1):
            answer = self._send(method, target, headers, home, body)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or not location or body is not None:
                return answer
            answer.discard()
            following = target.resolve(location)
            if following.origin != target.origin:
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            target = following
        raise InvalidResponse(f"{home.netloc} redirects without end. Check the registry's configuration.")

    def close(self) -> None:
        self._pools.clear()

    def _send(
        self, method: str, target: Target, headers: Mapping[str, str], home: Origin, body: bytes | None
    ) -> Answer:
        origin = target.origin
        fields = {**_ALWAYS_SENT, "Host": origin.netloc, **headers}
        failure = Unreachable(f"The name {shown(origin.host)} has no address. Check the URL and the DNS.")
        for pool in self._connections(origin, home):
            try:
                response = _exchange(pool, method, target.path, fields, body)
            except (NewConnectionError, ConnectTimeoutError) as error:
                failure = connection_failure(origin, error)
            except (HTTPError, OSError, ValueError) as error:
                raise connection_failure(origin, error) from None
            else:
                self._stats.answered()
                return Answer(response, target, self._stats, self._limits)
        raise failure

    def _connections(self, origin: Origin, home: Origin) -> Iterator[HTTPConnectionPool]:
        """Pools that reach ``origin``: at home by its name, elsewhere by the addresses that were found permissible."""
        if origin.scheme == "http" and home.scheme != "http":
            raise InvalidResponse(
                f"{home.netloc} refers to plain HTTP at {shown(origin.netloc)}. It was not followed. "
                "Check the registry's configuration."
            )
        if origin.host == home.host:
            yield self._pools.connection_from_host(origin.host, origin.port, origin.scheme)
            return
        names = {"server_hostname": origin.host, "assert_hostname": origin.host} if origin.scheme == "https" else {}
        for address in permitted_addresses(origin, home):
            yield self._pools.connection_from_host(address, origin.port, origin.scheme, pool_kwargs=names)


def _exchange(
    pool: HTTPConnectionPool, method: str, path: str, headers: Mapping[str, str], body: bytes | None
) -> urllib3.BaseHTTPResponse:
    """Sends a request; once more when the server had just closed a connection that was kept for reuse."""
    for attempts_left in (1, 0):
        try:
            return pool.urlopen(
                method, path, body=body, headers=headers, redirect=False, preload_content=False, assert_same_host=False
            )
        except ProtocolError as error:
            if not attempts_left or body is not None or not _was_closed(error):
                raise
    raise AssertionError("unreachable")


def _was_closed(error: ProtocolError) -> bool:
    return any(isinstance(inner, RemoteDisconnected | ConnectionResetError | BrokenPipeError) for inner in error.args)


@lru_cache(maxsize=4)
def _tls_context(bundle: str | None, _certificates: str | None) -> ssl.SSLContext:
    """The system's authorities (OpenSSL reads SSL_CERT_FILE itself) and those of REQUESTS_CA_BUNDLE."""
    context = ssl.create_default_context()
    if bundle and os.path.isdir(bundle):
        context.load_verify_locations(capath=bundle)
    elif bundle and os.path.exists(bundle):
        context.load_verify_locations(cafile=bundle)
    return context
