"""What went wrong, told in our errors' words: from urllib3's exceptions and from HTTP statuses."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING

from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from fleet.oci.document import Document
from fleet.oci.errors import (
    CutShort,
    InvalidResponse,
    NotFound,
    RateLimited,
    RegistryError,
    ServerFailure,
    TimedOut,
    Unauthorized,
    UnknownHost,
    Unreachable,
    UntrustedCertificate,
)
from fleet.oci.media_types import without_parameters
from fleet.oci.wording import shown

if TYPE_CHECKING:
    from fleet.oci.answer import Answer
    from fleet.oci.origin import Origin

# What is asked for where no repository is concerned.
API = "its API"

_LONGEST_WAIT_SECONDS = 86_400.0
# How OpenSSL names the alert of a server that wants to know who asks, by the server's kind and version of TLS.
_WANTS_CERTIFICATE = (
    "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",
    "TLSV1_ALERT_UNKNOWN_CA",
)


def connection_failure(origin: Origin, error: Exception) -> Unreachable | Unauthorized:
    """The sentence for a connection that did not come about or broke off; Unauthorized: for want of a certificate."""
    where = shown(origin.netloc)
    if isinstance(error, NameResolutionError):
        return UnknownHost(f"The name {shown(origin.host)} cannot be resolved. Check the URL and the DNS.")
    if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
        return TimedOut(f"{where} does not accept a connection in time. Check the URL and the firewall.")
    if isinstance(error, NewConnectionError):
        return Unreachable(f"{where} cannot be connected to. Check the URL, and that the registry is running.")
    if isinstance(error, SSLError):
        return _tls_failure(where, error)
    if isinstance(error, ReadTimeoutError):
        return TimedOut(f"{where} stopped sending. Try again later.")
    if isinstance(error, ProtocolError) and any(isinstance(inner, IncompleteRead) for inner in error.args):
        return CutShort(f"{where} ended its answer early. Try again later.")
    return Unreachable(f"{where} closed the connection or does not speak HTTP. Check the URL, or try again later.")


def looks_like_html(answer: Answer) -> bool:
    return without_parameters(answer.headers.get("Content-Type", "")) in ("text/html", "application/xhtml+xml")


def no_registry(answer: Answer) -> InvalidResponse:
    return InvalidResponse(
        f"{answer.where} answers, but does not look like a registry: "
        f"it sent {'a web page' if looks_like_html(answer) else f'status {answer.status}'}. Check the URL."
    )


def status_failure(answer: Answer, subject: str, *, signed_in: bool) -> RegistryError:
    """The error for a status other than success. Reads the body's excerpt. ``subject`` says what was asked for."""
    where = answer.where
    said = _said(answer)
    if answer.status == 401:
        return login_failure(where, subject, signed_in=signed_in)
    if answer.status == 429:
        return RateLimited(f"{where} limits how often it may be asked. Scan less often, or sign in.", _wait(answer))
    if answer.status >= 500:
        sentence = f"{where} failed with status {answer.status} for {subject}{said}. Try again later."
        return ServerFailure(sentence, answer.status, _wait(answer))
    if looks_like_html(answer):
        return no_registry(answer)
    if answer.status == 403:
        return Unauthorized(f"{where} does not let this login read {subject}{said}. Check the login and its rights.")
    if answer.status == 404:
        return NotFound(f"{where} has no {subject}. Check the name and the tag; a private one needs a login.")
    return InvalidResponse(f"{where} answered {subject} with status {answer.status}{said}. Check the URL.")


def login_failure(where: str, subject: str, *, signed_in: bool) -> Unauthorized:
    """The error for a login that is missing or was refused."""
    if signed_in:
        return Unauthorized(f"{where} refused the login for {subject}. Check user name and password or token.")
    # Registries keep private repositories apart from missing ones for nobody but those who may read them.
    unless = "" if subject == API else ", or has none of that name"
    return Unauthorized(f"{where} wants a login for {subject}{unless}. Enter a login, or run docker login.")


def _tls_failure(where: str, error: SSLError) -> Unreachable | Unauthorized:
    inner = error.args[0] if error.args else None
    if isinstance(inner, SSLCertVerificationError):
        return UntrustedCertificate(
            f"The certificate of {where} is not trusted ({shown(inner.verify_message)}). "
            "Paste its authority where the registry is configured, or name it in SSL_CERT_FILE or REQUESTS_CA_BUNDLE."
        )
    if getattr(inner, "reason", "") in _WANTS_CERTIFICATE:
        return Unauthorized(
            f"{where} wants a client certificate that it trusts. Paste it and its key where the registry is configured."
        )
    return Unreachable(f"{where} does not speak TLS as expected. Check the port; plain HTTP needs an http:// URL.")


def _wait(answer: Answer) -> float | None:
    """Retry-After in seconds or as an HTTP date, at most a day; None when it is missing or malformed."""
    text = answer.headers.get("Retry-After", "").strip()[:64]
    try:
        seconds = float(text) if text[:1].isdigit() else parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS) if math.isfinite(seconds) else None


def _said(answer: Answer) -> str:
    """The registry's own error code and message, as `` (CODE: message)``; empty when there is none."""
    try:
        errors = Document.parse(answer.excerpt(), "The error").documents("errors")
        code, message = errors[0].text("code"), errors[0].text("message")
    except (InvalidResponse, IndexError):
        return ""
    return f" ({shown(code, 40)}: {shown(message)})"
