import threading

import pytest

from fleet.oci.client import RegistryClient
from fleet.oci.credentials import Credentials
from fleet.oci.errors import (
    DigestMismatch,
    InvalidReference,
    InvalidResponse,
    NotFound,
    RateLimited,
    ServerFailure,
    TooLarge,
    Unauthorized,
    Unreachable,
    UnsupportedMediaType,
)
from fleet.oci.manifest import Descriptor
from fleet.oci.media_types import DOCKER_CONFIG, DOCKER_MANIFEST, OCI_LAYER_GZIP, SCHEMA1_SIGNED
from tests.fakes.registry import Reply, ScriptedRegistry
from tests.oci.content import HASTY, sha256

MANIFEST = "/v2/team/app/manifests/1.0"
HTML = Reply(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>Welcome</html>")


def manifest_reply(sample, **headers):
    return Reply(
        200, {"Content-Type": DOCKER_MANIFEST, "Docker-Content-Digest": sample.digest, **headers}, sample.manifest
    )


def test_a_tag_costs_one_head(registry, client, sample):
    registry.routes[MANIFEST] = manifest_reply(sample)
    found = client.head("team/app", "1.0")
    assert found == Descriptor(DOCKER_MANIFEST, sample.digest, len(sample.manifest))
    assert registry.asked() == [f"HEAD {MANIFEST}"]
    assert "application/vnd.oci.image.index.v1+json" in registry.requests[0].headers["accept"]
    assert (client.stats.requests, client.stats.received_bytes) == (1, 0)


def test_connections_are_reused(registry, client, sample):
    registry.routes[MANIFEST] = manifest_reply(sample)
    for _ in range(5):
        client.head("team/app", "1.0")
        client.manifest("team/app", "1.0")
    assert registry.connections == 1


def test_threads_share_a_client(registry, client, sample):
    registry.routes[MANIFEST] = manifest_reply(sample)
    threads = [threading.Thread(target=client.head, args=("team/app", "1.0")) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.stats.requests == len(registry.requests) == 20


def test_a_connection_that_was_just_closed_is_tried_once_more(registry, client, sample):
    replies = iter([Reply(hangs_up=True), manifest_reply(sample)])
    registry.routes[MANIFEST] = lambda _: next(replies)
    assert client.head("team/app", "1.0").digest == sample.digest


@pytest.mark.parametrize("missing", ["Docker-Content-Digest", "Content-Length"])
def test_a_head_without_its_headers_is_made_up_for_by_a_get(registry, client, sample, missing):
    registry.routes[f"HEAD {MANIFEST}"] = manifest_reply(sample, **{missing: ""})
    registry.routes[f"GET {MANIFEST}"] = manifest_reply(sample, **{"Docker-Content-Digest": ""})
    assert client.head("team/app", "1.0") == Descriptor(DOCKER_MANIFEST, sample.digest, len(sample.manifest))


def test_a_registry_without_head_is_read_by_get(registry, client, sample):
    registry.routes |= {f"HEAD {MANIFEST}": Reply(405), f"GET {MANIFEST}": manifest_reply(sample)}
    assert client.head("team/app", "1.0").digest == sample.digest


def test_a_manifest_is_verified_against_the_digest_that_was_asked(registry, client, sample):
    other = sha256(b"other")
    path = f"/v2/team/app/manifests/{other}"
    registry.routes[path] = manifest_reply(sample)
    with pytest.raises(DigestMismatch, match=r"push it again"):
        client.manifest("team/app", other)
    with pytest.raises(DigestMismatch):
        client.head("team/app", other)


def test_a_blob_that_is_gone_is_the_registrys_loss(registry, client):
    digest = sha256(b"gone")
    with pytest.raises(NotFound, match=f"has lost blob {digest} of team/app.*Push the image again"):
        list(client.blob("team/app", Descriptor("application/octet-stream", digest, 4)))


def test_a_refused_connection_test_speaks_of_a_login_alone(registry, client):
    registry.routes["/v2/"] = Reply(401)
    with pytest.raises(Unauthorized, match=r"wants a login for its API\. Enter"):
        client.check()


def test_a_manifest_that_differs_from_its_stated_digest_is_refused(registry, client, sample):
    registry.routes[MANIFEST] = manifest_reply(sample, **{"Docker-Content-Digest": sha256(b"other")})
    with pytest.raises(DigestMismatch):
        client.manifest("team/app", "1.0")


def test_schema_1_is_called_legacy(registry, client):
    registry.routes[MANIFEST] = Reply(200, {"Content-Type": f"{SCHEMA1_SIGNED}; charset=utf-8"}, b"{}")
    with pytest.raises(UnsupportedMediaType, match="legacy"):
        client.manifest("team/app", "1.0")


@pytest.mark.parametrize(
    "question",
    [
        lambda client: client.check(),
        lambda client: client.head("team/app", "1.0"),
        lambda client: client.manifest("team/app", "1.0"),
        lambda client: list(client.tags("team/app")),
        lambda client: list(client.repositories()),
    ],
)
@pytest.mark.parametrize("status", [200, 404])
def test_a_web_page_is_no_registry(registry, client, question, status):
    for path in ("/v2/", MANIFEST, "/v2/team/app/tags/list", "/v2/_catalog"):
        registry.routes[path] = Reply(status, HTML.headers, HTML.body)
    with pytest.raises(InvalidResponse, match="does not look like a registry"):
        question(client)


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (Reply(404, {"Content-Type": "application/json"}, b"{}"), NotFound, r"has no team/app:1\.0"),
        (Reply(403, {}, b'{"errors":[{"code":"DENIED","message":"no\\u0007pe"}]}'), Unauthorized, r"DENIED: no\?pe"),
        (Reply(401), Unauthorized, "wants a login"),
        (Reply(500, {}, b"\xff" * 100_000), ServerFailure, "status 500"),
        (Reply(503, HTML.headers, HTML.body), ServerFailure, "status 503"),
        (Reply(418), InvalidResponse, "status 418"),
        (Reply(302), InvalidResponse, "status 302"),
        (Reply(200, hangs_up=True), Unreachable, "closed the connection"),
        (Reply(200, {"Content-Type": DOCKER_MANIFEST}, b"{}", stated_bytes=99), Unreachable, "ended its answer early"),
        (Reply(200, delay_seconds=1.2), Unreachable, "stopped sending"),
        (Reply(200, {"Content-Type": DOCKER_MANIFEST}, b" " * (5 << 20)), TooLarge, "more than"),
    ],
)
def test_every_failure_has_its_error_and_a_sentence(registry, client, reply, error, said):
    registry.routes[MANIFEST] = reply
    with pytest.raises(error, match=said) as failure:
        client.manifest("team/app", "1.0")
    assert str(failure.value).endswith(".")


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 86400, 86400),
        ("9" * 60, 86400, 86400),
    ],
)
def test_a_rate_limit_tells_how_long_to_wait(registry, client, header, low, high):
    registry.routes[MANIFEST] = Reply(429, {"Retry-After": header})
    with pytest.raises(RateLimited) as limited:
        client.head("team/app", "1.0")
    assert low <= limited.value.retry_after_seconds <= high
    assert limited.value.temporary


