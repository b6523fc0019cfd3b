"""A provider's own HTTP API: asked with the registry's login, page by page, within the registry's limits."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fleet.oci.answer import Answer, Limits
from fleet.oci.client import RegistryClient
from fleet.oci.credentials import Credentials
from fleet.oci.document import Document
from fleet.oci.errors import (
    InvalidReference,
    InvalidResponse,
    NotFound,
    RateLimited,
    RegistryError,
    TooLarge,
    Unauthorized,
)
from fleet.oci.failures import looks_like_html, status_failure
from fleet.oci.origin import Origin, registry_origins
from fleet.oci.pages import next_path
from fleet.oci.reference import is_repository
from fleet.oci.retries import patiently
from fleet.oci.transport import Transport
from fleet.oci.wording import shown

PAGE_ITEMS = 100

# A list of projects costs a request for each of them.
_LISTS_PAGES = 5
_LONGEST_WAIT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Provider:
    """``name`` and ``right`` are for sentences: who answers, and what a login needs there."""

    name: str
    right: str


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """Where a provider's API is. ``prefix`` stands before every path; ``named``: by the admin, so that it is trusted
    as the registry is."""

    origin: Origin
    prefix: str = ""
    named: bool = False


class Api:
    """One listing's requests. ``authorization`` is the header's value; it never leaves the API's origin."""

    def __init__(
        self,
        transport: Transport,
        limits: Limits,
        provider: Provider,
        *,
        prefix: str = "",
        authorization: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._transport = transport
        self.limits = limits
        self._provider = provider
        self._prefix = prefix
        self._signed_in = authorization is not None
        self._headers = {"Accept": "application/json", **(headers or {})}
        if authorization is not None:
            self._headers["Authorization"] = authorization
        self._left = limits.pages * _LISTS_PAGES

    def items(self, path: str, subject: str, *, size: str = "per_page") -> Iterator[Document]:
        """The objects of a paged list, whose next page is named by a Link, or is due by X-Total-Count.

        ``subject`` says what is listed, ``size`` is the parameter with the length of a page.
        """
        path = f"{self._prefix}{path}{'&' if '?' in path else '?'}{size}={PAGE_ITEMS}"
        page, seen, asked = path, 0, {path}
        for number in range(1, self.limits.pages + 1):
            answer, body = self._get(page, subject)
            items = Document.parse_list(body, f"The list of {subject} from {answer.where}")
            seen += len(items)
            yield from items
            following = next_path(answer)
            if following is None and items and seen < _total(answer):
                following = f"{path}&page={number + 1}"
            if following is None:
                return
            if following in asked:
                raise InvalidResponse(f"{answer.where} lists {subject} in a circle. Check the proxy in front of it.")
            asked.add(following)
            page = following
        raise too_large(answer.where, subject)

    def document(self, path: str, subject: str) -> Document:
        """One object."""
        answer, body = self._get(self._prefix + path, subject)
        return Document.parse(body, f"The list of {subject} from {answer.where}")

    def names(self, names: Iterable[str]) -> Iterator[str]:
        """The repositories among ``names``, as unique() has them."""
        return unique(names, self.limits, self._transport.home.netloc)

    def _get(self, path: str, subject: str) -> tuple[Answer, bytes]:
        if self._left <= 0:
            raise too_large(self._transport.home.netloc, subject)
        self._left -= 1
        return patiently(lambda: self._once(path, subject), self.limits)

    def _once(self, path: str, subject: str) -> tuple[Answer, bytes]:
        answer = self._transport.request("GET", path, self._headers)
        if answer.status != 200:
            raise self._failure(answer, subject)
        if looks_like_html(answer):
            answer.discard()
            raise InvalidResponse(
                f"{answer.where} sent a web page where {self._provider.name}'s API belongs. Check the registry's URL, "
                "and where it is told what to list."
            )
        return answer, answer.body(self.limits.page_bytes)

    def _failure(self, answer: Answer, subject: str) -> RegistryError:
        where, wants = answer.where, f"{self._provider.name} wants {self._provider.right}."
        if answer.status == 401:
            answer.discard()
            if self._signed_in:
                return Unauthorized(f"{where} refused the login for {subject}. {wants}")
            return Unauthorized(f"{where} wants a login for {subject}. {wants}")
        if answer.status == 403:
            if (wait := _wait(answer)) is not None:
                answer.discard()
                return RateLimited(f"{where} limits how often it may be asked. Scan less often.", wait)
            return Unauthorized(f"{where} does not let this login list {subject}{_said(answer)}. {wants}")
        if answer.status == 404:
            answer.discard()
            return NotFound(f"{where} shows this login no {subject}. Check the name; {wants}")
        return status_failure(answer, subject, signed_in=self._signed_in)


def unique(names: Iterable[str], limits: Limits, where: str) -> Iterator[str]:
    """``names`` without those that are no repositories, each once: pages shift while they are read."""
    seen: set[str] = set()
    for name in names:
        if name in seen or not is_repository(name):
            continue
        if len(seen) >= limits.names:
            raise too_large(where, "repositories")
        seen.add(name)
        yield name


def too_large(where: str, subject: str) -> TooLarge:
    return TooLarge(f"{where} lists more {subject} than can be read. Name what matters instead.")


def host_of(client: RegistryClient) -> str:
    """The registry's host without its port."""
    _, (origin, *_) = registry_origins(client.name, plain_http=True)
    return origin.host


def login_of(client: RegistryClient) -> Credentials | None:
    login = client.login
    return login() if callable(login) else login


def basic(login: Credentials | None) -> str | None:
    """Basic, for an API that takes the registry's own login. An identity token is of no use there."""
    if login is None or login.identity_token:
        return None
    return "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode()


def bearer(login: Credentials | None) -> str | None:
    """Bearer, for an API that takes the token which is the registry's password, whatever the user name."""
    if login is None:
        return None
    token = login.identity_token or login.password
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidReference("The password is no token that a provider's API can take. Enter a token instead.")
    return f"Bearer {token}" if token else None


def _total(answer: Answer) -> int:
    text = answer.headers.get("X-Total-Count", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _wait(answer: Answer) -> float | None:
    """How long a 403 that means "too often" asks to wait, as GitHub writes it; None for any other 403."""
    after, reset = answer.headers.get("Retry-After", ""), answer.headers.get("X-RateLimit-Reset", "")
    if after.isascii() and after.isdigit() and len(after) < 10:
        return min(float(after), _LONGEST_WAIT_SECONDS)
    if answer.headers.get("X-RateLimit-Remaining") != "0" or not reset.isascii() or not reset.isdigit():
        return None
    return min(max(float(reset[:12]) - time.time(), 0.0), _LONGEST_WAIT_SECONDS)


def _said(answer: Answer) -> str:
    """The provider's own reason, as `` (message)``, in any of the shapes that they have; empty without one."""
    try:
        document = Document.parse(answer.excerpt(), "The error")
    except InvalidResponse:
        return ""
    for read in (
        lambda: document.documents("errors")[0].text("message"),
        lambda: (document.document("error") or document).text("message"),
        lambda: document.text("error_description") or document.text("error"),
        lambda: document.text("message"),
    ):
        try:
            if message := read():
                return f" ({shown(message, 200)})"
        except (InvalidResponse, IndexError):
            continue
    return ""
