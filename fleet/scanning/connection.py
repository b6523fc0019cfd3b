"""From a registry's row to something that answers."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import cast

from django.template.defaultfilters import pluralize

from fleet.models import Registry
from fleet.models.secret import UNREADABLE
from fleet.oci.credentials import Credentials
from fleet.oci.errors import Unauthorized
from fleet.oci.sources.endpoint import Endpoint, EndpointKind, open_endpoint

COUNTED = 1000


def connect(registry: Registry) -> Endpoint:
    """The registry's endpoint, ready to read; close it. Raises RegistryError where the row alone shows it cannot."""
    return open_endpoint(
        cast(EndpointKind, registry.kind),
        registry.url,
        credentials=_credentials(registry),
        plain_http=registry.plain_http,
    )


def _credentials(registry: Registry) -> Credentials | None:
    if registry.secret == UNREADABLE:
        raise Unauthorized(
            f"The stored password of {registry.name} cannot be decrypted with the present keys. Enter it again, or "
            "restore the key it was stored with."
        )
    if not registry.username and not registry.secret:
        return None
    return Credentials(registry.username, registry.secret)


def try_connection(registry: Registry) -> str:
    """Speak to a registry once and tell what it said, in a sentence. Raises RegistryError where it cannot be read."""
    with closing(connect(registry)) as endpoint:
        endpoint.check()
        if registry.listing == Registry.Listing.NAMES:
            asked = _repositories(len(registry.includes))
            return f"{registry} answers and takes the login. It will be asked for {asked}."
        count = sum(1 for _ in islice(endpoint.repositories(), COUNTED))
    listed = f"{count} or more repositories" if count == COUNTED else _repositories(count)
    return f"{registry} answers and lists {listed}."


def _repositories(count: int) -> str:
    return f"{count} repositor{pluralize(count, 'y,ies')}"
