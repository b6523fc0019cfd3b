"""GitLab's lists of registry repositories, as docs.gitlab.com/api/container_registry shows them."""

import pytest

from fleet.oci.credentials import Credentials
from fleet.oci.errors import InvalidReference, NotFound, Unauthorized
from fleet.oci.listings import listing
from tests.fakes.registry import Reply
from tests.oci.providers import as_json, client_of, linked, query

LOGIN = Credentials("reader", "glpat-s3cret")
GROUP = "/api/v4/groups/platform%2Fbackend/registry/repositories"
PROJECT = "/api/v4/projects/platform%2Fbackend/registry/repositories"


def repository(path, identifier=1):
    return {
        "id": identifier,
        "name": "",
        "path": path,
        "project_id": 9,
        "location": f"gitlab.example.com:5000/{path}",
        "created_at": "2019-01-10T13:38:57.391Z",
        "cleanup_policy_started_at": None,
        "status": None,
    }


def listed(server, scope="platform/backend", login=LOGIN, url="registry.gitlab.com"):
    with client_of(url, login) as client:
        return list(listing("gitlab", f"{server.url} {scope}").repositories(client))


def test_a_group_is_listed_with_its_subgroups(registry):
    pages = [[repository("platform/backend/app"), repository("platform/backend/sub/app/releases")]]
    pages.append([repository("platform/backend/web")])
    # GitLab links by its own name and port, whatever it was asked by.
    registry.routes[GROUP] = linked(pages, "https://127.0.0.1:8443")
    assert listed(registry) == [
        "platform/backend/app",
        "platform/backend/sub/app/releases",
        "platform/backend/web",
    ]
    assert query(registry.requests[0]) == {"per_page": "100"}
    assert {request.authorization for request in registry.requests} == {"Bearer glpat-s3cret"}


def test_what_is_no_group_may_be_a_project(registry):
    registry.routes[GROUP] = as_json({"message": "404 Group Not Found"}, 404)
    registry.routes[PROJECT] = as_json([repository("platform/backend"), repository("platform/backend/releases")])
    assert listed(registry) == ["platform/backend", "platform/backend/releases"]


def test_without_a_scope_every_group_of_the_login_is_listed(registry):
    groups = [{"id": 4, "full_path": "platform", "path": "platform"}, {"id": 15, "full_path": "shop", "path": "shop"}]
    registry.routes["/api/v4/groups"] = linked([groups[:1], groups[1:]])
    registry.routes["/api/v4/groups/4/registry/repositories"] = as_json([repository("platform/app")])
    registry.routes["/api/v4/groups/15/registry/repositories"] = as_json([repository("shop/web")])
    assert listed(registry, "") == ["platform/app", "shop/web"]
    assert query(registry.requests[0])["top_level_only"] == "true"


def test_the_api_may_be_below_a_path(registry):
    registry.routes[f"/gitlab{GROUP}"] = as_json([repository("platform/backend/app")])
    with client_of("registry.example.com", LOGIN) as client:
        names = listing("gitlab", f"{registry.url}/gitlab/ platform/backend").repositories(client)
        assert list(names) == ["platform/backend/app"]


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (401, {"message": "401 Unauthorized"}, Unauthorized, "refused the login"),
        (
            403,
            {
                "error": "insufficient_scope",
                "error_description": "higher privileges are needed",
                "scope": "api read_api",
            },
            Unauthorized,
            r"does not let this login list .*platform/backend \(higher privileges are needed\)",
        ),
        (403, {"message": "403 Forbidden"}, Unauthorized, r"\(403 Forbidden\)"),
        (404, {"message": "404 Group Not Found"}, NotFound, "shows this login no registry repositories"),
    ],
)
def test_a_refusal_names_gitlab_and_the_scope_that_is_missing(registry, status, body, error, said):
    registry.routes[GROUP] = registry.routes[PROJECT] = as_json(body, status)
    with pytest.raises(error, match=said) as caught:
        listed(registry)
    assert "GitLab wants an access token with the scope read_api and the role Reporter" in str(caught.value)
    assert "glpat" not in str(caught.value)


def test_the_token_stays_with_the_api(registry, sample):
    registry.routes[GROUP] = Reply(302, {"Location": f"http://localhost:{registry.port}/elsewhere"})
    registry.routes["/elsewhere"] = as_json([])
    assert listed(registry) == []
    assert [request.authorization for request in registry.requests] == ["Bearer glpat-s3cret", None]


def test_a_registry_of_its_own_name_needs_the_url_of_gitlab():
    with client_of("registry.example.com", LOGIN) as client, pytest.raises(InvalidReference, match="URL of GitLab"):
        list(listing("gitlab", "platform").repositories(client))


def test_a_password_that_is_no_token_is_not_sent(registry):
    with pytest.raises(InvalidReference, match="no token") as caught:
        listed(registry, login=Credentials("me", "two words"))
    assert "two words" not in str(caught.value)
    assert registry.requests == []


@pytest.mark.parametrize("scope", ["a//b", "a b", "a?b", "https://", "https://me:x@gitlab.example.com a", "ftp://x a"])
def test_a_scope_that_cannot_be_is_refused(scope):
    with pytest.raises(InvalidReference):
        listing("gitlab", scope)


def test_plain_http_to_another_machine_is_refused():
    with client_of("registry.example.com", LOGIN) as client, pytest.raises(InvalidReference, match="in clear text"):
        list(listing("gitlab", "http://gitlab.example.com platform").repositories(client))
