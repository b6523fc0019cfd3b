"""Logging in as the registry asks for it: Basic, or Bearer tokens that a realm hands out per scope.

Specs: https://distribution.github.io/distribution/spec/auth/token/, RFC 7235
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from fleet.oci.answer import Answer, Limits
from fleet.oci.credentials import Credentials, Login
from fleet.oci.document import Document
from fleet.oci.errors import InvalidResponse
from fleet.oci.failures import API, login_failure, status_failure
from fleet.oci.origin import Origin, Target
from fleet.oci.transport import Transport
from fleet.oci.wording import shown

CATALOG_SCOPE = "registry:catalog:*"

_ANY_SCOPE = "*"
_TOKENS_KEPT = 4096
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
    """Knows what to send with a request, once a challenge has shown it. Threads share one.

    A login that was refused is not offered again: accounts are locked for less. Until it has been accepted once, one
    request at a time offers it. What a repository refused to a login that works elsewhere is that repository's matter.
    """

    def __init__(self, transport: Transport, login: Login | None, limits: Limits) -> None:
        self._transport = transport
        self._login = login
        self._limits = limits
        self._challenge: Challenge | None = None
        self._tokens: dict[str, _Token] = {}
        self._token_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._proving = threading.Lock()
        self._proven: Credentials | None = None
        # By scope, or _ANY_SCOPE: the login that was refused, None for having none.
        self._refused: dict[str, Credentials | None] = {}

    @property
    def signed_in(self) -> bool:
        return self._credentials is not None

    @property
    def _credentials(self) -> Credentials | None:
        """The login as it is now: some are renewed while a registry is read."""
        return self._login() if callable(self._login) else self._login

    def header(self, scope: str) -> str | None:
        """The Authorization to send before being asked, None while the registry's way is not known.

        Raises Unauthorized where the login has been refused before.
        """
        challenge = self._challenge
        if challenge is None:
            return None
        if challenge.scheme == "bearer":
            return self._token(challenge, scope, scope, refused=None)
        login = self._credentials
        self._raise_if_refused(scope, login)
        return _basic(login) if login == self._proven else None

    def meet(
        self, challenge: Challenge, scope: str, refusal: Answer, offered: str | None, send: Callable[[str], Answer]
    ) -> Answer:
        """What ``send`` brings with the Authorization that ``challenge`` wants, sent once.

        It is ``refusal``, the answer to what was ``offered`` before, when there is nothing better to offer.
        """
        self._challenge = challenge
        if challenge.scheme == "bearer":
            asked = challenge.parameters.get("scope", scope)
            refusal.discard()
            return self._noted(send(self._token(challenge, asked, scope, offered)), scope)
        login = self._credentials
        header = _basic(login)
        if header is None:
            return refusal
        if header == offered:
            return self._noted(refusal, scope)
        refusal.discard()
        if login == self._proven:
            return self._noted(send(header), scope)
        with self._proving:
            self._raise_if_refused(scope, login)
            answer = send(header)
            if self._is_refusal(answer):
                self._refuse(scope, login)
            elif answer.status < 400 or answer.status in (403, 404):
                self._proven = login
            return answer

    def _is_refusal(self, answer: Answer) -> bool:
        return answer.status == 401 and answer.target.origin == self._transport.home

    def _noted(self, answer: Answer, scope: str) -> Answer:
        """Notes when ``scope`` alone is refused, to a login that is right or to nobody's."""
        if self._is_refusal(answer):
            self._refused[scope] = self._credentials
        return answer

    def _refuse(self, scope: str, login: Credentials | None) -> None:
        """Notes a login that nothing shows to be right. A catalog kept to administrators says nothing of others."""
        everywhere = login is not None and login != self._proven and scope != CATALOG_SCOPE
        self._refused[_ANY_SCOPE if everywhere else scope] = login

    def _raise_if_refused(self, scope: str, login: Credentials | None) -> None:
        if not self._refused:
            return
        if any(key in self._refused and self._refused[key] == login for key in (scope, _ANY_SCOPE)):
            kind, _, rest = scope.partition(":")
            subject = {"repository": rest.rpartition(":")[0], "registry": "its catalog"}.get(kind, API)
            raise login_failure(self._transport.home.netloc, subject, signed_in=login is not None)

    def _token(self, challenge: Challenge, asked: str, scope: str, refused: str | None) -> str:
        """The header of the token for ``scope``, fetched with the words that the registry ``asked`` for it in."""
        if self._refused:
            self._raise_if_refused(scope, self._credentials)
        token = self._tokens.get(scope)
        if token and token.fresh and token.header != refused:
            return token.header
        with self._token_locks[scope]:
            # Another thread may have fetched it while this one waited.
            token = self._tokens.get(scope)
            if token is None or not token.fresh or token.header == refused:
                token = self._fetch(challenge, asked, scope)
                self._keep(scope, token)
            return token.header

    def _keep(self, scope: str, token: _Token) -> None:
        if len(self._tokens) >= _TOKENS_KEPT:
            newest = list(self._tokens.items())[_TOKENS_KEPT // 2 :]
            # Replaced, never changed: other threads read it meanwhile.
            self._tokens = {name: kept for name, kept in newest if kept.fresh}
        self._tokens[scope] = token

    def _fetch(self, challenge: Challenge, asked: str, scope: str) -> _Token:
        login = self._credentials
        if login is None or login == self._proven:
            # Another thread may have been refused while this one waited.
            self._raise_if_refused(scope, login)
            return self._fetch_as(login, challenge, asked, scope)
        with self._proving:
            self._raise_if_refused(scope, login)
            token = self._fetch_as(login, challenge, asked, scope)
            self._proven = login
            return token

    def _fetch_as(self, login: Credentials | None, challenge: Challenge, asked: str, scope: str) -> _Token:
        home = self._transport.home
        realm = challenge.parameters.get("realm", "")
        if not realm:
            raise InvalidResponse(f"{home.netloc} wants a token but does not say from where. Check its configuration.")
        target = Target(home, "/").resolve(realm)
        asked_at = time.monotonic()
        answer = self._ask(login, target, challenge.parameters.get("service", ""), asked, home)
        if answer.status != 200:
            if answer.status == 401:
                self._refuse(scope, login)
            elif answer.status == 403:
                self._refused[scope] = login
            raise status_failure(answer, f"a token ({shown(asked)})" if asked else "a token", signed_in=bool(login))
        document = Document.parse(answer.body(self._limits.page_bytes), f"The token of {answer.where}")
        token = document.text("token") or document.text("access_token")
        if not _TOKEN.fullmatch(token):
            raise InvalidResponse(
                f"{answer.where} sent no usable token. Check the URL and the registry's configuration."
            )
        return _Token(f"Bearer {token}", asked_at + _USABLE_SHARE * _lifetime_seconds(document))

    def _ask(self, login: Credentials | None, target: Target, service: str, scope: str, home: Origin) -> Answer:
        fields = {"service": service} if service else {}
        if login and login.identity_token:
            form = {"grant_type": "refresh_token", "client_id": "plimsoll", "refresh_token": login.identity_token}
            form |= fields | ({"scope": scope} if scope else {})
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            return self._transport.follow("POST", target, headers, home=home, body=urlencode(form).encode())
        # A challenge separates scopes by spaces, a realm wants each by itself.
        query = urlencode([*fields.items(), *(("scope", each) for each in scope.split())])
        path = target.path + ("&" if "?" in target.path else "?") + query
        basic = _basic(login)
        headers = {"Authorization": basic} if basic else {}
        return self._transport.follow("GET", Target(target.origin, path), headers, home=home)


def _basic(login: Credentials | None) -> str | None:
    # A token without a user name is a login too.
    if login is None or login.identity_token:
        return None
    return "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode()


def _lifetime_seconds(document: Document) -> int:
    try:
        return document.number("expires_in") or _DEFAULT_LIFETIME_SECONDS
    except InvalidResponse:
        return _DEFAULT_LIFETIME_SECONDS
