"""Signature Version 4: how AWS knows who asks.

Spec: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fleet.oci.errors import InvalidReference

_ALGORITHM = "AWS4-HMAC-SHA256"
_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{4,128}", re.ASCII)
_SECRET = re.compile(r"[!-9;-~]{1,256}", re.ASCII)
_SESSION = re.compile(r"[!-~]{0,8192}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An AWS access key. ``session`` is the token that comes with a temporary one (STS, SSO, an assumed role)."""

    identifier: str
    secret: str = field(repr=False)
    session: str = field(default="", repr=False)

    @classmethod
    def parse(cls, identifier: str, secret: str) -> AccessKey:
        """``secret`` is the secret access key, followed by a colon and the session token where the key is temporary.

        Neither part can hold a colon itself. Raises InvalidReference for what cannot be a key.
        """
        identifier, (key, _, session) = identifier.strip(), secret.strip().partition(":")
        if not _IDENTIFIER.fullmatch(identifier) or not _SECRET.fullmatch(key) or not _SESSION.fullmatch(session):
            raise InvalidReference(
                "This is no AWS access key. Enter the access key id as user name and the secret access key as "
                "password; a temporary key's session token follows it after a colon."
            )
        return cls(identifier, key, session)


@dataclass(frozen=True, slots=True)
class Request:
    """What is signed. ``path`` and ``query`` are encoded as they are sent; every header is signed."""

    method: str
    host: str
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def signed(request: Request, key: AccessKey, *, region: str, service: str, at: datetime) -> dict[str, str]:
    """The headers to send: those of ``request``, the date, the session token and the signature. Host is left out."""
    moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    sent = {**request.headers, "X-Amz-Date": moment}
    if key.session:
        sent["X-Amz-Security-Token"] = key.session
    headers = {name.lower(): " ".join(value.split()) for name, value in {**sent, "Host": request.host}.items()}
    names = ";".join(sorted(headers))
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, moment, scope, _hash(_canonical(request, headers, names).encode())))
    signature = _hmac(_signing_key(key.secret, scope), text).hex()
    credential = f"Credential={key.identifier}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**sent, "Authorization": f"{_ALGORITHM} {credential}"}


def _canonical(request: Request, headers: Mapping[str, str], names: str) -> str:
    query = "&".join(sorted(part if "=" in part else f"{part}=" for part in request.query.split("&") if part))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    return "\n".join((request.method, request.path, query, lines, names, _hash(request.body)))


def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
