"""GitLab: the registry repositories of a group with its subgroups, or of a project.

API: https://docs.gitlab.com/api/container_registry/. It is on GitLab's own host: gitlab.com for registry.gitlab.com,
the registry's host without its port, or what the scope names. The registry's password is a personal, project or group
access token, which the API takes as Bearer; deploy tokens read the registry but not the API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from fleet.oci.client import RegistryClient
from fleet.oci.errors import InvalidReference, NotFound
from fleet.oci.listings.api import Api, ApiAddress, Provider, bearer, host_of, login_of
from fleet.oci.origin import Origin
from fleet.oci.wording import shown

_GITLAB = Provider("GitLab", "an access token with the scope read_api and the role Reporter, not a deploy token")
_PATH = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.][A-Za-z0-9_.-]*)*", re.ASCII)
_PATH_LIMIT = 1000
# Guests see no registry.
_REPORTER = 20


class GitLabListing:
    def __init__(self, scope: str, address: ApiAddress | None = None) -> None:
        path = scope.strip("/")
        if path and (len(path) > _PATH_LIMIT or not _PATH.fullmatch(path)):
            raise InvalidReference(
                f"{shown(scope)!r} is no GitLab group or project. Write its path, as in platform/backend, after the "
                "URL of GitLab and a space where the registry has a host of its own."
            )
        self._path = path
        self._address = address

    def repositories(self, client: RegistryClient) -> Iterator[str]:
        address = self._address or _address_of(client)
        with client.provider(address.origin, trusted=address.named) as (transport, limits):
            login = bearer(login_of(client))
            api = Api(transport, limits, _GITLAB, prefix=f"{address.prefix}/api/v4", authorization=login)
            yield from api.names(self._names(api))

    def _names(self, api: Api) -> Iterator[str]:
        if not self._path:
            path = f"/groups?top_level_only=true&min_access_level={_REPORTER}"
            for group in api.items(path, "groups"):
                yield from _within(api, "groups", str(group.number("id")), group.text("full_path"))
            return
        try:
            yield from _within(api, "groups", self._path, self._path)
        except NotFound:
            yield from _within(api, "projects", self._path, self._path)


def _within(api: Api, kind: str, identifier: str, name: str) -> Iterator[str]:
    path = f"/{kind}/{quote(identifier, safe='')}/registry/repositories"
    subject = f"registry repositories of the {'group' if kind == 'groups' else 'group or project'} {shown(name)}"
    for repository in api.items(path, subject):
        yield repository.text("path")


def _address_of(client: RegistryClient) -> ApiAddress:
    host = host_of(client)
    if host == "registry.gitlab.com":
        return ApiAddress(Origin("https", "gitlab.com", 443))
    if host.startswith("registry."):
        raise InvalidReference(
            f"GitLab's API is hardly on {shown(host)}. Write the URL of GitLab and a space before the group, as in "
            "https://gitlab.example.com platform/backend."
        )
    # Without a name of its own the registry is on another port of GitLab's host.
    return ApiAddress(Origin("https", host, 443), named=True)
