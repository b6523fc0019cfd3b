import base64
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fleet.oci.manifest import ImageConfig, Platform
from fleet.sample.build import BuiltImage, build_image, build_layer
from fleet.sample.filler import Filler
from fleet.sample.index import attested
from fleet.sample.registry import ReadOnlyRegistry
from fleet.sample.tar import File

AMD64 = Platform("linux", "amd64")


def small_image(text: bytes) -> BuiltImage:
    layer = build_layer([File("hello", text), File("bulk", Filler("packed", 700_000))])
    return build_image(ImageConfig(AMD64), [layer])


IMAGE = small_image(b"hello\n")


@pytest.fixture(scope="module")
def registry() -> Iterator[ReadOnlyRegistry]:
    images = {f"team/app-{number}": {"1.0": IMAGE} for number in range(4)}
    images["team/app"] = {f"1.{number}": IMAGE for number in range(7)} | {"built": attested(IMAGE, AMD64)}
    with ReadOnlyRegistry(images, page_size=3) as running:
        yield running


@contextmanager
def connection(registry: ReadOnlyRegistry) -> Iterator[http.client.HTTPConnection]:
    link = http.client.HTTPConnection(registry.address, timeout=10)
    try:
        yield link
    finally:
        link.close()


def ask(registry, path, method="GET", **headers):
    """(status, headers, body) of one request."""
    with connection(registry) as link:
        link.request(method, path, headers=headers)
        response = link.getresponse()
        return response.status, response.headers, response.read()


def walk(registry, path, key):
    """Every name of a paginated list, and how many pages it took."""
    names, pages = [], 0
    while path:
        status, headers, body = ask(registry, path)
        assert status == 200
        names += json.loads(body)[key]
        pages += 1
        path = headers["Link"].partition("<")[2].partition(">")[0] if headers["Link"] else None
    return names, pages


def test_the_root_says_that_this_is_a_registry(registry):
    status, headers, body = ask(registry, "/v2/")
    assert (status, body) == (200, b"{}")
    assert headers["Docker-Distribution-Api-Version"] == "registry/2.0"


def test_the_catalog_comes_in_pages_that_link_to_the_next(registry):
    names, pages = walk(registry, "/v2/_catalog", "repositories")
    assert names == ["team/app", "team/app-0", "team/app-1", "team/app-2", "team/app-3"]
    assert pages == 2


def test_tags_come_in_the_page_size_that_was_asked_for(registry):
    names, pages = walk(registry, "/v2/team/app/tags/list?n=2", "tags")
    assert names == [*(f"1.{number}" for number in range(7)), "built"]
    assert pages == 4


def test_a_manifest_is_the_same_by_tag_and_by_digest(registry):
    by_tag = ask(registry, "/v2/team/app/manifests/1.0")
    by_digest = ask(registry, f"/v2/team/app/manifests/{IMAGE.digest}")
    assert by_tag[0] == by_digest[0] == 200
    assert by_tag[2] == by_digest[2] == IMAGE.document.body
    assert by_tag[1]["Docker-Content-Digest"] == IMAGE.digest
    assert by_tag[1]["Content-Type"] == "application/vnd.oci.image.manifest.v1+json"


