"""From a registry's row to something that answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from itertools import islice
from typing import cast

from django.template.defaultfilters import pluralize

from fleet.models import Registry
from fleet.models.secret import UNREADABLE
from fleet.oci.credentials import Credentials, Login, docker_login
from fleet.oci.ecr import ecr_login
from fleet.oci.errors import Unauthorized
from fleet.oci.listings import Listing, listing
from fleet.oci.origin import registry_origins
from fleet.oci.sources.endpoint import Endpoint, EndpointKind, open_endpoint
from fleet.oci.trust import Trust
from fleet.scanning.budget import PATIENCE_SECONDS, SharedPace
from fleet.scanning.lanes import beat

COUNTED = 1000


def connect(registry: Registry, *, patience_seconds: float = float("inf")) -> Endpoint:
    """The registry's endpoint, ready to read; close it. Raises RegistryError where the row alone shows it cannot.

    ``patience_seconds`` is how long a spent request budget is waited for.
    """
    return open_endpoint(
        cast(EndpointKind, registry.kind),
        registry.url,
        credentials=_login(registry),
        plain_http=registry.plain_http,
        trust=_trust(registry),
        pace=SharedPace(registry, beat=beat, patience_seconds=patience_seconds),
        listing=_listing(registry),
    )


def logins(registry: Registry) -> Callable[[str], Credentials | None]:
    """What an engine may sign in with to pull, by the host that a reference names: the registry's own login for the
    registry itself, and none for any other. The question raises RegistryError where there should be one."""

    def login(host: str) -> Credentials | None:
        if registry.kind != Registry.Kind.DISTRIBUTION or host != registry_origins(registry.url, plain_http=True)[0]:
            return None
        found = _login(registry)
        return found() if callable(found) else found

    return login


def _login(registry: Registry) -> Login | None:
    if registry.secret == UNREADABLE:
        raise _unreadable("password", registry)
    if registry.login == Registry.Login.DOCKER:
        return docker_login(registry.url)
    if registry.login == Registry.Login.ECR:
        return ecr_login(registry.url, registry.username, registry.secret)
    if not registry.username and not registry.secret:
        return None
    return Credentials(registry.username, registry.secret)


def _trust(registry: Registry) -> Trust:
    if registry.client_key == UNREADABLE:
        raise _unreadable("key of the client certificate", registry)
    return Trust(registry.ca_certificate, registry.client_certificate, registry.client_key)


def _listing(registry: Registry) -> Listing | None:
    if registry.listing in (Registry.Listing.CATALOG, Registry.Listing.NAMES):
        return None
    return listing(registry.listing, registry.listing_scope)


def _unreadable(what: str, registry: Registry) -> Unauthorized:
    return Unauthorized(
        f"The stored {what} of {registry.name} cannot be decrypted with the present keys. Enter it again, or restore "
        "the key it was stored with."
    )


def try_connection(registry: Registry) -> str:
    """Speak to a registry once and tell what it said, in a sentence. Raises RegistryError where it cannot be read."""
    with closing(connect(registry, patience_seconds=PATIENCE_SECONDS)) as endpoint:
        endpoint.check()
        if registry.listing == Registry.Listing.NAMES:
            asked = _repositories(len(registry.includes))
            return f"{registry} answers and takes the login. It will be asked for {asked}."
        count = sum(1 for _ in islice(endpoint.repositories(), COUNTED))
    listed = f"{count} or more repositories" if count == COUNTED else _repositories(count)
    return f"{registry} answers and lists {listed}."


def _repositories(count: int) -> str:
    return f"{count} repositor{pluralize(count, 'y,ies')}"
