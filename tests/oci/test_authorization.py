import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from fleet.oci.authorization import parse_challenge
from fleet.oci.client import RegistryClient
from fleet.oci.credentials import Credentials
from fleet.oci.errors import InvalidResponse, Unauthorized
from fleet.oci.media_types import DOCKER_MANIFEST
from tests.fakes.registry import Reply, ScriptedRegistry

LOGIN = Credentials("robot$ci", "pass:word")
BASIC = "Basic " + base64.b64encode(b"robot$ci:pass:word").decode()


class GuardedRegistry(ScriptedRegistry):
    """Hands out numbered tokens for the repositories in ``readable`` and asks for them."""

    def __init__(self, sample, *, login=None, expires_in=None, readable=("a", "b")):
        super().__init__()
        self._sample = sample
        self._login = login
        self._expires_in = expires_in
        self.valid = {}
        self.issued = 0
        self.routes["/token"] = self._token
        for repository in readable:
            self.routes[f"/v2/{repository}/manifests/1"] = self._guarded(f"repository:{repository}:pull")
        self.routes["/v2/_catalog"] = self._guarded("registry:catalog:*")
        self.routes["/v2/"] = self._guarded("")

    def _token(self, request):
        if self._login and request.authorization != self._login:
            return Reply(401)
        query = parse_qs(urlsplit(request.path).query)
        assert query["service"] == ["the registry"]
        self.issued += 1
        token = f"token-{self.issued}"
        self.valid[f"Bearer {token}"] = query.get("scope", [""])[0]
        fields = {"token": token} | ({"expires_in": self._expires_in} if self._expires_in is not None else {})
        return Reply(200, {"Content-Type": "application/json"}, json.dumps(fields).encode())

    def _guarded(self, scope):
        def reply(request):
            if self.valid.get(request.authorization) == scope:
                headers = {"Content-Type": DOCKER_MANIFEST, "Docker-Content-Digest": self._sample.digest}
                body = self._sample.manifest if scope.startswith("repository") else b'{"repositories":["a"]}'
                return Reply(200, headers, body)
            named = f',scope="{scope}"' if scope else ""
            challenge = f'Bearer realm="{self.url}/token",service="the registry"{named}'
            return Reply(401, {"WWW-Authenticate": challenge})

        return reply


def test_a_token_is_fetched_when_asked_for_and_kept(sample):
    with GuardedRegistry(sample) as registry:
        client = RegistryClient(registry.url)
        for _ in range(3):
            assert client.head("a", "1").digest == sample.digest
        assert [each.split("?")[0] for each in registry.asked()] == [
            "HEAD /v2/a/manifests/1",
            "GET /token",
            *["HEAD /v2/a/manifests/1"] * 3,
        ]


def test_another_repository_gets_its_own_token_without_being_refused_first(sample):
    with GuardedRegistry(sample) as registry:
        client = RegistryClient(registry.url)
        client.head("a", "1")
        registry.requests.clear()
        client.head("b", "1")
        assert [each.split("?")[0] for each in registry.asked()] == ["GET /token", "HEAD /v2/b/manifests/1"]
        assert list(client.repositories()) == ["a"]


def test_an_expired_token_is_renewed(sample):
    with GuardedRegistry(sample) as registry:
        client = RegistryClient(registry.url)
        client.head("a", "1")
        registry.valid.clear()
        assert client.head("a", "1").digest == sample.digest
        assert registry.issued == 2


def test_a_token_is_not_used_beyond_its_life(sample, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with GuardedRegistry(sample, expires_in=300) as registry:
        client = RegistryClient(registry.url)
        client.head("a", "1")
        now += 269
        client.head("a", "1")
        assert registry.issued == 1
        now += 2
        client.head("a", "1")
        assert registry.issued == 2


def test_the_login_goes_to_the_realm_and_not_to_the_registry(sample):
    with GuardedRegistry(sample, login=BASIC) as registry:
        client = RegistryClient(registry.url, credentials=LOGIN)
        client.head("a", "1")
        client.check()
        for request in registry.requests:
            assert (request.authorization == BASIC) == request.path.startswith("/token")


@pytest.mark.parametrize("login", [None, Credentials("robot$ci", "hunter2")])
def test_a_realm_that_refuses_says_so(sample, login):
    with GuardedRegistry(sample, login=BASIC) as registry:
        with pytest.raises(Unauthorized, match="refused the login" if login else "wants a login") as refusal:
            RegistryClient(registry.url, credentials=login).head("a", "1")
        assert "hunter2" not in str(refusal.value)


def test_the_connection_test_without_a_login_takes_a_challenge_for_an_answer(sample):
    with GuardedRegistry(sample, login=BASIC) as registry:
        RegistryClient(registry.url).check()
        assert registry.asked() == ["GET /v2/"]


def test_the_connection_test_notices_a_refused_login(sample):
    with (
        GuardedRegistry(sample, login=BASIC) as registry,
        pytest.raises(Unauthorized, match="refused the login"),
    ):
        RegistryClient(registry.url, credentials=Credentials("robot$ci", "wrong")).check()


def test_a_token_that_does_not_help_ends_in_a_refusal(sample):
    with GuardedRegistry(sample) as registry:
        registry.routes["/token"] = Reply(200, {}, b'{"access_token":"useless"}')
        with pytest.raises(Unauthorized):
            RegistryClient(registry.url).head("a", "1")
        assert len(registry.requests) == 3


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"token": 7}', b'{"token":"a\\r\\nX: y"}', b'{"token":""}'])
def test_an_unusable_token_is_refused(sample, body):
    with GuardedRegistry(sample) as registry:
        registry.routes["/token"] = Reply(200, {}, body)
        with pytest.raises(InvalidResponse):
            RegistryClient(registry.url).head("a", "1")


