import json
from urllib.parse import parse_qs, urlsplit

import pytest

from fleet.oci.client import Limits, RegistryClient
from fleet.oci.errors import InvalidResponse, NotFound, TooLarge, Unauthorized
from tests.fakes.registry import Reply


@pytest.mark.parametrize("absolute", [False, True])
def test_every_page_is_followed(registry, client, absolute):
    def page(request):
        last = "last=b" in request.path
        link = "/v2/team/app/tags/list?n=2&last=b"
        headers = {} if last else {"Link": f'<{registry.url if absolute else ""}{link}>; rel="next"'}
        tags = ["c"] if last else ["a", "b", "not a tag!"]
        return Reply(200, {"Content-Type": "application/json", **headers}, json.dumps({"tags": tags}).encode())

    registry.routes["/v2/team/app/tags/list"] = page
    assert list(client.tags("team/app")) == ["a", "b", "c"]
    assert len(registry.requests) == 2


def test_a_list_does_not_lead_to_another_host(registry, client):
    registry.routes["/v2/_catalog"] = Reply(
        200, {"Link": '<http://169.254.169.254/latest>; rel="next"'}, b'{"repositories":["a"]}'
    )
    with pytest.raises(InvalidResponse, match="another host"):
        list(client.repositories())


def test_an_endless_list_ends(registry):
    registry.routes["/v2/_catalog"] = Reply(200, {"Link": '</v2/_catalog?n=1>; rel="next"'}, b'{"repositories":["a"]}')
    with pytest.raises(TooLarge):
        list(RegistryClient(registry.url, limits=Limits(pages=5)).repositories())
    assert len(registry.requests) == 5


def numbered(field, url, page_names=4):
    """A list without end, a few names on each page; nothing to choose from but what comes next."""

    def page(request):
        first = int(parse_qs(urlsplit(request.path).query).get("last", ["0"])[0])
        names = [f"t{number}" for number in range(first, first + page_names)]
        link = f'<{url}?last={first + page_names}>; rel="next"'
        return Reply(200, {"Link": link}, json.dumps({field: names}).encode())

    return page


@pytest.mark.parametrize("limits", [Limits(names=10), Limits(pages=3)])
def test_more_repositories_than_can_be_kept_are_refused(registry, limits):
    registry.routes["/v2/_catalog"] = numbered("repositories", "/v2/_catalog")
    with pytest.raises(TooLarge, match=r"more repositories than can be read\. Name what matters instead"):
        list(RegistryClient(registry.url, limits=limits).repositories())
    assert len(registry.requests) == 3


@pytest.mark.parametrize(("limits", "count"), [(Limits(names=10), 10), (Limits(pages=3), 12)])
def test_of_more_tags_than_can_be_kept_the_first_are_read(registry, limits, count):
    registry.routes["/v2/a/tags/list"] = numbered("tags", "/v2/a/tags/list")
    tags = list(RegistryClient(registry.url, limits=limits).tags("a"))
    assert tags == [f"t{number}" for number in range(count)]
    assert len(registry.requests) == 3


def test_as_many_names_as_can_be_kept_are_all(registry):
    body = json.dumps({"repositories": [f"t{number}" for number in range(10)]}).encode()
    registry.routes["/v2/_catalog"] = Reply(200, {}, body)
    assert len(list(RegistryClient(registry.url, limits=Limits(names=10)).repositories())) == 10


def test_a_registry_with_smaller_pages_chooses_the_number(registry, client):
    def page(request):
        refused = Reply(400, {}, b'{"errors":[{"code":"PAGINATION_NUMBER_INVALID"}]}')
        return refused if "n=" in request.path else Reply(200, {}, b'{"repositories":["a"]}')

    registry.routes["/v2/_catalog"] = page
    assert list(client.repositories()) == ["a"]


def test_a_name_that_a_registry_repeats_comes_once(registry, client):
    """Tags that are pushed while a list is read move between its pages."""
    pages = [
        Reply(200, {"Link": '</v2/a/tags/list?last=b>; rel="next"'}, b'{"tags":["a","b","a"]}'),
        Reply(200, {}, b'{"tags":["b","c"]}'),
    ]
    registry.routes["/v2/a/tags/list"] = lambda _: pages.pop(0)
    assert list(client.tags("a")) == ["a", "b", "c"]


@pytest.mark.parametrize("body", [b'{"tags":null}', b'{"tags":[]}', b"{}"])
def test_an_empty_repository_has_no_tags(registry, client, body):
    registry.routes["/v2/a/tags/list"] = Reply(200, {}, body)
    assert list(client.tags("a")) == []


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_registry_without_a_catalog_says_to_name_the_repositories(registry, client, status):
    registry.routes["/v2/_catalog"] = Reply(status)
    with pytest.raises((NotFound, Unauthorized), match="name the repositories instead"):
        list(client.repositories())
