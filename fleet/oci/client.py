"""The distribution API as a reader needs it.

Spec: https://github.com/opencontainers/distribution-spec/blob/main/spec.md; the catalog is Docker's addition. No
request is made beyond what the caller asks for: an unchanged tag costs one HEAD.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from fleet.oci.answer import Answer, Limits, Stats
from fleet.oci.authorization import CATALOG_SCOPE, Authorizer, parse_challenge
from fleet.oci.credentials import Login
from fleet.oci.digests import digest_of, is_digest, verified, verify
from fleet.oci.document import Document
from fleet.oci.download import Download
from fleet.oci.errors import (
    DigestMismatch,
    InvalidReference,
    InvalidResponse,
    NotFound,
    TooLarge,
    Unauthorized,
    UnsupportedMediaType,
)
from fleet.oci.failures import API, looks_like_html, no_registry, status_failure
from fleet.oci.manifest import Descriptor
from fleet.oci.media_types import ACCEPT, is_image_config, is_schema1, without_parameters
from fleet.oci.origin import Origin, is_loopback, registry_origins
from fleet.oci.pace import Pace
from fleet.oci.pages import PAGE_NAMES, names_of, next_path
from fleet.oci.reference import is_repository, is_tag
from fleet.oci.retries import patiently
from fleet.oci.transport import Transport
from fleet.oci.trust import Trust
from fleet.oci.wording import shown

__all__ = ["Limits", "RegistryClient", "Stats"]

_T = TypeVar("_T")


class RegistryClient:
    """Reads one registry. Threads share one. Every method raises RegistryError with a sentence for people.

    ``url`` is https://host, http://host, or host[:port]; ``docker.io`` is Docker Hub. Without a scheme https is tried
    first, then plain HTTP where the host is this machine or ``plain_http`` allows it. Temporary failures are asked
    about again within the limits; ``pace`` is asked before each request to the registry itself.
    """

    def __init__(
        self,
        url: str,
        *,
        credentials: Login | None = None,
        plain_http: bool = False,
        stats: Stats | None = None,
        limits: Limits | None = None,
        pace: Pace | None = None,
        trust: Trust | None = None,
    ) -> None:
        self.name, origins = registry_origins(url, plain_http=plain_http)
        self.login = credentials
        self.stats = stats or Stats()
        self._limits = limits or Limits()
        self._transport = Transport(origins, stats=self.stats, limits=self._limits, pace=pace, trust=trust)
        self._authorizer = Authorizer(self._transport, credentials, self._limits)

    def check(self) -> None:
        """Whether this is a registry that takes our login.

        Raises InvalidResponse for another kind of server, Unauthorized for a refused login, Unreachable for silence.
        """
        self._patiently(self._check)

    def _check(self) -> None:
        if self._authorizer.signed_in:
            answer = self._ask("GET", "/v2/", "")
        else:
            answer = self._transport.request("GET", "/v2/", {"Accept": "application/json"})
            challenge = parse_challenge(answer.headers.get("WWW-Authenticate", ""))
            if answer.status == 401 and challenge and challenge.scheme == "bearer":
                # Whether strangers may read is decided for each repository, by its token.
                answer.discard()
                return
        if answer.status == 404:
            answer.discard()
            raise no_registry(answer)
        answer = self._expect_success(answer, API)
        if "Docker-Distribution-Api-Version" in answer.headers:
            answer.discard()
            return
        try:
            Document.parse(answer.body(self._limits.error_bytes), "The answer")
        except (InvalidResponse, TooLarge):
            raise no_registry(answer) from None

    def repositories(self) -> Iterator[str]:
        """Every repository that the catalog lists. Many registries have none, or want an administrator for it."""
        try:
            whole = yield from self._names("/v2/_catalog", "repositories", CATALOG_SCOPE, "catalog", is_repository)
        except (NotFound, Unauthorized) as error:
            raise type(error)(
                f"{self.name} does not list its repositories for this login. "
                "Check the login, or name the repositories instead."
            ) from error
        if not whole:
            raise TooLarge(f"{self.name} lists more repositories than can be read. Name what matters instead.")

    def tags(self, repository: str) -> Iterator[str]:
        """The tags of a repository, in the registry's order; none when it is empty.

        All of them up to the limits, where they end without an error: there are repositories with a million, and no
        way to ask for the newest.
        """
        path = f"/v2/{_checked(repository)}/tags/list"
        yield from self._names(path, "tags", _pull(repository), repository, is_tag)

    def head(self, repository: str, reference: str) -> Descriptor:
        """What a tag or digest points to, by one HEAD. The digest is the registry's word until it is fetched by it."""
        return self._patiently(lambda: self._head(repository, reference))

    def _head(self, repository: str, reference: str) -> Descriptor:
        answer = self._ask("HEAD", _manifest_path(repository, reference), _pull(repository), ACCEPT)
        if answer.status == 405:
            answer.discard()
            return self._manifest(repository, reference)[0]
        self._expect_success(answer, _subject(repository, reference)).discard()
        media_type = without_parameters(answer.headers.get("Content-Type", ""))
        digest = answer.headers.get("Docker-Content-Digest", "")
        size_bytes = answer.content_bytes
        if not media_type or not is_digest(digest) or size_bytes is None:
            # Old registries and some proxies leave it out.
            return self._manifest(repository, reference)[0]
        if is_digest(reference) and digest != reference:
            raise DigestMismatch(f"{self.name} was asked for {reference} and offers {digest}. Push the image again.")
        return Descriptor(media_type, digest, size_bytes)

    def manifest(self, repository: str, reference: str) -> tuple[Descriptor, bytes]:
        """A manifest or index as stored, verified against its digest. Tags and digests are references."""
        return self._patiently(lambda: self._manifest(repository, reference))

    def _manifest(self, repository: str, reference: str) -> tuple[Descriptor, bytes]:
        subject = _subject(repository, reference)
        answer = self._ask("GET", _manifest_path(repository, reference), _pull(repository), ACCEPT)
        body = self._expect_success(answer, subject).body(self._limits.manifest_bytes)
        media_type = without_parameters(answer.headers.get("Content-Type", ""))
        if is_schema1(media_type):
            raise UnsupportedMediaType(
                f"{subject} is a legacy schema 1 manifest, which states no sizes. Push it again with a current engine."
            )
        stated = answer.headers.get("Docker-Content-Digest", "")
        for digest in {text for text in (reference, stated) if is_digest(text)}:
            verify(body, digest, self.name)
        digest = reference if is_digest(reference) else digest_of(body)
        return Descriptor(media_type, digest, len(body)), body

    def blob(self, repository: str, descriptor: Descriptor) -> Iterator[bytes]:
        """A blob's bytes as stored, in chunks of at most 256 KiB. Raises DigestMismatch, at the end if not before."""
        if is_image_config(descriptor.media_type) and descriptor.size_bytes > self._limits.config_bytes:
            raise TooLarge(
                f"The image config in {repository} has {descriptor.size_bytes} bytes. No builder writes such."
            )
        if not is_digest(descriptor.digest):
            raise InvalidReference(f"{shown(descriptor.digest)!r} is no digest that can be verified.")
        _checked(repository)
        download = Download(lambda position: self._blob(repository, descriptor, position), descriptor, self._limits)
        return verified(download.chunks(), descriptor, self.name)

    def _blob(self, repository: str, descriptor: Descriptor, position: int) -> Answer:
        """The answer that holds a blob from ``position`` on, or from its beginning when Range means nothing there."""
        subject = f"blob {descriptor.digest} of {repository}"
        path = f"/v2/{repository}/blobs/{descriptor.digest}"
        fields = {"Range": f"bytes={position}-"} if position else {}
        answer = self._ask("GET", path, _pull(repository), fields=fields)
        if answer.status == 404:
            answer.discard()
            raise NotFound(f"{self.name} has lost {subject}, which a manifest names. Push the image again.")
        if position and answer.status == 206:
            return answer
        return self._expect_success(answer, subject, html_is_wrong=False)

    @contextmanager
    def provider(self, origin: Origin | None = None, *, trusted: bool = False) -> Iterator[tuple[Transport, Limits]]:
        """The way to the provider's own API, for what the distribution API cannot tell: at home unless ``origin`` is
        given. The login is the caller's to send. Raises InvalidReference for plain HTTP where the registry has none.
        """
        home = self._transport.home
        if origin is None or origin == home:
            yield self._transport, self._limits
            return
        if origin.scheme == "http" and home.scheme != "http" and not is_loopback(origin.host):
            raise InvalidReference(
                f"{shown(origin.netloc)} would be read over plain HTTP, in clear text. Use https://."
            )
        transport = self._transport.beside(origin, trusted=trusted)
        try:
            yield transport, self._limits
        finally:
            transport.close()

    def close(self) -> None:
        self._transport.close()

    def _names(
        self, path: str, field: str, scope: str, subject: str, is_name: Callable[[str], bool]
    ) -> Generator[str, None, bool]:
        """Follows the pages of a list, as far as the limits allow, and gives whether that was to its end. A name that
        comes twice is passed on once."""
        seen: set[str] = set()
        page = f"{path}?n={PAGE_NAMES}"
        for position in range(self._limits.pages):
            question = partial(self._page, page, path if position == 0 else page, field, scope, subject)
            names, following = self._patiently(question)
            fresh = [name for name in dict.fromkeys(names) if name not in seen and is_name(name)]
            room = self._limits.names - len(seen)
            seen.update(fresh[:room])
            yield from fresh[:room]
            if len(fresh) > room:
                return False
            if following is None:
                return True
            page = following
        return False

    def _page(
        self, page: str, fallback: str, field: str, scope: str, subject: str
    ) -> tuple[tuple[str, ...], str | None]:
        """The names on one page, and the path of the following one."""
        answer = self._ask("GET", page, scope)
        if answer.status == 400 and fallback != page:
            # A registry with smaller pages refuses the number: let it choose.
            answer.discard()
            answer = self._ask("GET", fallback, scope)
        names = names_of(self._expect_success(answer, subject), field, self._limits.page_bytes)
        return names, next_path(answer)

    def _patiently(self, question: Callable[[], _T]) -> _T:
        return patiently(question, self._limits)

    def _ask(
        self,
        method: str,
        path: str,
        scope: str,
        accept: str = "application/json",
        fields: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """One request, and a second one when the registry challenges the first."""
        headers = {"Accept": accept, **fields}
        authorization = self._authorizer.header(scope)
        answer = self._transport.request(method, path, _with(headers, authorization))
        if answer.status != 401 or answer.target.origin != self._transport.home:
            return answer
        challenge = parse_challenge(answer.headers.get("WWW-Authenticate", ""))
        if challenge is None:
            return answer

        def send(renewed: str) -> Answer:
            return self._transport.request(method, path, _with(headers, renewed))

        return self._authorizer.meet(challenge, scope, answer, authorization, send)

    def _expect_success(self, answer: Answer, subject: str, *, html_is_wrong: bool = True) -> Answer:
        if answer.status != 200:
            raise status_failure(answer, subject, signed_in=self._authorizer.signed_in)
        if html_is_wrong and looks_like_html(answer):
            answer.discard()
            raise no_registry(answer)
        return answer


def _with(headers: dict[str, str], authorization: str | None) -> dict[str, str]:
    return {**headers, "Authorization": authorization} if authorization else headers


def _pull(repository: str) -> str:
    return f"repository:{repository}:pull"


def _subject(repository: str, reference: str) -> str:
    return f"{repository}{'@' if is_digest(reference) else ':'}{shown(reference)}"


def _manifest_path(repository: str, reference: str) -> str:
    if not is_tag(reference) and not is_digest(reference):
        raise InvalidReference(f"{shown(reference)!r} is neither a tag nor a digest. Check the reference.")
    return f"/v2/{_checked(repository)}/manifests/{reference}"


def _checked(repository: str) -> str:
    if not is_repository(repository):
        raise InvalidReference(f"{shown(repository)!r} is no repository name. Write it in lower case, as in team/app.")
    return repository