def test_an_identity_token_is_exchanged(sample):
    def exchange(request):
        form = parse_qs(request.body.decode())
        assert form["grant_type"] == ["refresh_token"]
        assert form["refresh_token"] == ["refresh me"]
        registry.valid["Bearer exchanged"] = form["scope"][0]
        return Reply(200, {}, b'{"access_token":"exchanged"}')

    with GuardedRegistry(sample) as registry:
        registry.routes["POST /token"] = exchange
        client = RegistryClient(registry.url, credentials=Credentials("", "", "refresh me"))
        assert client.head("a", "1").digest == sample.digest


def test_basic_is_remembered(sample):
    def guarded(request):
        if request.authorization != BASIC:
            return Reply(401, {"WWW-Authenticate": 'Basic realm="here"'})
        return Reply(200, {"Content-Type": DOCKER_MANIFEST, "Docker-Content-Digest": sample.digest}, sample.manifest)

    with ScriptedRegistry({"/v2/a/manifests/1": guarded}) as registry:
        client = RegistryClient(registry.url, credentials=LOGIN)
        for _ in range(3):
            client.head("a", "1")
        assert len(registry.requests) == 4
        registry.requests.clear()
        with pytest.raises(Unauthorized, match="refused the login"):
            RegistryClient(registry.url, credentials=Credentials("robot$ci", "wrong")).head("a", "1")
        assert len(registry.requests) == 2
        with pytest.raises(Unauthorized, match="wants a login"):
            RegistryClient(registry.url).head("a", "1")


def test_a_token_needs_no_user_name(sample):
    with GuardedRegistry(sample, login="Basic " + base64.b64encode(b":secret").decode()) as registry:
        assert (
            RegistryClient(registry.url, credentials=Credentials("", "secret")).head("a", "1").digest == sample.digest
        )


@pytest.mark.parametrize(
    "realm", ["", "file:///etc/passwd", "http://169.254.169.254/token", "http://user:pw@x/", "//["]
)
def test_a_login_is_never_sent_to_a_forbidden_realm(sample, realm):
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'}
    with ScriptedRegistry({"/v2/a/manifests/1": Reply(401, challenge), "/": Reply(404)}) as registry:
        with pytest.raises(InvalidResponse) as refusal:
            RegistryClient(registry.url, credentials=LOGIN).head("a", "1")
        assert "pw@" not in str(refusal.value)
        assert all(request.authorization is None for request in registry.requests)


@pytest.mark.parametrize(
    ("header", "scheme", "realm"),
    [
        ('Bearer realm="https://x/t",service="a, b",scope="repository:x:pull,push"', "bearer", "https://x/t"),
        ('bearer realm = "a\\"b"', "bearer", 'a"b'),
        ("Bearer realm=https://x/t", "bearer", "https://x/t"),
        ('Basic realm="y", Bearer realm="x"', "bearer", "x"),
        ('Basic realm="y"', "basic", "y"),
    ],
)
def test_challenges_are_read_as_registries_write_them(header, scheme, realm):
    challenge = parse_challenge(header)
    assert challenge is not None
    assert (challenge.scheme, challenge.parameters["realm"]) == (scheme, realm)


@pytest.mark.parametrize("header", ["", "Negotiate", '="', "," * 100_000, 'Digest realm="x"', '"' + "\\" * 100_000])
def test_a_challenge_that_cannot_be_met_is_none(header):
    assert parse_challenge(header) is None
