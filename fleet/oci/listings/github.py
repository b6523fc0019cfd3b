"""GitHub: the container packages of an organisation or a user.

API: https://docs.github.com/rest/packages/packages. The registry's password is a classic personal access token.
GitHub Enterprise Server has its registry on containers.HOST and its API on HOST/api/v3; with data residency they are
containers.NAME.ghe.com and api.NAME.ghe.com.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.oci.client import RegistryClient
from fleet.oci.errors import InvalidReference, NotFound
from fleet.oci.listings.api import Api, ApiAddress, Provider, bearer, host_of, login_of
from fleet.oci.origin import Origin
from fleet.oci.wording import shown

_GITHUB = Provider("GitHub", "a classic personal access token with the scope read:packages")
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)


class GitHubListing:
    def __init__(self, scope: str, address: ApiAddress | None = None) -> None:
        if not _OWNER.fullmatch(scope):
            given = f"{shown(scope)!r} is no" if scope else "GitHub lists the packages of one"
            raise InvalidReference(f"{given} organisation or user. Write its name, as in github.com/NAME.")
        self._owner = scope
        self._address = address

    def repositories(self, client: RegistryClient) -> Iterator[str]:
        address = self._address or _address_of(client)
        with client.provider(address.origin, trusted=address.named) as (transport, limits):
            login = bearer(login_of(client))
            api = Api(transport, limits, _GITHUB, prefix=address.prefix, authorization=login, headers=_HEADERS)
            yield from api.names(self._names(api))

    def _names(self, api: Api) -> Iterator[str]:
        try:
            yield from self._packages(api, "orgs", "organisation")
        except NotFound:
            yield from self._packages(api, "users", "organisation or user")

    def _packages(self, api: Api, kind: str, what: str) -> Iterator[str]:
        path = f"/{kind}/{self._owner}/packages?package_type=container"
        for package in api.items(path, f"container packages of the {what} {self._owner}"):
            # Owners have capitals, repositories do not.
            yield f"{self._owner}/{package.text('name')}".lower()


def _address_of(client: RegistryClient) -> ApiAddress:
    host = host_of(client)
    if host == "ghcr.io":
        return ApiAddress(Origin("https", "api.github.com", 443))
    server = host.removeprefix("containers.")
    if server == host:
        raise InvalidReference(
            f"{shown(host)} is no registry of GitHub's. Write the URL of its API and a space before the organisation."
        )
    if server.endswith(".ghe.com"):
        return ApiAddress(Origin("https", f"api.{server}", 443))
    return ApiAddress(Origin("https", server, 443), "/api/v3", named=True)
