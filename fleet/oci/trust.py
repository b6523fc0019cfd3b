"""Whom a registry's TLS is trusted by, and what we show it of ourselves: an authority, a certificate, its key.

The authority is trusted beside the system's for the registry's own host, on any port: a token realm often listens
beside it. It vouches for nobody else, so that whoever holds it cannot read what we ask other hosts. The client
certificate goes to the registry's own origin alone: a redirect or a token realm elsewhere never sees it.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache

from fleet.oci.errors import InvalidReference


@dataclass(frozen=True, slots=True)
class Trust:
    """PEM texts; empty where there is none. The repr hides the key."""

    authority_pem: str = ""
    certificate_pem: str = ""
    key_pem: str = field(default="", repr=False)


SYSTEM = Trust()


def tls_context(trust: Trust, *, identify: bool) -> ssl.SSLContext:
    """The context for connections that believe ``trust``; with ``identify`` the client certificate is shown.

    Contexts are kept: building one reads the system's authorities, which takes longer than a request. Raises
    InvalidReference for PEM that cannot be used.
    """
    shown = trust if identify else Trust(trust.authority_pem)
    return _context(shown, os.environ.get("REQUESTS_CA_BUNDLE"), os.environ.get("SSL_CERT_FILE"))


@lru_cache(maxsize=64)
def _context(trust: Trust, bundle: str | None, _certificates: str | None) -> ssl.SSLContext:
    """The system's authorities (OpenSSL reads SSL_CERT_FILE itself), those of REQUESTS_CA_BUNDLE, and ``trust``."""
    context = ssl.create_default_context()
    if bundle and os.path.isdir(bundle):
        context.load_verify_locations(capath=bundle)
    elif bundle and os.path.exists(bundle):
        context.load_verify_locations(cafile=bundle)
    if trust.authority_pem.strip():
        _add_authority(context, trust.authority_pem)
    if trust.certificate_pem.strip() or trust.key_pem.strip():
        _add_certificate(context, trust.certificate_pem, trust.key_pem)
    return context


def _add_authority(context: ssl.SSLContext, pem: str) -> None:
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError, TypeError, OSError):
        raise InvalidReference(
            "The authority's certificate cannot be read. Paste it as PEM, from BEGIN CERTIFICATE to END CERTIFICATE."
        ) from None


def _add_certificate(context: ssl.SSLContext, certificate_pem: str, key_pem: str) -> None:
    """Errors say nothing of the texts: the key may stand in the certificate's field."""
    if "PRIVATE KEY-----" not in certificate_pem + key_pem:
        raise InvalidReference("The client certificate has no key. Paste the key as PEM, without a passphrase.")
    try:
        # OpenSSL reads a chain from a file only: a private one that has no name by the time it returns.
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="plimsoll-", suffix=".pem") as file:
            file.write(f"{certificate_pem.strip()}\n{key_pem.strip()}\n")
            file.flush()
            # Without an answer OpenSSL would ask for a passphrase on the terminal and wait.
            context.load_cert_chain(file.name, password="")
    except (ssl.SSLError, ValueError, OSError):
        raise InvalidReference(
            "The client certificate and its key cannot be used. Paste both as PEM, the key without a passphrase, "
            "and check that they belong together."
        ) from None
