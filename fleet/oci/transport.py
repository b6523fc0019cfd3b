"""HTTP as registries need it: bounded, timed, counted, redirects followed by our own rules.

urllib3 carries the bytes; what it would do by itself (retries, redirects, decoding) is switched off.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterable, Iterator, Mapping
from http.client import RemoteDisconnected

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, SSLError

from fleet.oci.answer import Answer, Limits, Stats
from fleet.oci.errors import InvalidResponse, RegistryError, Unreachable, UntrustedCertificate
from fleet.oci.failures import connection_failure
from fleet.oci.origin import Origin, Target
from fleet.oci.pace import AdmittedOnly, Pace
from fleet.oci.trust import SYSTEM, Trust, tls_context
from fleet.oci.wording import shown
from fleet.oci.zones import Zone, permitted_addresses, zones_of

__all__ = ["Limits", "Stats", "Transport"]

_REDIRECTS = (301, 302, 303, 307, 308)
_ALWAYS_SENT = {"User-Agent": "plimsoll", "Accept-Encoding": "identity"}
_KEPT_CONNECTIONS = 64
_ALERT_SECONDS = 1.0


class Transport:
    """Connections to one registry and to where it refers us. Threads share one.

    ``origins`` are tried in order until one answers, which is then kept: Docker's way from https to plain HTTP.
    ``pace`` decides when the registry itself may be asked and hears what it answers; token realms and object stores
    are none of its concern. Raises InvalidReference when ``trust`` holds what cannot be used.
    """

    def __init__(
        self,
        origins: tuple[Origin, ...],
        *,
        stats: Stats,
        limits: Limits,
        pace: Pace | None = None,
        trust: Trust | None = None,
    ) -> None:
        self._origins = origins
        self._stats = stats
        self._limits = limits
        self._pace = pace
        self._trust = trust or SYSTEM
        self._timeout = urllib3.Timeout(connect=limits.connect_seconds, read=limits.read_seconds)
        self._own: dict[Origin, HTTPConnectionPool] = {}
        self._own_zones: frozenset[Zone] | None = None
        # Elsewhere: the client certificate stays at home, and so does the authority that vouches for home.
        self._elsewhere = urllib3.PoolManager(
            num_pools=16,
            maxsize=_KEPT_CONNECTIONS,
            retries=False,
            timeout=self._timeout,
            ssl_context=tls_context(SYSTEM, identify=False),
        )
        # A mistake in the PEM texts shows before the first request.
        tls_context(self._trust, identify=True)

    @property
    def home(self) -> Origin:
        """The registry's own origin, settled once it has answered."""
        return self._origins[0]

    def request(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        """Asks the registry itself. Every status is an answer; Unreachable when there is none.

        RateLimited comes from the pace, before anything is sent.
        """
        *earlier, last = self._origins
        for origin in earlier:
            try:
                answer = self._follow(method, Target(origin, path), headers, origin, None, paced=True)
            except UntrustedCertificate:
                raise
            except Unreachable:
                continue
            self._origins = (origin,)
            return answer
        answer = self._follow(method, Target(last, path), headers, last, None, paced=True)
        if earlier:
            self._origins = (last,)
        return answer

    def beside(self, origin: Origin, *, trusted: bool) -> Transport:
        """Connections to the provider's API at ``origin``, of their own but within the same limits, counts and pace.

        ``trusted``: the authority that vouches for the registry does so for it too. The client certificate stays here.
        """
        return Transport(
            (origin,),
            stats=self._stats,
            limits=self._limits,
            pace=AdmittedOnly(self._pace) if self._pace else None,
            trust=Trust(self._trust.authority_pem) if trusted else None,
        )

    def follow(
        self, method: str, target: Target, headers: Mapping[str, str], *, home: Origin, body: bytes | None = None
    ) -> Answer:
        """One request and its redirects, none for a request with a body. Authorization goes to one origin only.

        Raises InvalidResponse for a redirect that leads where ``home`` must not send us.
        """
        return self._follow(method, target, headers, home, body, paced=False)

    def close(self) -> None:
        self._elsewhere.clear()
        for pool in self._own.values():
            pool.close()

    def _follow(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        home: Origin,
        body: bytes | None,
        *,
        paced: bool,
    ) -> Answer:
        for _ in range(self._limits.redirects + 1):
            pace = self._pace if paced and target.origin == home else None
            if pace:
                pace.admit()
            answer = self._send(method, target, headers, home, body)
            if pace:
                pace.heard(answer.status, answer.headers)
            if answer.status not in _REDIRECTS or body is not None:
                return answer
            location = answer.headers.get("Location")
            if not location:
                return answer
            answer.discard()
            following = target.resolve(location)
            if following.origin != target.origin:
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            target = following
        raise InvalidResponse(f"{home.netloc} redirects without end. Check the registry's configuration.")

    def _send(
        self, method: str, target: Target, headers: Mapping[str, str], home: Origin, body: bytes | None
    ) -> Answer:
        origin = target.origin
        fields = {**_ALWAYS_SENT, "Host": origin.netloc, **headers}
        failure: RegistryError = Unreachable(
            f"The name {shown(origin.host)} has no address. Check the URL and the DNS."
        )
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

    def _connections(self, origin: Origin, home: Origin) -> Iterable[HTTPConnectionPool]:
        """Pools that reach ``origin``: at home by its name, elsewhere by the addresses that were found permissible."""
        if origin.host == home.host and (origin.scheme == home.scheme or origin.scheme == "https"):
            return (self._own.get(origin) or self._own_pool(origin, home),)
        if origin.scheme == "http" and home.scheme != "http":
            raise InvalidResponse(
                f"{home.netloc} refers to plain HTTP at {shown(origin.netloc)}. It was not followed. "
                "Check the registry's configuration."
            )
        return self._pools_elsewhere(origin, home)

    def _own_pool(self, origin: Origin, home: Origin) -> HTTPConnectionPool:
        """For the registry's own host. Kept apart from the others, which may be many and push each other out."""
        if origin.scheme == "http":
            pool = HTTPConnectionPool(
                origin.host, origin.port, timeout=self._timeout, maxsize=_KEPT_CONNECTIONS, retries=False
            )
        else:
            pool = HTTPSConnectionPool(
                origin.host,
                origin.port,
                timeout=self._timeout,
                maxsize=_KEPT_CONNECTIONS,
                retries=False,
                ssl_context=tls_context(self._trust, identify=origin == home),
            )
        return self._own.setdefault(origin, pool)

    def _pools_elsewhere(self, origin: Origin, home: Origin) -> Iterator[HTTPConnectionPool]:
        if self._own_zones is None:
            # Once: a registry's DNS must not move it nearer while it is read.
            self._own_zones = zones_of(home)
        names = {"server_hostname": origin.host, "assert_hostname": origin.host} if origin.scheme == "https" else {}
        for address in permitted_addresses(origin, home, self._own_zones):
            yield self._elsewhere.connection_from_host(address, origin.port, origin.scheme, pool_kwargs=names)


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
            if not _was_closed(error):
                raise
            if not attempts_left or body is not None:
                raise _refused_handshake(pool) or error from None
    raise AssertionError("unreachable")


def _refused_handshake(pool: HTTPConnectionPool) -> SSLError | None:
    """Why a server closes connections, when it says so to a client that asks for nothing.

    In TLS 1.3 it judges the client's certificate after the client has begun to send: when it closes with a request
    unread, the connection is reset, and its alert is lost with what else was under way.
    """
    if not isinstance(pool, HTTPSConnectionPool):
        return None
    with contextlib.closing(pool._new_conn()) as connection:
        try:
            connection.connect()
            sock: ssl.SSLSocket = connection.sock  # type: ignore[attr-defined]  # the protocol's stub leaves it out
            sock.settimeout(_ALERT_SECONDS)
            sock.recv(1)
        except ssl.SSLError as error:
            return SSLError(error)
        except (HTTPError, OSError):
            return None
    return None


def _was_closed(error: ProtocolError) -> bool:
    return any(isinstance(inner, RemoteDisconnected | ConnectionResetError | BrokenPipeError) for inner in error.args)