def test_a_head_has_the_length_of_the_manifest_and_no_body(registry):
    status, headers, body = ask(registry, "/v2/team/app/manifests/1.0", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == len(IMAGE.document.body)


def test_an_index_leads_to_manifests_and_blobs_that_are_there(registry):
    _, headers, body = ask(registry, "/v2/team/app/manifests/built")
    assert headers["Content-Type"] == "application/vnd.oci.image.index.v1+json"
    rows = json.loads(body)["manifests"]
    assert [row["platform"]["os"] for row in rows] == ["linux", "unknown"]
    for row in rows:
        status, _, manifest = ask(registry, f"/v2/team/app/manifests/{row['digest']}")
        assert (status, len(manifest)) == (200, row["size"])
        for blob in (json.loads(manifest)["config"], *json.loads(manifest)["layers"]):
            status, _, content = ask(registry, f"/v2/team/app/blobs/{blob['digest']}")
            assert (status, len(content)) == (200, blob["size"])


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-99", 0, 100), ("bytes=650000-", 650_000, None), ("bytes=-20", -20, None), ("bytes=5-99999999", 5, None)],
)
def test_a_range_of_a_blob_is_that_part(registry, asked, start, end):
    layer = IMAGE.layers[0]
    whole = b"".join(layer.chunks())
    status, headers, body = ask(registry, f"/v2/team/app/blobs/{layer.digest}", Range=asked)
    assert status == 206
    assert body == whole[start:end]
    first = start if start >= 0 else len(whole) + start
    assert headers["Content-Range"] == f"bytes {first}-{first + len(body) - 1}/{len(whole)}"


def test_a_range_past_the_end_is_refused(registry):
    layer = IMAGE.layers[0]
    status, headers, _ = ask(registry, f"/v2/team/app/blobs/{layer.digest}", Range=f"bytes={layer.size_bytes}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{layer.size_bytes}")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v2/no/such/tags/list", 404, "NAME_UNKNOWN"),
        ("GET", "/v2/team/app/manifests/9.9", 404, "MANIFEST_UNKNOWN"),
        ("GET", "/v2/team/app/blobs/sha256:00", 404, "BLOB_UNKNOWN"),
        ("GET", f"/v2/team/app-9/blobs/{IMAGE.config.digest}", 404, "BLOB_UNKNOWN"),
        ("GET", "/elsewhere", 404, "NOT_FOUND"),
        ("GET", "/v2/_catalog?n=many", 400, "PAGINATION_NUMBER_INVALID"),
        ("PUT", "/v2/team/app/manifests/1.0", 405, "UNSUPPORTED"),
        ("POST", "/v2/team/app/blobs/uploads/", 405, "UNSUPPORTED"),
        ("DELETE", "/v2/team/app/manifests/1.0", 405, "UNSUPPORTED"),
    ],
)
def test_what_cannot_be_answered_gets_the_error_of_the_specification(registry, method, path, status, code):
    answered, _, body = ask(registry, path, method)
    assert (answered, json.loads(body)["errors"][0]["code"]) == (status, code)


def test_one_connection_serves_many_requests(registry):
    with connection(registry) as link:
        for _ in range(3):
            link.request("GET", "/v2/")
            response = link.getresponse()
            assert response.read() == b"{}"
            assert not response.will_close


def test_the_log_says_who_asked_for_what(registry):
    registry.forget_requests()
    ask(registry, "/v2/team/app/manifests/1.0", "HEAD")
    ask(registry, "/v2/team/app/tags/list?n=9")
    assert registry.requests == (
        ("HEAD", "/v2/team/app/manifests/1.0", 200),
        ("GET", "/v2/team/app/tags/list?n=9", 200),
    )


def test_credentials_are_asked_for_and_checked():
    def login(user, password):
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

    with ReadOnlyRegistry({"team/app": {"1": IMAGE}}, credentials=("scanner", "s3cret")) as registry:
        status, headers, body = ask(registry, "/v2/")
        assert (status, json.loads(body)["errors"][0]["code"]) == (401, "UNAUTHORIZED")
        assert headers["WWW-Authenticate"].startswith("Basic realm=")
        assert ask(registry, "/v2/", **login("scanner", "wrong"))[0] == 401
        assert ask(registry, "/v2/", **login("scanner", "s3cret"))[0] == 200


def test_a_closed_registry_frees_its_port():
    with ReadOnlyRegistry({}) as first:
        port = int(first.address.rpartition(":")[2])
    with ReadOnlyRegistry({}, port=port) as second:
        assert ask(second, "/v2/")[0] == 200
