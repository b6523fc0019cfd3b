"""Where repositories are listed when there is no catalog: Harbor, GitLab, GitHub, Amazon ECR, Google.

A scope is what to list, and differs from provider to provider. A URL and a space before it name the provider's API
where it is not where we would look for it: ``https://gitlab.example.com platform/backend``. The registry's login is
sent there, so it is only ever the registry's own host, the provider's public API, or what the admin wrote.

    Harbor   PROJECT, or nothing for all projects that the login sees
    GitLab   GROUP/SUBGROUP or GROUP/PROJECT, or nothing for all groups that the login is a member of
    GitHub   an organisation or a user
    ECR      nothing: the whole registry
    Google   PROJECT, or PROJECT/REPOSITORY
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from fleet.oci.errors import InvalidReference
from fleet.oci.listings.api import ApiAddress
from fleet.oci.listings.ecr import EcrListing
from fleet.oci.listings.github import GitHubListing
from fleet.oci.listings.gitlab import GitLabListing
from fleet.oci.listings.google import GoogleListing
from fleet.oci.listings.harbor import HarborListing
from fleet.oci.listings.listing import Listing
from fleet.oci.origin import registry_origins
from fleet.oci.wording import shown

__all__ = ["Listing", "listing"]

_LISTINGS: Mapping[str, Callable[[str, ApiAddress | None], Listing]] = {
    "harbor": HarborListing,
    "gitlab": GitLabListing,
    "github": GitHubListing,
    "ecr": EcrListing,
    "google": GoogleListing,
}


def listing(provider: str, scope: str) -> Listing:
    """The listing of ``provider`` (harbor, gitlab, github, ecr, google) within ``scope``. Asks nothing yet.

    Raises InvalidReference for a scope that cannot be one.
    """
    if provider not in _LISTINGS:
        raise InvalidReference(f"{shown(provider)!r} lists no repositories. Choose one of {', '.join(_LISTINGS)}.")
    address, rest = _split(scope.strip())
    return _LISTINGS[provider](rest, address)


def _split(scope: str) -> tuple[ApiAddress | None, str]:
    if "://" not in scope:
        return None, scope
    url, _, rest = scope.partition(" ")
    return _address(url), rest.strip()


def _address(url: str) -> ApiAddress:
    refusal = f"{shown(url)!r} is no URL of an API. Write https://gitlab.example.com, a space, and what to list."
    try:
        parsed = parse_url(url)
    except LocationParseError:
        raise InvalidReference(refusal) from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise InvalidReference(refusal)
    # The client decides on plain HTTP: it depends on the registry.
    netloc = url.partition("://")[2].partition("/")[0]
    _, (origin, *_) = registry_origins(f"{parsed.scheme}://{netloc}", plain_http=True)
    return ApiAddress(origin, (parsed.path or "").rstrip("/"), named=True)