@pytest.mark.parametrize("header", ["", "soon", "-", "1e999x"])
def test_a_rate_limit_without_a_readable_wait_has_none(registry, client, header):
    registry.routes[MANIFEST] = Reply(429, {"Retry-After": header})
    with pytest.raises(RateLimited) as limited:
        client.head("team/app", "1.0")
    assert limited.value.retry_after_seconds is None


def test_nobody_there_is_unreachable():
    with ScriptedRegistry() as gone:
        url = gone.url
    with pytest.raises(Unreachable, match="cannot be connected to"):
        RegistryClient(url, limits=HASTY).check()


def test_an_unknown_name_is_unreachable():
    with pytest.raises(Unreachable, match="cannot be resolved"):
        RegistryClient("registry.invalid", limits=HASTY).check()


def test_a_blob_arrives_whole_in_bounded_chunks(registry, client):
    content = bytes(range(256)) * 4096
    registry.routes[f"/v2/team/app/blobs/{sha256(content)}"] = Reply(200, {}, content)
    chunks = list(client.blob("team/app", Descriptor(OCI_LAYER_GZIP, sha256(content), len(content))))
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= 256 << 10
    assert client.stats.received_bytes == len(content)


@pytest.mark.parametrize(
    ("body", "stated_bytes", "error", "said"),
    [
        (b"x" * 1000, None, DigestMismatch, "bytes that are sha256:"),
        (b"x" * 999, None, DigestMismatch, "after 999 of 1000 bytes"),
        (b"x" * 1001, None, DigestMismatch, "more than the 1000 bytes"),
        (b"x" * 500, 1000, DigestMismatch, "ended its answer early, 3 times at the same place.* 500 of 1000 bytes"),
    ],
)
def test_a_damaged_blob_is_noticed(registry, client, body, stated_bytes, error, said):
    digest = sha256(b"y" * 1000)
    registry.routes[f"/v2/team/app/blobs/{digest}"] = Reply(200, {}, body, stated_bytes)
    with pytest.raises(error, match=said):
        list(client.blob("team/app", Descriptor(OCI_LAYER_GZIP, digest, 1000)))


