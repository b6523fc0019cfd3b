"""GitHub's lists of packages, as docs.github.com/rest/packages shows them."""

import time

import pytest

from fleet.oci.credentials import Credentials
from fleet.oci.errors import InvalidReference, NotFound, RateLimited, Unauthorized
from fleet.oci.listings import listing
from fleet.oci.listings.github import _address_of
from tests.oci.providers import as_json, client_of, linked, query

LOGIN = Credentials("octocat", "ghp_s3cret")
ORGANISATION = "/orgs/Octo-Org/packages"
USER = "/users/Octo-Org/packages"


def package(name):
    return {
        "id": 197,
        "name": name,
        "package_type": "container",
        "owner": {"login": "Octo-Org", "id": 9919, "type": "Organization"},
        "version_count": 1,
        "visibility": "private",
        "url": f"https://api.github.com/orgs/Octo-Org/packages/container/{name}",
        "created_at": "2020-05-19T22:19:11Z",
        "updated_at": "2020-05-19T22:19:11Z",
        "html_url": f"https://github.com/orgs/Octo-Org/packages/container/package/{name}",
    }


def listed(server, scope="Octo-Org", login=LOGIN):
    with client_of("ghcr.io", login) as client:
        return list(listing("github", f"{server.url} {scope}").repositories(client))


def test_an_organisations_packages_are_repositories_in_lower_case(registry):
    pages = [[package("hello_docker"), package("tools/Builder")], [package("web")]]
    registry.routes[ORGANISATION] = linked(pages, registry.url)
    assert listed(registry) == ["octo-org/hello_docker", "octo-org/tools/builder", "octo-org/web"]
    first = registry.requests[0]
    assert query(first) == {"package_type": "container", "per_page": "100"}
    assert first.authorization == "Bearer ghp_s3cret"
    assert first.headers["accept"] == "application/vnd.github+json"
    assert first.headers["x-github-api-version"] == "2022-11-28"
    assert query(registry.requests[1])["package_type"] == "container"


def test_what_is_no_organisation_is_a_user(registry):
    registry.routes[ORGANISATION] = as_json({"message": "Not Found", "status": "404"}, 404)
    registry.routes[USER] = as_json([package("app")])
    assert listed(registry) == ["octo-org/app"]


@pytest.mark.parametrize(
    ("status", "message", "error", "said"),
    [
        (401, "Bad credentials", Unauthorized, "refused the login"),
        (
            403,
            "You need at least read:packages scope to list packages.",
            Unauthorized,
            r"\(You need at least read:packages scope to list packages\.\)",
        ),
        (404, "Not Found", NotFound, "no container packages of the organisation or user Octo-Org"),
    ],
)
def test_a_refusal_names_github_and_the_scope_that_is_missing(registry, status, message, error, said):
    registry.routes[ORGANISATION] = registry.routes[USER] = as_json({"message": message}, status)
    with pytest.raises(error, match=said) as caught:
        listed(registry)
    assert "GitHub wants a classic personal access token with the scope read:packages." in str(caught.value)
    assert "ghp_" not in str(caught.value)


def test_githubs_limit_is_a_403_with_headers(registry):
    reset = str(int(time.time()) + 600)
    message = {"message": "API rate limit exceeded"}
    registry.routes[ORGANISATION] = as_json(message, 403, X_RateLimit_Remaining="0", X_RateLimit_Reset=reset)
    with pytest.raises(RateLimited) as caught:
        listed(registry)
    assert caught.value.retry_after_seconds == pytest.approx(600, abs=30)
    registry.routes[ORGANISATION] = as_json({"message": "secondary rate limit"}, 403, Retry_After="77")
    with pytest.raises(RateLimited) as caught:
        listed(registry)
    assert caught.value.retry_after_seconds == 77


def test_a_login_is_needed(registry):
    registry.routes[ORGANISATION] = as_json({"message": "Requires authentication"}, 401)
    with pytest.raises(Unauthorized, match="wants a login"):
        listed(registry, login=None)
    assert registry.requests[0].authorization is None


@pytest.mark.parametrize(
    ("url", "api", "prefix", "named"),
    [
        ("ghcr.io", "https://api.github.com", "", False),
        ("https://containers.github.example.com", "https://github.example.com", "/api/v3", True),
        ("containers.octo.ghe.com", "https://api.octo.ghe.com", "", False),
    ],
)
def test_the_api_is_found_by_the_registrys_host(url, api, prefix, named):
    with client_of(url) as client:
        address = _address_of(client)
    assert (str(address.origin), address.prefix, address.named) == (api, prefix, named)


def test_another_registry_needs_the_url_of_the_api():
    with client_of("registry.example.com") as client, pytest.raises(InvalidReference, match="no registry of GitHub's"):
        list(listing("github", "octo-org").repositories(client))


@pytest.mark.parametrize("scope", ["", "octo org", "octo/repo", "-octo", "https://api.github.com"])
def test_one_owner_has_to_be_named(scope):
    with pytest.raises(InvalidReference, match="organisation or user"):
        listing("github", scope)
