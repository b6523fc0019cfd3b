import email.utils
import threading
import time
from dataclasses import replace

import pytest

from fleet.oci.client import RegistryClient
from fleet.oci.credentials import Credentials
from fleet.oci.errors import (
    InvalidResponse,
    NotFound,
    RateLimited,
    ServerFailure,
    TimedOut,
    Unauthorized,
    Unreachable,
    UntrustedCertificate,
)
from fleet.oci.media_types import DOCKER_MANIFEST
from fleet.oci.retries import backoff, wait_before_next
from tests.fakes.registry import Reply, ScriptedRegistry
from tests.oci.content import HASTY

MANIFEST = "/v2/a/manifests/1"


def good(sample):
    return Reply(200, {"Content-Type": DOCKER_MANIFEST, "Docker-Content-Digest": sample.digest}, sample.manifest)


def first(*replies, then):
    queue = list(replies)
    return lambda _: queue.pop(0) if queue else then


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("method", ["head", "manifest"])
def test_a_burst_of_failures_is_outlived(registry, client, sample, status, method):
    registry.routes[MANIFEST] = first(Reply(status), Reply(status), then=good(sample))
    getattr(client, method)("a", "1")
    assert len(registry.requests) == client.stats.requests == 3


def test_a_registry_that_stays_broken_is_asked_three_times(registry, client):
    registry.routes[MANIFEST] = Reply(503)
    with pytest.raises(ServerFailure, match=r"status 503 for a:1\. Try again later"):
        client.head("a", "1")
    assert len(registry.requests) == 3


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(501), ServerFailure),
        (Reply(503, {"Retry-After": "3600"}), ServerFailure),
        (Reply(404), NotFound),
        (Reply(403), Unauthorized),
        (Reply(401), Unauthorized),
        (Reply(418), InvalidResponse),
        (Reply(429), RateLimited),
        (Reply(429, {"Retry-After": "soon"}), RateLimited),
        (Reply(429, {"Retry-After": "3"}), RateLimited),
        (Reply(200, delay_seconds=0.8), TimedOut),
    ],
)
def test_what_does_not_pass_soon_is_asked_once(registry, client, reply, error):
    registry.routes[MANIFEST] = reply
    with pytest.raises(error):
        client.head("a", "1")
    assert len(registry.requests) == 1


@pytest.mark.parametrize("as_date", [False, True])
def test_a_short_wait_is_waited_and_not_shortened(registry, sample, as_date):
    # An HTTP date has whole seconds, so half a second ahead may read as now.
    header = email.utils.formatdate(time.time() + 2, usegmt=True) if as_date else "1"
    registry.routes[MANIFEST] = first(Reply(429, {"Retry-After": header}), then=good(sample))
    started = time.monotonic()
    RegistryClient(registry.url, limits=HASTY).head("a", "1")
    assert time.monotonic() - started >= 0.9
    assert len(registry.requests) == 2


@pytest.mark.parametrize("as_date", [False, True])
def test_a_long_wait_is_told_at_once(registry, client, as_date):
    header = email.utils.formatdate(time.time() + 1800, usegmt=True) if as_date else "1800"
    registry.routes[MANIFEST] = Reply(429, {"Retry-After": header})
    with pytest.raises(RateLimited) as limited:
        client.head("a", "1")
    assert 1700 < limited.value.retry_after_seconds <= 1800
    assert len(registry.requests) == 1


def test_a_registry_that_comes_back_is_found(sample):
    """Nobody listens at first: the port answers while the client waits."""
    with ScriptedRegistry() as gone:
        port = gone.port
    back = []
    timer = threading.Timer(0.1, lambda: back.append(ScriptedRegistry({MANIFEST: good(sample)}, port=port).__enter__()))
    client = RegistryClient(f"http://127.0.0.1:{port}", limits=replace(HASTY, backoff_seconds=0.4))
    timer.start()
    try:
        assert client.head("a", "1").digest == sample.digest
    finally:
        timer.join()
        back[0].__exit__()


@pytest.mark.parametrize("broken", [Reply(hangs_up=True), Reply(200, {"Content-Type": "x/y"}, b"{", stated_bytes=99)])
def test_a_manifest_cut_short_is_read_again(registry, client, sample, broken):
    registry.routes[MANIFEST] = first(broken, broken, then=good(sample))
    assert client.manifest("a", "1")[1] == sample.manifest


def test_a_page_that_fails_is_read_again_and_no_name_comes_twice(registry, client):
    def page(request):
        if "last=b" in request.path:
            return next(second)
        return Reply(200, {"Link": '</v2/a/tags/list?last=b>; rel="next"'}, b'{"tags":["a","b"]}')

    second = iter([Reply(502), Reply(200, {}, b'{"tags":["c"]', stated_bytes=14), Reply(200, {}, b'{"tags":["c"]}')])
    registry.routes["/v2/a/tags/list"] = page
    assert list(client.tags("a")) == ["a", "b", "c"]
    assert len(registry.requests) == 4


def test_a_realm_that_fails_for_a_moment_is_asked_again(registry, client, sample):
    registry.routes["/token"] = first(
        Reply(503), Reply(429, {"Retry-After": "0"}), then=Reply(200, {}, b'{"token":"t"}')
    )
    refusal = Reply(401, {"WWW-Authenticate": f'Bearer realm="{registry.url}/token"'})
    registry.routes[MANIFEST] = lambda request: good(sample) if request.authorization else refusal
    assert client.head("a", "1").digest == sample.digest


def test_an_exchange_of_an_identity_token_is_not_sent_twice_within_one_try(registry, sample):
    registry.routes["POST /token"] = Reply(hangs_up=True)
    registry.routes[MANIFEST] = Reply(401, {"WWW-Authenticate": f'Bearer realm="{registry.url}/token"'})
    client = RegistryClient(registry.url, credentials=Credentials("", "", "x"), limits=replace(HASTY, tries=1))
    with pytest.raises(Unreachable):
        client.head("a", "1")
    assert sum(request.method == "POST" for request in registry.requests) == 1


def test_waits_grow_and_differ():
    limits = replace(HASTY, backoff_seconds=0.5, patience_seconds=5)
    for failures, middle in ((1, 0.5), (2, 1), (3, 2), (4, 4), (5, 5), (1000, 5)):
        waits = {backoff(failures, limits) for _ in range(50)}
        assert len(waits) > 40
        assert all(middle / 2 <= wait <= middle * 1.5 for wait in waits)


def test_only_what_passes_is_waited_for():
    limits = replace(HASTY, patience_seconds=5)
    assert wait_before_next(UntrustedCertificate("no"), 1, limits) is None
    assert wait_before_next(TimedOut("no"), 1, limits) is None
    assert wait_before_next(NotFound("no"), 1, limits) is None
    assert wait_before_next(RateLimited("no", None), 1, limits) is None
    assert wait_before_next(RateLimited("no", 5.1), 1, limits) is None
    assert 5 <= wait_before_next(RateLimited("yes", 5), 1, limits) < 5.1
    assert 4 <= wait_before_next(ServerFailure("yes", 503, 4), 1, limits) < 4.1
    assert wait_before_next(Unreachable("yes"), 1, limits) < 0.01
