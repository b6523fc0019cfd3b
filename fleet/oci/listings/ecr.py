"""Amazon ECR: every repository of a private registry.

API: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html, signed with the AWS access
key that the registry's login is made from: the login itself cannot list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fleet.oci.answer import Limits
from fleet.oci.client import RegistryClient
from fleet.oci.document import Document
from fleet.oci.ecr import EcrLogin, EcrRegistry, ask
from fleet.oci.errors import InvalidReference
from fleet.oci.listings.api import ApiAddress, too_large, unique
from fleet.oci.retries import patiently
from fleet.oci.wording import shown

_PAGE_ITEMS = 1000


class EcrListing:
    def __init__(self, scope: str, address: ApiAddress | None = None) -> None:
        if scope:
            raise InvalidReference(
                f"ECR lists a whole registry, not {shown(scope)!r}. Leave it empty, and choose repositories by globs."
            )
        self._address = address

    def repositories(self, client: RegistryClient) -> Iterator[str]:
        registry = EcrRegistry.at(client.name, self._address.origin if self._address else None)
        login = client.login
        if not isinstance(login, EcrLogin):
            raise InvalidReference(
                f"{client.name} lists its repositories for an AWS access key only. Choose that as the login."
            )
        with client.provider(registry.api, trusted=self._address is not None) as (transport, limits):

            def page(fields: dict[str, object]) -> Document:
                action = "DescribeRepositories"
                return patiently(lambda: ask(transport, limits, registry, login.key, action, fields), limits)

            yield from unique(_names(page, registry, limits), limits, registry.api.netloc)


def _names(page: Callable[[dict[str, object]], Document], registry: EcrRegistry, limits: Limits) -> Iterator[str]:
    fields: dict[str, object] = {"registryId": registry.account, "maxResults": _PAGE_ITEMS}
    for _ in range(limits.pages):
        answer = page(fields)
        for repository in answer.documents("repositories"):
            yield repository.text("repositoryName")
        following = answer.text("nextToken")
        if not following or following == fields.get("nextToken"):
            return
        fields["nextToken"] = following
    raise too_large(registry.api.netloc, "repositories")
