"""Google Artifact Registry: the Docker packages of a project at the registry's location.

API: https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories.packages. The
catalog of the distribution API does not exist there, and ``tags/list`` names the images below a path only together with
every manifest.

Which of the registry's logins work: ``_json_key`` and ``_json_key_base64``, whose service account key signs a token for
this one API, as Google's own libraries do (https://google.aip.dev/auth/4111), so that nothing is exchanged first; and
any other user name with an OAuth access token as password (``oauth2accesstoken``, and what Google's helpers for Docker
give).
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from urllib.parse import unquote, urlencode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fleet.oci.client import RegistryClient
from fleet.oci.credentials import Credentials
from fleet.oci.document import Document
from fleet.oci.errors import InvalidReference, InvalidResponse, Unauthorized
from fleet.oci.listings.api import Api, ApiAddress, Provider, bearer, host_of, login_of, too_large
from fleet.oci.origin import Origin
from fleet.oci.wording import shown

_API = ApiAddress(Origin("https", "artifactregistry.googleapis.com", 443))
_GOOGLE = Provider("Google", "the role Artifact Registry Reader (roles/artifactregistry.reader), and the API enabled")
_AUDIENCE = "https://artifactregistry.googleapis.com/"
_HOST = re.compile(r"([a-z0-9-]{2,40})-docker\.pkg\.dev", re.ASCII)
# Container Registry's hosts are repositories of that name today.
_OLD_HOSTS = {"gcr.io": "us", "us.gcr.io": "us", "eu.gcr.io": "europe", "asia.gcr.io": "asia"}
_PROJECT = re.compile(r"(?:[a-z0-9.-]{1,100}:)?[a-z][a-z0-9-]{4,29}", re.ASCII)
_REPOSITORY = re.compile(r"[a-z][a-z0-9.-]{0,62}", re.ASCII)
_PAGE_ITEMS = 1000
_TOKEN_SECONDS = 3600


class GoogleListing:
    def __init__(self, scope: str, address: ApiAddress | None = None) -> None:
        self._project, slash, self._repository = scope.partition("/")
        if not _PROJECT.fullmatch(self._project) or (slash and not _REPOSITORY.fullmatch(self._repository)):
            raise InvalidReference(
                f"{shown(scope)!r} names no Google project. Write PROJECT or PROJECT/REPOSITORY; the registry's host "
                "tells the location."
            )
        self._address = address or _API

    def repositories(self, client: RegistryClient) -> Iterator[str]:
        location, served = _place(host_of(client))
        address = self._address
        with client.provider(address.origin, trusted=address.named) as (transport, limits):
            api = Api(transport, limits, _GOOGLE, prefix=f"{address.prefix}/v1", authorization=_token(client))
            yield from api.names(self._names(api, f"projects/{self._project}/locations/{location}", served))

    def _names(self, api: Api, parent: str, served: str) -> Iterator[str]:
        # A project of a domain, example.com:project, is a folder in names.
        folder = self._project.replace(":", "/")
        chosen = served or self._repository
        for repository in [chosen] if chosen else _repositories(api, parent):
            for package in _items(api, f"{parent}/repositories/{repository}", "packages"):
                # Slashes of an image's name are escaped there.
                name = unquote(package.text("name").rpartition("/")[2])
                yield f"{folder}/{name}" if served else f"{folder}/{repository}/{name}"


def _repositories(api: Api, parent: str) -> Iterator[str]:
    for item in _items(api, parent, "repositories"):
        name = item.text("name").rpartition("/")[2]
        # A virtual repository shows what others hold.
        if (
            item.text("format") == "DOCKER"
            and item.text("mode") != "VIRTUAL_REPOSITORY"
            and _REPOSITORY.fullmatch(name)
        ):
            yield name


def _items(api: Api, parent: str, field: str) -> Iterator[Document]:
    subject = f"{field} of {parent}"
    query: dict[str, object] = {"pageSize": _PAGE_ITEMS}
    for _ in range(api.limits.pages):
        document = api.document(f"/{parent}/{field}?{urlencode(query)}", subject)
        yield from document.documents(field)
        following = document.text("nextPageToken")
        if not following or following == query.get("pageToken"):
            return
        query["pageToken"] = following
    raise too_large("Google", subject)


def _place(host: str) -> tuple[str, str]:
    """The location of a registry's host, and the one repository that it serves where it does so."""
    if host in _OLD_HOSTS:
        return _OLD_HOSTS[host], host
    match = _HOST.fullmatch(host)
    if not match:
        raise InvalidReference(
            f"{shown(host)} is no registry of Google's. Write it as https://europe-west1-docker.pkg.dev."
        )
    return match[1], ""


def _token(client: RegistryClient) -> str | None:
    login = login_of(client)
    if login is None or not login.username.startswith("_json_key"):
        return bearer(login)
    return f"Bearer {_signed(login, int(time.time()))}"


def _signed(login: Credentials, now: int) -> str:
    """A token for this API alone, signed by the service account's key."""
    refusal = "The password is no key of a Google service account. Paste the whole JSON file, or its Base64 form."
    try:
        text = base64.b64decode(login.password) if login.username == "_json_key_base64" else login.password.encode()
        fields = Document.parse(text, "The key")
        key = load_pem_private_key(fields.text("private_key").encode(), password=None)
        account, identifier = fields.text("client_email"), fields.text("private_key_id")
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidResponse):
        raise Unauthorized(refusal) from None
    if not isinstance(key, RSAPrivateKey) or not account:
        raise Unauthorized(refusal)
    head = {"alg": "RS256", "typ": "JWT", "kid": identifier}
    claims = {"iss": account, "sub": account, "aud": _AUDIENCE, "iat": now, "exp": now + _TOKEN_SECONDS}
    text = b".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
    return b".".join((text, _encoded(key.sign(text, PKCS1v15(), hashes.SHA256())))).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
