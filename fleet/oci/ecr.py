"""Amazon ECR: where a registry's API is, how it is asked, and the login that it hands out for an AWS access key.

Spec: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/. Private registries only: public.ecr.aws is read
without a login, and lists its repositories to nobody but their owners.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from fleet.oci.answer import Answer, Limits, Stats
from fleet.oci.aws import AccessKey, Request, signed
from fleet.oci.credentials import Credentials, Renewed
from fleet.oci.document import Document
from fleet.oci.errors import InvalidReference, InvalidResponse, NotFound, RateLimited, RegistryError, Unauthorized
from fleet.oci.failures import status_failure
from fleet.oci.origin import Origin, Target, registry_origins
from fleet.oci.transport import Transport
from fleet.oci.wording import shown

_HOST = re.compile(
    r"(\d{12})\.dkr[.-]ecr(-fips)?\.([a-z0-9-]{1,40})\.(amazonaws\.(?:com|com\.cn|eu)|on\.aws)", re.ASCII
)
_TARGET = "AmazonEC2ContainerRegistry_V20150921"
_LONGEST_LIFE_SECONDS = 12 * 3600.0
# Clocks, and requests that are under way while the token ends, take their part of its life.
_USABLE_SHARE = 0.9

_LIMITED = ("ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException")
_NO_KEY = (
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
)
_OVER = ("ExpiredTokenException", "ExpiredToken", "RequestExpired")
_DENIED = ("AccessDeniedException", "AccessDenied")
_MISSING = ("RegistryNotFoundException", "RepositoryNotFoundException")


@dataclass(frozen=True, slots=True)
class EcrRegistry:
    """The account and region of a registry, and the origin of the API for both."""

    account: str
    region: str
    api: Origin

    @classmethod
    def at(cls, host: str, api: Origin | None = None) -> EcrRegistry:
        """Reads ``ACCOUNT.dkr.ecr.REGION.amazonaws.com`` and its forms for FIPS, China, Europe and IPv6.

        ``api`` stands for an endpoint of one's own, as in a private network. Raises InvalidReference for another host.
        """
        match = _HOST.fullmatch(host)
        if not match:
            raise InvalidReference(
                f"{shown(host)} is no registry of Amazon ECR. Write it as "
                "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com."
            )
        account, fips, region, domain = match.groups()
        service = "ecr-fips" if fips else "ecr"
        if domain == "on.aws":
            name = f"{service}.{region}.api.aws"
        else:
            name = f"{service}.{region}.{domain}" if fips else f"api.ecr.{region}.{domain}"
        return cls(account, region, api or Origin("https", name, 443))


class EcrLogin(Renewed):
    """The registry's login, fetched with ``key`` when it is first needed and again before its 12 hours are over."""

    def __init__(self, registry: EcrRegistry, key: AccessKey) -> None:
        super().__init__(self._authorization)
        self.key = key
        self._registry = registry

    def _authorization(self) -> tuple[Credentials, float]:
        limits = Limits()
        with closing(Transport((self._registry.api,), stats=Stats(), limits=limits)) as transport:
            answer = ask(transport, limits, self._registry, self.key, "GetAuthorizationToken", {})
        data = answer.documents("authorizationData")
        try:
            token = base64.b64decode(data[0].text("authorizationToken"), validate=True).decode()
        except (ValueError, IndexError):
            token = ""
        username, colon, password = token.partition(":")
        if not colon:
            raise InvalidResponse(f"{self._registry.api.netloc} sent no usable login. Try again later.")
        left = data[0].real("expiresAt") - time.time() if data[0].has("expiresAt") else _LONGEST_LIFE_SECONDS
        return Credentials(username, password), _USABLE_SHARE * min(max(left, 0.0), _LONGEST_LIFE_SECONDS)


@lru_cache(maxsize=256)
def ecr_login(url: str, identifier: str, secret: str) -> EcrLogin:
    """The login of the registry at ``url`` for an AWS access key id and its secret, as AccessKey.parse reads it.

    The same for the same arguments, so that all of a worker's connections share one token. Asks nothing yet. Raises
    InvalidReference for a URL that is not ECR's or a key that cannot be one.
    """
    name, _ = registry_origins(url)
    return EcrLogin(EcrRegistry.at(name), AccessKey.parse(identifier, secret))


def ask(
    transport: Transport,
    limits: Limits,
    registry: EcrRegistry,
    key: AccessKey,
    action: str,
    fields: Mapping[str, object],
) -> Document:
    """What one action of ECR's API answers. Raises RegistryError, with the permission that the action needs."""
    body = json.dumps(fields).encode()
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{_TARGET}.{action}"}
    request = Request("POST", registry.api.netloc, headers=headers, body=body)
    headers = signed(request, key, region=registry.region, service="ecr", at=datetime.now(UTC))
    answer = transport.follow("POST", Target(registry.api, "/"), headers, home=registry.api, body=body)
    if answer.status != 200:
        raise _failure(answer, registry, action)
    return Document.parse(answer.body(limits.page_bytes), f"The answer of {answer.where}")


def _failure(answer: Answer, registry: EcrRegistry, action: str) -> RegistryError:
    if answer.status == 429 or answer.status >= 500:
        return status_failure(answer, f"ecr:{action}", signed_in=True)
    where = answer.where
    try:
        error = Document.parse(answer.excerpt(), "The error")
        kind = error.text("__type").rpartition("#")[2]
        message = error.text("message") or error.text("Message")
    except InvalidResponse:
        kind = message = ""
    if kind in _LIMITED:
        return RateLimited(f"{where} limits how often it may be asked. Scan less often.")
    if kind in _NO_KEY:
        # The message of a wrong signature repeats what was signed, the session token with it.
        return Unauthorized(f"{where} refused the AWS access key. Check its id and its secret, and the clock here.")
    if kind in _OVER:
        return Unauthorized(f"{where} says that the AWS access key is no longer valid. Enter a new one.")
    if kind in _DENIED:
        return Unauthorized(
            f"{where} does not let this AWS access key ask ecr:{action} ({shown(message, 200)}). "
            "Give it that permission."
        )
    if kind in _MISSING:
        return NotFound(f"{where} knows no registry of account {registry.account}. Check the URL and the region.")
    return InvalidResponse(
        f"{where} answered ecr:{action} with status {answer.status} ({shown(kind or 'no reason given', 80)}). "
        "Check the registry's URL and the AWS access key."
    )
