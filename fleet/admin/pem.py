"""Certificates and keys as people paste them, checked before a connection has to fail. Raises ValueError with a
sentence."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

_BEGIN_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


def check_certificates(pem: str) -> None:
    """One certificate or several, and nothing secret among them: certificates are shown to administrators."""
    _certificates(pem)


def valid_until(pem: str) -> datetime | None:
    """When the first certificate ends; None where there is none to be read."""
    try:
        return _certificates(pem)[0].not_valid_after_utc
    except ValueError:
        return None


def check_pair(certificate_pem: str, key_pem: str) -> None:
    """The key of the first certificate, without a passphrase."""
    certificate = _certificates(certificate_pem)[0]
    key = _key(key_pem)
    if _public(certificate.public_key()) != _public(key.public_key()):
        raise ValueError("This is not the key of the client certificate. Paste the two that were made together.")


def check_key(pem: str) -> None:
    _key(pem)


def _certificates(pem: str) -> list[x509.Certificate]:
    if "PRIVATE KEY" in pem:
        raise ValueError("This holds a private key. Put it into its own field, which is never shown again.")
    if _BEGIN_CERTIFICATE not in pem:
        raise ValueError(f"This is no certificate in PEM form: it has no line {_BEGIN_CERTIFICATE}.")
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise ValueError("This certificate cannot be read. Paste it whole, with its first and its last line.") from None


def _key(pem: str) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise ValueError("This key needs a passphrase. Paste it without one; it is encrypted here.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("This key cannot be read. Paste it whole as PEM, with its first and last line.") from None


def _public(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