def test_a_blob_left_unread_does_not_disturb_what_follows(registry, client, sample):
    content = b"z" * (8 << 20)
    registry.routes |= {
        f"/v2/team/app/blobs/{sha256(content)}": Reply(200, {}, content),
        MANIFEST: manifest_reply(sample),
    }
    chunks = client.blob("team/app", Descriptor(OCI_LAYER_GZIP, sha256(content), len(content)))
    next(chunks)
    chunks.close()
    assert client.manifest("team/app", "1.0")[1] == sample.manifest


def test_a_config_beyond_reason_is_not_downloaded(registry, client):
    with pytest.raises(TooLarge):
        client.blob("team/app", Descriptor(DOCKER_CONFIG, sha256(b""), 1 << 30))
    assert registry.requests == []


@pytest.mark.parametrize(
    ("repository", "reference"),
    [("../x", "1"), ("Team/app", "1"), ("a?b", "1"), ("team/app", "../1"), ("team/app", "1\r\nX: y"), ("a", "")],
)
def test_names_that_would_change_the_path_are_never_sent(registry, client, repository, reference):
    with pytest.raises(InvalidReference):
        client.head(repository, reference)
    assert registry.requests == []


@pytest.mark.parametrize(
    ("reply", "fine"),
    [
        (Reply(200, {"Content-Type": "application/json"}, b"{}"), True),
        (Reply(200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b""), True),
        (Reply(200, {"Content-Type": "text/plain"}, b"OK"), False),
        (Reply(404, {"Content-Type": "application/json"}, b"{}"), False),
    ],
)
def test_the_connection_test_knows_a_registry(registry, client, reply, fine):
    registry.routes["/v2/"] = reply
    if fine:
        client.check()
    else:
        with pytest.raises(InvalidResponse, match="does not look like a registry"):
            client.check()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://registry.example.com", "plain HTTP"),
        ("ftp://registry.example.com", "no URL of a registry"),
        ("https://registry.example.com/some/path", "no URL of a registry"),
        ("https://registry.example.com?x", "no URL of a registry"),
        ("https://registry.example.com:0", "no valid port"),
        ("https://reg istry", "no URL of a registry"),
        ("", "no URL of a registry"),
        ("https://user:hunter2@registry.example.com", "no login"),
    ],
)
def test_a_url_that_cannot_be_a_registrys_is_refused(url, said):
    with pytest.raises(InvalidReference, match=said) as refusal:
        RegistryClient(url)
    assert "hunter2" not in str(refusal.value)


def test_a_loopback_registry_without_a_scheme_is_found_on_plain_http(registry, sample):
    registry.routes[MANIFEST] = manifest_reply(sample)
    client = RegistryClient(registry.host)
    assert client.name == registry.host
    assert client.head("team/app", "1.0").digest == sample.digest
    assert client.stats.requests == 1
    client.head("team/app", "1.0")
    # The attempt at TLS, then one connection for all.
    assert registry.connections == 2


def test_docker_hub_is_spoken_to_where_it_lives():
    client = RegistryClient("https://docker.io")
    assert client.name == "docker.io"
    assert str(client._transport.home) == "https://registry-1.docker.io"


def test_a_repr_never_shows_a_login():
    assert "hunter2" not in repr(Credentials("user", "hunter2", "hunter2"))
