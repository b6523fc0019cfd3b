"""A token server: hands out JWTs, signed with a key of its own, that a registry verifies by the key's certificate.

Spec: https://distribution.github.io/distribution/spec/auth/jwt/
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

ISSUER, SERVICE = "tokens of the tests", "registry of the tests"
USER, PASSWORD = "reader", "s3cret"
LONG_SECONDS = 300


class TokenServer:
    """``asked`` holds the (scope, status) of every request. A token says that it lasts ``lifetime_seconds``; the first
    one for a scope ends after ``first_valid_seconds``, which may lie in the past: registries forgive a minute."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.lifetime_seconds = LONG_SECONDS
        self.first_valid_seconds = LONG_SECONDS
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._certificate = _certificate_of(self._key)
        server = self
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"tokens": server}))

    @property
    def realm(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/token"

    def settings(self, directory: Path) -> str:
        """The part of a registry's configuration that makes it trust this server."""
        bundle = directory / "tokens.pem"
        bundle.write_bytes(self._certificate.public_bytes(Encoding.PEM))
        return (
            f"auth: {{token: {{realm: '{self.realm}', service: '{SERVICE}', issuer: '{ISSUER}', "
            f"rootcertbundle: '{bundle}'}}}}\n"
        )

    @contextmanager
    def running(self) -> Iterator[TokenServer]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def sign(self, scopes: Sequence[str], *, valid_seconds: int = LONG_SECONDS) -> str:
        """A JWT that grants all of ``scopes``, each ``repository:team/app:pull``."""
        now = time.time()
        chain = [base64.b64encode(self._certificate.public_bytes(Encoding.DER)).decode()]
        claims = {
            "iss": ISSUER,
            "sub": USER,
            "aud": SERVICE,
            "iat": int(now) - 600,
            "nbf": int(now) - 600,
            "exp": int(now) + valid_seconds,
            "jti": uuid4().hex,
            "access": [_access(scope) for scope in scopes],
        }
        text = f"{_encoded({'typ': 'JWT', 'alg': 'RS256', 'x5c': chain})}.{_encoded(claims)}"
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{_base64url(signature)}"

    def forget(self) -> None:
        """As new, for the next test."""
        self.asked.clear()
        self.lifetime_seconds = self.first_valid_seconds = LONG_SECONDS


class _Handler(BaseHTTPRequestHandler):
    tokens: TokenServer

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        scopes = query.get("scope", [])
        login = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        right = self.headers.get("Authorization") == login and query.get("service") == [SERVICE]
        asked = (" ".join(scopes), 200 if right else 401)
        valid_seconds = LONG_SECONDS if asked in self.tokens.asked else self.tokens.first_valid_seconds
        self.tokens.asked.append(asked)
        token = self.tokens.sign(scopes, valid_seconds=valid_seconds)
        body = {"token": token, "expires_in": self.tokens.lifetime_seconds} if right else {}
        content = json.dumps(body).encode()
        self.send_response(200 if right else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _access(scope: str) -> dict[str, Any]:
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _encoded(value: object) -> str:
    return _base64url(json.dumps(value).encode())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _certificate_of(key: rsa.RSAPrivateKey) -> x509.Certificate:
    """Signed by the key itself, which is all that a registry asks of a token's signer."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
