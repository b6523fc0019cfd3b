import pytest

from fleet.oci.client import RegistryClient
from fleet.oci.errors import RateLimited
from fleet.oci.manifest import Descriptor
from fleet.oci.media_types import OCI_LAYER_GZIP
from fleet.oci.pace import LimitSeen, parse_limit
from tests.fakes.registry import Reply, ScriptedRegistry
from tests.oci.content import HASTY, sha256

CONTENT = b"content"
BLOB = Descriptor(OCI_LAYER_GZIP, sha256(CONTENT), len(CONTENT))


class Notebook:
    """A pace that writes down what it was asked and told, and closes after ``admitted`` requests."""

    def __init__(self, admitted=100):
        self.lines = []
        self.admitted = admitted

    def admit(self):
        if self.admitted == 0:
            raise RateLimited("The budget is spent.", 3600)
        self.admitted -= 1
        self.lines.append("admit")

    def heard(self, status, headers):
        self.lines.append((status, headers.get("ratelimit-remaining")))


def test_each_request_to_the_registry_is_admitted_and_heard_and_no_other(sample):
    """Neither the token realm nor the object store is the registry, though both may be on its host."""
    with ScriptedRegistry({"/store": Reply(200, {}, CONTENT)}) as store, ScriptedRegistry() as registry:
        registry.routes["/token"] = Reply(200, {}, b'{"token":"t"}')

        def blob(request):
            if not request.authorization:
                return Reply(401, {"WWW-Authenticate": f'Bearer realm="{registry.url}/token"'})
            return Reply(307, {"Location": f"{store.url}/store", "RateLimit-Remaining": "76;w=21600"})

        registry.routes[f"/v2/a/blobs/{BLOB.digest}"] = blob
        pace = Notebook()
        client = RegistryClient(registry.url, pace=pace)
        assert b"".join(client.blob("a", BLOB)) == CONTENT
        assert pace.lines == ["admit", (401, None), "admit", (307, "76;w=21600")]
        assert client.stats.requests == 4


def test_a_repetition_is_a_request_of_its_own(sample):
    with ScriptedRegistry({"/v2/a/tags/list": Reply(503)}) as registry:
        pace = Notebook()
        client = RegistryClient(registry.url, pace=pace, limits=HASTY)
        with pytest.raises(Exception, match="status 503"):
            list(client.tags("a"))
        assert pace.lines == ["admit", (503, None)] * 3
        assert client.stats.requests == 3


def test_a_closed_pace_keeps_the_registry_unasked():
    with ScriptedRegistry({"/v2/": Reply(200, {}, b"{}")}) as registry:
        client = RegistryClient(registry.url, pace=Notebook(admitted=1), limits=HASTY)
        client.check()
        with pytest.raises(RateLimited, match="budget") as limited:
            client.check()
        assert limited.value.retry_after_seconds == 3600
        assert len(registry.requests) == 1


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        ({"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"}, LimitSeen(100, 21600, 76)),
        ({"RateLimit-Limit": "200 ; w=21600", "RateLimit-Remaining": "0"}, LimitSeen(200, 21600, 0)),
        ({"ratelimit-limit": "100", "ratelimit-remaining": "76;w=60"}, LimitSeen(100, 60, 76)),
        ({"ratelimit-limit": "100;w=21600"}, LimitSeen(100, 21600, None)),
        ({"ratelimit-limit": "100;w=0"}, LimitSeen(100, None, None)),
        ({"ratelimit-limit": "100;w=60", "ratelimit-remaining": "many"}, LimitSeen(100, 60, None)),
        ({"ratelimit-limit": "100;w=60", "ratelimit-remaining": "900"}, LimitSeen(100, 60, 100)),
        ({"ratelimit-limit": "9999999999;w=9999999999"}, LimitSeen(1_000_000_000, 1_000_000_000, None)),
        ({}, None),
        ({"ratelimit-remaining": "76;w=21600"}, None),
        ({"ratelimit-limit": ""}, None),
        ({"ratelimit-limit": "unlimited"}, None),
        ({"ratelimit-limit": "-1;w=60"}, None),
        ({"ratelimit-limit": "1.5;w=60"}, None),
        ({"ratelimit-limit": "9" * 5000}, None),
        ({"ratelimit-limit": "٣;w=60"}, None),
    ],
)
def test_what_docker_hub_says_of_its_limit(headers, seen):
    assert parse_limit(headers) == seen
