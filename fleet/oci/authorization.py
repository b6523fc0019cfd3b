"""Logging in as the registry asks for it: Basic, or Bearer tokens that a realm hands out per scope.

Specs: https://distribution.github.io/distribution/spec/auth/token/, RFC 7235
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from fleet.oci.answer import Answer, Limits
from fleet.oci.credentials import Credentials
from fleet.oci.document import Document
from fleet.oci.errors import InvalidResponse
from fleet.oci.failures import status_failure
from fleet.oci.origin import Origin, Target
from fleet.oci.transport import Transport
from fleet.oci.wording import shown

_WORD = re.compile(r'([A-Za-z0-9_-]{1,64})(?:\s{0,8}=\s{0,8}(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?')
# RFC 6750, with room for what registries put there.
_TOKEN = re.compile(r"[!-~]{1,32768}", re.ASCII)
_HEADER_LIMIT = 8192
_DEFAULT_LIFETIME_SECONDS = 60
# Clocks and the way to the registry take their part of a token's life.
_USABLE_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a 401 asks for. ``scheme`` is ``bearer`` or ``basic``."""

    scheme: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    expires_at: float

    @property
    def fresh(self) -> bool:
        return time.monotonic() < self.expires_at


def parse_challenge(header: str) -> Challenge | None:
    """The Bearer challenge of a WWW-Authenticate header, else its Basic one, else None."""
    found: dict[str, dict[str, str]] = {}
    parameters: dict[str, str] = {}
    for word in _WORD.finditer(header[:_HEADER_LIMIT]):
        name, quoted, plain = word.groups()
        if quoted is None and plain is None:
            parameters = found.setdefault(name.lower(), {})
        else:
            parameters[name.lower()] = plain or re.sub(r"\\(.)", r"\1", quoted or "")
    scheme = next((name for name in ("bearer", "basic") if name in found), None)
    return Challenge(scheme, found[scheme]) if scheme else None


class Authorizer:
    """Knows what to send with a request, once a challenge has shown it. Threads share one."""

    def __init__(self, transport: Transport, credentials: Credentials | None, limits: Limits) -> None:
        self._transport = transport
        self._credentials = credentials
        self._limits = limits
        self._lock = threading.Lock()
        self._challenge: Challenge | None = None
        self._tokens: dict[str, _Token] = {}

    @property
    def signed_in(self) -> bool:
        return self._credentials is not None

    def header(self, scope: str) -> str | None:
        """The Authorization to send before being asked, None while the registry's way is not known."""
        challenge = self._challenge
        if challenge is None:
            return None
        return self._basic() if challenge.scheme == "basic" else self._token(challenge, scope, scope, refused=None)

    def answer(self, challenge: Challenge, scope: str, refused: str | None) -> str | None:
        """The Authorization that ``challenge`` wants after ``refused`` was; None when there is nothing better."""
        self._challenge = challenge
        if challenge.scheme == "bearer":
            return self._token(challenge, challenge.parameters.get("scope", scope), scope, refused)
        basic = self._basic()
        return None if basic == refused else basic

    def _basic(self) -> str | None:
        login = self._credentials
        # A token without a user name is a login too.
        if login is None or login.identity_token:
            return None
        return "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode()

    def _token(self, challenge: Challenge, asked: str, scope: str, refused: str | None) -> str:
        """The header of the token for ``scope``, fetched with the words that the registry ``asked`` for it in."""
        token = self._tokens.get(scope)
        if token and token.fresh and token.header != refused:
            return token.header
        with self._lock:
            # Another thread may have fetched it while this one waited.
            token = self._tokens.get(scope)
            if token is None or not token.fresh or token.header == refused:
                token = self._fetch(challenge, asked)
                self._tokens = {name: kept for name, kept in self._tokens.items() if kept.fresh} | {scope: token}
            return token.header

    def _fetch(self, challenge: Challenge, scope: str) -> _Token:
        home = self._transport.home
        realm = challenge.parameters.get("realm", "")
        if not realm:
            raise InvalidResponse(f"{home.netloc} wants a token but does not say from where. Check its configuration.")
        target = Target(home, "/").resolve(realm)
        query = {"service": challenge.parameters.get("service", ""), "scope": scope}
        asked_at = time.monotonic()
        answer = self._ask(target, {name: value for name, value in query.items() if value}, home)
        if answer.status != 200:
            raise status_failure(answer, f"a token ({shown(scope)})" if scope else "a token", signed_in=self.signed_in)
        document = Document.parse(answer.body(self._limits.page_bytes), f"The token of {answer.where}")
        token = document.text("token") or document.text("access_token")
        if not _TOKEN.fullmatch(token):
            raise InvalidResponse(
                f"{answer.where} sent no usable token. Check the URL and the registry's configuration."
            )
        lifetime_seconds = document.number("expires_in") or _DEFAULT_LIFETIME_SECONDS
        return _Token(f"Bearer {token}", asked_at + _USABLE_SHARE * lifetime_seconds)

    def _ask(self, target: Target, query: Mapping[str, str], home: Origin) -> Answer:
        login = self._credentials
        if login and login.identity_token:
            form = {"grant_type": "refresh_token", "client_id": "plimsoll", "refresh_token": login.identity_token}
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            body = urlencode({**form, **query}).encode()
            return self._transport.follow("POST", target, headers, home=home, body=body)
        basic = self._basic()
        path = target.path + ("&" if "?" in target.path else "?") + urlencode(query)
        headers = {"Authorization": basic} if basic else {}
        return self._transport.follow("GET", Target(target.origin, path), headers, home=home)
