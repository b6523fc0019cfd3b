"""Harbor's lists as Harbor 2.x sends them."""

import pytest

from fleet.oci.client import Limits
from fleet.oci.credentials import Credentials
from fleet.oci.errors import InvalidReference, InvalidResponse, NotFound, ServerFailure, TooLarge, Unauthorized
from fleet.oci.listings import listing
from tests.fakes.registry import Reply
from tests.oci.providers import as_json, basic, client_of, linked, query

ROBOT = Credentials("robot$fleet+reader", "s3cret")
LIBRARY = "/api/v2.0/projects/library/repositories"


def project(name, repo_count):
    return {
        "chart_count": 0,
        "creation_time": "2024-03-01T08:00:00.000Z",
        "metadata": {"public": "false", "auto_scan": "true"},
        "name": name,
        "owner_id": 1,
        "project_id": len(name),
        "repo_count": repo_count,
        "togglable": True,
    }


def repository(name):
    return {
        "artifact_count": 3,
        "creation_time": "2024-03-01T08:00:00.000Z",
        "id": 7,
        "name": name,
        "project_id": 1,
        "pull_count": 12,
        "update_time": "2024-03-02T08:00:00.000Z",
    }


def repositories(*names):
    return [repository(name) for name in names]


def listed(registry, scope="library", login=ROBOT, **options):
    with client_of(registry.url, login, **options) as client:
        return list(listing("harbor", scope).repositories(client))


def test_a_project_is_listed_page_by_page(registry):
    registry.routes[LIBRARY] = linked([repositories("library/app", "library/team/web"), repositories("library/db")])
    assert listed(registry) == ["library/app", "library/team/web", "library/db"]
    assert [query(request) for request in registry.requests] == [
        {"page_size": "100"},
        {"page_size": "100", "page": "2"},
    ]


def test_a_robots_name_keeps_its_dollar(registry):
    registry.routes[LIBRARY] = as_json(repositories("library/app"))
    listed(registry)
    assert registry.requests[0].authorization == basic("robot$fleet+reader:s3cret")


def test_pages_go_on_while_the_total_is_not_reached_where_there_is_no_link(registry):
    pages = {"1": repositories("library/a", "library/b"), "2": repositories("library/c"), "3": []}
    registry.routes[LIBRARY] = lambda request: as_json(pages[query(request).get("page", "1")], X_Total_Count="3")
    assert listed(registry) == ["library/a", "library/b", "library/c"]
    assert len(registry.requests) == 2


def test_a_total_that_is_too_large_ends_with_an_empty_page(registry):
    pages = {"1": repositories("library/a"), "2": []}
    registry.routes[LIBRARY] = lambda request: as_json(pages[query(request).get("page", "1")], X_Total_Count="9")
    assert listed(registry) == ["library/a"]


def test_all_projects_are_listed_and_empty_ones_not_asked(registry):
    registry.routes["/api/v2.0/projects"] = linked([[project("library", 1), project("empty", 0)], [project("pay", 2)]])
    registry.routes[LIBRARY] = as_json(repositories("library/app"))
    registry.routes["/api/v2.0/projects/pay/repositories"] = as_json(repositories("pay/a", "pay/b"))
    assert listed(registry, "") == ["library/app", "pay/a", "pay/b"]
    assert not any("empty" in path for path in registry.asked())


def test_a_project_that_vanished_meanwhile_is_left_out(registry):
    registry.routes["/api/v2.0/projects"] = as_json([project("gone", 1), project("library", 1)])
    registry.routes[LIBRARY] = as_json(repositories("library/app"))
    assert listed(registry, "") == ["library/app"]


def test_what_is_no_repository_is_left_out_and_nothing_comes_twice(registry):
    names = ("library/app", "library/App", "../etc/passwd", "", "library/app", "library/a b", "library/web")
    registry.routes[LIBRARY] = as_json(repositories(*names))
    assert listed(registry) == ["library/app", "library/web"]


def test_a_project_whose_name_would_leave_its_path_is_not_asked(registry):
    registry.routes["/api/v2.0/projects"] = as_json([project("../users", 1), project("a/b", 1)])
    assert listed(registry, "") == []
    assert len(registry.requests) == 1


@pytest.mark.parametrize(
    ("status", "login", "error", "said"),
    [
        (401, ROBOT, Unauthorized, "refused the login"),
        (401, None, Unauthorized, "wants a login"),
        (403, ROBOT, Unauthorized, r"does not let this login list .*\(action list on repository\)"),
        (404, ROBOT, NotFound, "shows this login no repositories of the project library"),
    ],
)
def test_a_refusal_names_harbor_and_the_right_that_is_missing(registry, status, login, error, said):
    body = {"errors": [{"code": "FORBIDDEN", "message": "action list on repository"}]}
    registry.routes[LIBRARY] = as_json(body, status)
    with pytest.raises(error, match=said) as caught:
        listed(registry, login=login)
    assert "Harbor wants a user or robot account that may list projects and repositories." in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert len(registry.requests) == 1


def test_a_passing_failure_is_asked_again(registry):
    replies = iter([Reply(502), as_json(repositories("library/app"))])
    registry.routes[LIBRARY] = lambda _: next(replies)
    assert listed(registry) == ["library/app"]


def test_a_page_that_breaks_off_is_asked_again(registry):
    whole = as_json(repositories("library/app"))
    replies = iter([Reply(200, whole.headers, whole.body[:10], stated_bytes=len(whole.body)), whole])
    registry.routes[LIBRARY] = lambda _: next(replies)
    assert listed(registry) == ["library/app"]


def test_a_lasting_failure_ends_after_a_few_tries(registry):
    registry.routes[LIBRARY] = Reply(503)
    with pytest.raises(ServerFailure):
        listed(registry)
    assert len(registry.requests) == 3


def test_pages_in_a_circle_end(registry):
    registry.routes[LIBRARY] = as_json(repositories("library/a"), Link=f'<{LIBRARY}?page_size=100>; rel="next"')
    with pytest.raises(InvalidResponse, match="in a circle"):
        listed(registry)
    assert len(registry.requests) == 1


@pytest.mark.parametrize("limits", [Limits(pages=3), Limits(names=5)])
def test_endless_pages_end(registry, limits):
    def page(request):
        number = int(query(request).get("page", 1))
        return as_json(repositories(f"library/{number}"), Link=f'<{LIBRARY}?page={number + 1}>; rel="next"')

    registry.routes[LIBRARY] = page
    with pytest.raises(TooLarge, match="Name what matters instead"):
        listed(registry, limits=limits)
    assert len(registry.requests) <= 6


def test_a_next_page_on_another_host_is_not_followed(registry):
    registry.routes[LIBRARY] = as_json([], Link='<http://elsewhere.example.com/api>; rel="next"')
    with pytest.raises(InvalidResponse, match="on another host"):
        listed(registry)


def test_a_web_page_is_told(registry):
    registry.routes[LIBRARY] = Reply(200, {"Content-Type": "text/html"}, b"<html>")
    with pytest.raises(InvalidResponse, match="a web page where Harbor's API belongs"):
        listed(registry)


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'[{"name": 1}]', b"[" * 100_000])
def test_what_is_no_list_is_told(registry, body):
    registry.routes[LIBRARY] = Reply(200, {"Content-Type": "application/json"}, body)
    with pytest.raises(InvalidResponse):
        listed(registry)


@pytest.mark.parametrize("scope", ["Library", "a/b", "../users", "a b", "x" * 256])
def test_a_scope_that_is_no_project_is_refused(scope):
    with pytest.raises(InvalidReference, match="no Harbor project"):
        listing("harbor", scope)
