import random
import re
import time
from dataclasses import replace

import pytest

from fleet.oci.client import RegistryClient
from fleet.oci.errors import DigestMismatch, InvalidResponse, NotFound, RateLimited, TimedOut, Unreachable
from fleet.oci.manifest import Descriptor
from fleet.oci.media_types import OCI_LAYER_GZIP
from tests.fakes.registry import Reply, ScriptedRegistry
from tests.oci.content import HASTY, sha256

CONTENT = random.Random(1).randbytes(1_000_000)
BLOB = Descriptor(OCI_LAYER_GZIP, sha256(CONTENT), len(CONTENT))
PATH = f"/v2/a/blobs/{BLOB.digest}"


def start_of(request):
    return int(re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", "bytes=0-"))[1])


def part(start, end, **headers):
    """What a registry that understands Range sends for ``start``, cut off before ``end``."""
    status, fields = 200, {}
    if start:
        status, fields = 206, {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"}
    return Reply(status, {**fields, **headers}, CONTENT[start:end], stated_bytes=len(CONTENT) - start)


class CutRegistry(ScriptedRegistry):
    """Breaks off at each of ``cuts`` once, then sends all."""

    def __init__(self, *cuts, ranges=True):
        super().__init__()
        self._cuts = list(cuts)
        self._ranges = ranges
        self.routes[PATH] = self.blob

    def blob(self, request):
        end = self._cuts.pop(0) if self._cuts else len(CONTENT)
        return part(start_of(request) if self._ranges else 0, end)

    def ranges(self):
        return [request.headers.get("range") for request in self.requests]


def open_client(registry, **limits):
    return RegistryClient(registry.url, limits=replace(HASTY, **limits))


def read(client):
    return b"".join(client.blob("a", BLOB))


def test_a_download_goes_on_at_the_byte_it_reached():
    with CutRegistry(300_000, 700_000, 999_999) as registry:
        client = open_client(registry)
        assert read(client) == CONTENT
        assert registry.ranges() == [None, "bytes=300000-", "bytes=700000-", "bytes=999999-"]
        # Every byte once: nothing was sent again.
        assert (client.stats.requests, client.stats.received_bytes) == (4, len(CONTENT))


def test_a_registry_without_ranges_sends_again_and_no_byte_comes_twice():
    with CutRegistry(300_000, 700_000, ranges=False) as registry:
        client = open_client(registry)
        assert read(client) == CONTENT
        assert len(registry.requests) == 3
        assert client.stats.received_bytes == 300_000 + 700_000 + len(CONTENT)


def test_the_registry_is_asked_again_as_signed_urls_expire():
    with ScriptedRegistry() as store, ScriptedRegistry() as registry:

        def redirect(request):
            return Reply(307, {"Location": f"{store.url}/store?signature={len(registry.requests)}"})

        def stored(request):
            # Each signature is good for one answer.
            return part(start_of(request), 400_000 if len(store.requests) == 1 else len(CONTENT))

        registry.routes[PATH] = redirect
        store.routes["/store"] = stored
        assert read(open_client(registry)) == CONTENT
        assert store.asked() == ["GET /store?signature=1", "GET /store?signature=2"]
        assert store.requests[1].headers["range"] == "bytes=400000-"


def test_a_blob_that_always_ends_at_the_same_place_is_cut_where_it_is_kept():
    with CutRegistry(*[500_000] * 9) as registry:
        with pytest.raises(DigestMismatch) as failure:
            read(open_client(registry))
        assert str(failure.value) == (
            f"{registry.host} ended its answer early, 3 times at the same place: {BLOB.digest} came to 500000 of "
            "1000000 bytes. Its stored copy is cut: push the image again."
        )
        assert not failure.value.temporary
        assert len(registry.requests) == 3


def test_progress_that_never_ends_is_given_up():
    with CutRegistry(*range(1000, 100_000, 1000)) as registry:
        with pytest.raises(Unreachable, match="ended its answer early"):
            read(open_client(registry, resumptions=5))
        assert len(registry.requests) == 7


def test_a_body_without_a_length_that_breaks_off_is_resumed():
    with ScriptedRegistry() as registry:

        def blob(request):
            start = start_of(request)
            reply = part(start, len(CONTENT) if start else 600_000)
            return replace(reply, headers={**reply.headers, "Content-Length": ""})

        registry.routes[PATH] = blob
        assert read(open_client(registry)) == CONTENT


def test_a_length_that_is_too_large_does_no_harm_to_whole_bytes():
    with ScriptedRegistry({PATH: Reply(200, {}, CONTENT, stated_bytes=len(CONTENT) + 10)}) as registry:
        assert read(open_client(registry)) == CONTENT
        assert len(registry.requests) == 1


def test_a_length_that_is_too_small_is_the_registrys_own_word():
    with ScriptedRegistry({PATH: Reply(200, {}, CONTENT[:-1])}) as registry:
        with pytest.raises(DigestMismatch, match="after 999999 of 1000000 bytes"):
            read(open_client(registry))
        assert len(registry.requests) == 1


def test_what_was_resumed_is_verified_as_a_whole():
    with ScriptedRegistry() as registry:

        def blob(request):
            start = start_of(request)
            return replace(part(start, len(CONTENT)), body=b"x" * (len(CONTENT) - start)) if start else part(0, 9000)

        registry.routes[PATH] = blob
        with pytest.raises(DigestMismatch, match="bytes that are sha256:"):
            read(open_client(registry))


@pytest.mark.parametrize(
    ("second", "error", "said"),
    [
        (Reply(206, {"Content-Range": "bytes 0-999999/1000000"}, CONTENT), InvalidResponse, "sent another part"),
        (Reply(206, {"Content-Range": "bytes 500000-999998/999999"}, b""), InvalidResponse, "sent another part"),
        (Reply(206, {}, CONTENT[500_000:]), InvalidResponse, "sent another part"),
        (Reply(416), InvalidResponse, "status 416"),
        (Reply(404), NotFound, "has lost blob"),
        (Reply(429, {"Retry-After": "900"}), RateLimited, "limits how often"),
    ],
)
def test_an_answer_to_a_range_that_does_not_fit_ends_the_download(second, error, said):
    with ScriptedRegistry() as registry:
        registry.routes[PATH] = lambda request: second if "range" in request.headers else part(0, 500_000)
        with pytest.raises(error, match=said):
            read(open_client(registry))
        assert len(registry.requests) == 2


def test_a_registry_that_stumbles_while_a_download_resumes_is_waited_for():
    replies = [part(0, 500_000), Reply(503), Reply(429, {"Retry-After": "0"}), part(500_000, len(CONTENT))]
    with ScriptedRegistry({PATH: lambda _: replies.pop(0)}) as registry:
        assert read(open_client(registry, tries=4)) == CONTENT


def test_a_token_that_expires_within_a_download_is_renewed():
    with ScriptedRegistry() as registry:
        issued = []

        def token(_):
            issued.append(f"t{len(issued)}")
            return Reply(200, {}, b'{"token":"%s"}' % issued[-1].encode())

        def blob(request):
            start = start_of(request)
            if request.authorization != f"Bearer t{1 if start else 0}":
                return Reply(401, {"WWW-Authenticate": f'Bearer realm="{registry.url}/token"'})
            return part(start, len(CONTENT) if start else 500_000)

        registry.routes |= {"/token": token, PATH: blob}
        assert read(open_client(registry)) == CONTENT
        assert len(issued) == 2


def test_a_blob_that_crawls_is_given_up():
    """Bytes come, so that no single wait is too long: it is their rate that is too low."""
    with (
        ScriptedRegistry({PATH: Reply(200, {}, CONTENT, dribbles=(10, 0.05))}) as registry,
        pytest.raises(TimedOut, match="sends too slowly"),
    ):
        read(open_client(registry, crawl_seconds=0.2, tries=1))


def test_slow_use_of_the_bytes_is_not_the_registrys_slowness():
    with ScriptedRegistry({PATH: Reply(200, {}, CONTENT)}) as registry:
        client = open_client(registry, crawl_seconds=0.5, crawl_bytes=1 << 30)
        chunks = client.blob("a", BLOB)
        next(chunks)
        time.sleep(0.7)
        assert sum(map(len, chunks)) > 0
