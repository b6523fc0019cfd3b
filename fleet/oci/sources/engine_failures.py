"""What went wrong on the way to an engine, told in our errors' words: from what the docker SDK raises."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.client import RemoteDisconnected

import urllib3
from docker.errors import APIError
from requests.exceptions import ConnectTimeout, ReadTimeout, TooManyRedirects

from fleet.oci.errors import (
    InvalidResponse,
    RegistryError,
    ServerFailure,
    TimedOut,
    Unauthorized,
    Unreachable,
    UntrustedCertificate,
)
from fleet.oci.sources.engine_connection import CONNECT_SECONDS, READ_SECONDS, EngineAddress
from fleet.oci.wording import shown

# How OpenSSL names the alert of a server that wants to know who asks, and of one that does not like the answer.
_WANTS_CERTIFICATE = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "HANDSHAKE_FAILURE",
    "UNKNOWN_CA",
    "CERTIFICATE_UNKNOWN",
)
_WANTS_TLS = "HTTP request to an HTTPS server"
_TRY = "Try docker -H with that URL, as the user that the workers run as."
_CHAIN_LIMIT = 20


def engine_failure(address: EngineAddress, error: Exception, said: str = "") -> RegistryError:
    """``said`` is what ssh wrote, where the engine is behind it."""
    if isinstance(error, APIError):
        return _answered(address, error)
    chain = list(_chain(error))
    where = f"The Docker Engine at {address.where}"
    if address.ssh:
        # The last note is the one that was made when the connection did not come about.
        said = said or next((note for each in chain for note in getattr(each, "__notes__", ()) if note), "")
        return _ssh_failure(where, said, chain)
    if any(isinstance(each, TooManyRedirects) for each in chain):
        return InvalidResponse(f"{where} sends us elsewhere, as no engine does. Check the URL.")
    if address.uses_tls and not address.trust.certificate_pem.strip() and _is_cut_off(chain):
        # The alert that says so is often lost with the connection.
        return Unreachable(
            f"{where} ends the connection without a word: it may want a client certificate. Paste one, and its key, or "
            "check the port."
        )
    if tls := next((each for each in chain if isinstance(each, ssl.SSLError)), None):
        return _tls_failure(where, tls)
    if any(isinstance(each, urllib3.exceptions.NameResolutionError) for each in chain):
        return Unreachable(f"{where} cannot be found: its host has no address. Check the name and the DNS.")
    if any(isinstance(each, ConnectionRefusedError) for each in chain):
        return Unreachable(f"{where} cannot be reached: nothing listens there. Check that it runs, and the port.")
    if any(isinstance(each, ConnectTimeout) for each in chain):
        return TimedOut(f"{where} took no connection within {CONNECT_SECONDS} seconds. Check the firewall.")
    if any(isinstance(each, ReadTimeout | urllib3.exceptions.ReadTimeoutError | TimeoutError) for each in chain):
        return TimedOut(f"{where} sent nothing for {READ_SECONDS} seconds. Look at its load, then try again.")
    if any(isinstance(each, PermissionError) for each in chain):
        return Unreachable(f"{where} cannot be reached: this user may not use the socket. Add it to the docker group.")
    return Unreachable(f"{where} cannot be reached. Check that it runs and that this user may use it.")


def _answered(address: EngineAddress, error: APIError) -> RegistryError:
    said = shown(str(error.explanation or ""))
    status = error.status_code
    if _WANTS_TLS in str(error.explanation):
        return Unreachable(
            f"The Docker Engine at {address.where} speaks TLS only. Write its URL with https://, and paste the "
            "authority that signed its certificate."
        )
    if status in (401, 403):
        return Unauthorized(f"The Docker Engine at {address.where} does not let us in: {said}. Check the certificate.")
    return ServerFailure(f"The Docker Engine failed: {said}. Try again, or look at its log.")


def _ssh_failure(where: str, said: str, chain: list[BaseException]) -> RegistryError:
    if said:
        lowered = said.lower()
        kind = Unauthorized if "permission denied" in lowered or "host key verification" in lowered else Unreachable
        return kind(f"{where} cannot be reached. Ssh says: {said.rstrip('.')}. {_TRY}")
    if any(isinstance(each, ReadTimeout | TimeoutError) for each in chain):
        return TimedOut(f"{where} sent nothing for {READ_SECONDS} seconds. Look at its load, then try again.")
    return Unreachable(f"{where} cannot be reached: ssh ended without a word. {_TRY}")


def _tls_failure(where: str, error: ssl.SSLError) -> RegistryError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return UntrustedCertificate(
            f"{where} shows a certificate that is not trusted ({shown(error.verify_message)}). Paste the authority "
            "that signed it, and check that the URL has the name that the certificate is for."
        )
    if any(name in str(error.reason) for name in _WANTS_CERTIFICATE):
        return Unauthorized(f"{where} wants a client certificate that it trusts. Paste one, and its key.")
    return Unreachable(f"{where} does not speak TLS. Check the port; plain HTTP has to be allowed for an engine.")


def _is_cut_off(chain: list[BaseException]) -> bool:
    ends = ConnectionResetError | BrokenPipeError | RemoteDisconnected | ssl.SSLEOFError
    return any(isinstance(each, ends) for each in chain)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was made of, in arguments, reasons and causes."""
    waiting: list[object] = [error]
    seen: list[BaseException] = []
    while waiting and len(seen) < _CHAIN_LIMIT:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]
