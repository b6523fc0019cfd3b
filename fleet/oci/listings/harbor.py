"""Harbor: the repositories of a project, or of all projects that the login sees.

API: https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml. A repository's ``name`` starts with that of its
project. Where a name stands in a path Harbor wants its slashes encoded twice; no path here holds any: projects have
none, and tags are read by the distribution API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.oci.client import RegistryClient
from fleet.oci.errors import InvalidReference, NotFound
from fleet.oci.listings.api import Api, ApiAddress, Provider, basic, login_of
from fleet.oci.wording import shown

_HARBOR = Provider("Harbor", "a user or robot account that may list projects and repositories")
_PROJECT = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)
_NAME_LIMIT = 255


class HarborListing:
    def __init__(self, scope: str, address: ApiAddress | None = None) -> None:
        if scope and not _is_project(scope):
            raise InvalidReference(f"{shown(scope)!r} is no Harbor project. Write its name, as in library.")
        self._project = scope
        self._address = address

    def repositories(self, client: RegistryClient) -> Iterator[str]:
        origin, prefix = (self._address.origin, self._address.prefix) if self._address else (None, "")
        with client.provider(origin, trusted=True) as (transport, limits):
            login = basic(login_of(client))
            api = Api(transport, limits, _HARBOR, prefix=f"{prefix}/api/v2.0", authorization=login)
            yield from api.names(self._names(api))

    def _names(self, api: Api) -> Iterator[str]:
        if self._project:
            yield from _of_project(api, self._project)
            return
        for project in api.items("/projects", "projects", size="page_size"):
            name = project.text("name")
            empty = project.has("repo_count") and not project.number("repo_count")
            if empty or not _is_project(name):
                continue
            try:
                yield from _of_project(api, name)
            except NotFound:
                # Deleted while we read the list.
                continue


def _of_project(api: Api, project: str) -> Iterator[str]:
    path = f"/projects/{project}/repositories"
    for repository in api.items(path, f"repositories of the project {project}", size="page_size"):
        yield repository.text("name")


def _is_project(text: str) -> bool:
    return len(text) <= _NAME_LIMIT and _PROJECT.fullmatch(text) is not None
