"""What is sent where to log in: by the shape of each provider, and what is never sent twice."""

import base64
import threading
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from fleet.oci.client import RegistryClient
from fleet.oci.credentials import Credentials
from fleet.oci.errors import Unauthorized
from fleet.oci.media_types import DOCKER_MANIFEST
from tests.fakes.registry import Reply, ScriptedRegistry
from tests.oci.content import HASTY

MANIFEST = "/v2/team/app/manifests/1"
KEY_FILE = '{\n  "type": "service_account",\n  "private_key": "-----BEGIN PRIVATE KEY-----\\nMIIé:+/=\\n"\n}\n'


def basic(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class TokenRegistry(ScriptedRegistry):
    """Refers to ``realm`` on itself, as ``service``, for a token that only ``sent`` brings: a header or a form."""

    def __init__(self, sample, realm, service, sent, answer=b'{"token":"granted"}'):
        super().__init__()
        self._sent = sent
        self._answer = answer
        self._challenge = f'Bearer realm="{self.url}{realm}",service="{service}",scope="repository:team/app:pull"'
        self._good = Reply(
            200, {"Content-Type": DOCKER_MANIFEST, "Docker-Content-Digest": sample.digest}, sample.manifest
        )
        self.routes = {realm.partition("?")[0]: self._token, MANIFEST: self._manifest}

    def _token(self, request):
        sent = dict(parse_qsl(request.body.decode())) if request.method == "POST" else request.authorization
        return Reply(200, {}, self._answer) if sent == self._sent else Reply(401)

    def _manifest(self, request):
        if request.authorization == "Bearer granted":
            return self._good
        return Reply(401, {"WWW-Authenticate": self._challenge})


@pytest.mark.parametrize(
    ("realm", "service", "login"),
    [
        pytest.param("/token", "ghcr.io", Credentials("octocat", "ghp_pat"), id="GHCR, a PAT"),
        pytest.param("/jwt/auth", "container_registry", Credentials("deploy-token-1", "gldt-x"), id="GitLab"),
        pytest.param("/v2/auth", "quay.io", Credentials("org+robot", "s"), id="Quay, a robot"),
        pytest.param("/service/token", "harbor-registry", Credentials("robot$project+ci", "s$"), id="Harbor, a robot"),
        pytest.param("/oauth2/token", "x.azurecr.io", Credentials("0000-client", "~s.q"), id="ACR, a principal"),
        pytest.param("/v2/token", "europe-docker.pkg.dev", Credentials("_json_key", KEY_FILE), id="GAR, a key file"),
        pytest.param("/v2/token", "gcr.io", Credentials("oauth2accesstoken", "ya29.x"), id="GAR, an access token"),
        pytest.param("/token?account=x", "registry.docker.io", Credentials("user", "dckr_pat"), id="Docker Hub"),
    ],
)
def test_a_password_goes_to_the_realm_by_basic_and_nowhere_else(sample, realm, service, login):
    sent = basic(login.username, login.password)
    with TokenRegistry(sample, realm, service, sent) as registry:
        client = RegistryClient(registry.url, credentials=login)
        assert client.head("team/app", "1").digest == sample.digest
        first, token, again = registry.requests
        assert (first.authorization, token.authorization, again.authorization) == (None, sent, "Bearer granted")
        query = parse_qs(urlsplit(token.path).query)
        assert (query["service"], query["scope"]) == ([service], ["repository:team/app:pull"])


def test_an_identity_token_is_exchanged_as_azure_wants_it(sample):
    form = {
        "grant_type": "refresh_token",
        "client_id": "plimsoll",
        "service": "x.azurecr.io",
        "scope": "repository:team/app:pull",
        "refresh_token": "eyJ.refresh+/=",
    }
    with TokenRegistry(sample, "/oauth2/token", "x.azurecr.io", form, b'{"access_token":"granted"}') as registry:
        client = RegistryClient(registry.url, credentials=Credentials("", "", "eyJ.refresh+/="))
        assert client.head("team/app", "1").digest == sample.digest
        token = registry.requests[1]
        assert (token.method, token.path, token.authorization) == ("POST", "/oauth2/token", None)
        assert token.headers["content-type"] == "application/x-www-form-urlencoded"


def test_several_scopes_are_asked_for_one_by_one(registry, sample):
    challenge = f'Bearer realm="{registry.url}/token",scope="repository:a:pull repository:b:pull"'
    registry.routes |= {
        "/token": Reply(200, {}, b'{"token":"t"}'),
        MANIFEST: lambda request: Reply(404) if request.authorization else Reply(401, {"WWW-Authenticate": challenge}),
    }
    with pytest.raises(Exception, match="has no team/app"):
        RegistryClient(registry.url).head("team/app", "1")
    assert parse_qs(urlsplit(registry.requests[1].path).query)["scope"] == ["repository:a:pull", "repository:b:pull"]


@pytest.mark.parametrize("expires_in", [b"null", b"3599.5", b'"300"', b"-1", b"0"])
def test_an_expiry_that_cannot_be_read_is_taken_for_the_shortest(sample, expires_in):
    answer = b'{"token":"granted","expires_in":%b}' % expires_in
    with TokenRegistry(sample, "/token", "x", None, answer) as registry:
        client = RegistryClient(registry.url)
        client.head("team/app", "1")
        client.head("team/app", "1")
        assert len(registry.requests) == 4


def asked_with_login(registry):
    return sum(request.authorization is not None for request in registry.requests)


def ask_often(client, threads=8):
    errors = []

    def ask(number):
        for repository in (f"team/{number}", f"team/x{number}"):
            try:
                client.head(repository, "1")
            except Unauthorized as error:
                errors.append(str(error))

    running = [threading.Thread(target=ask, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return errors


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_a_wrong_password_is_offered_once_however_many_ask(scheme):
    """Directories lock an account after a few."""
    with ScriptedRegistry() as registry:
        challenge = "Basic" if scheme == "basic" else f'Bearer realm="{registry.url}/token",service="x"'
        registry.reply_to = lambda request: (
            registry.requests.append(request) or Reply(401, {"WWW-Authenticate": challenge}, delay_seconds=0.05)
        )
        client = RegistryClient(registry.url, credentials=Credentials("user", "hunter2"))
        errors = ask_often(client)
        assert len(errors) == 16
        assert all("refused the login" in error and "hunter2" not in error for error in errors)
        assert asked_with_login(registry) == 1
        registry.requests.clear()
        ask_often(client)
        assert asked_with_login(registry) == 0


def test_a_login_that_is_right_elsewhere_is_refused_for_one_repository_alone(sample):
    right = basic("user", "right")
    good = Reply(200, {"Content-Type": DOCKER_MANIFEST, "Docker-Content-Digest": sample.digest}, sample.manifest)
    refused = Reply(401, {"WWW-Authenticate": "Basic"})
    with ScriptedRegistry() as registry:
        registry.routes |= {
            "/v2/open/manifests/1": lambda request: good if request.authorization == right else refused,
            "/v2/closed/manifests/1": refused,
            "/v2/closed/manifests/2": refused,
            "/v2/_catalog": refused,
        }
        client = RegistryClient(registry.url, credentials=Credentials("user", "right"))
        with pytest.raises(Unauthorized, match="does not list its repositories"):
            list(client.repositories())
        client.head("open", "1")
        for tag in ("1", "2"):
            with pytest.raises(Unauthorized, match="refused the login for closed"):
                client.head("closed", tag)
        client.head("open", "1")
        assert registry.asked().count("HEAD /v2/closed/manifests/1") == 1
        assert "HEAD /v2/closed/manifests/2" not in registry.asked()


def test_a_realm_that_forbids_a_repository_is_not_asked_for_it_again(sample):
    with TokenRegistry(sample, "/jwt/auth", "x", basic("user", "right")) as registry:
        token = registry.routes["/jwt/auth"]
        registry.routes["/v2/other/manifests/1"] = Reply(
            401, {"WWW-Authenticate": f'Bearer realm="{registry.url}/jwt/auth",scope="repository:other:pull"'}
        )
        registry.routes["/jwt/auth"] = lambda request: Reply(403) if "other" in request.path else token(request)
        client = RegistryClient(registry.url, credentials=Credentials("user", "right"))
        for _ in range(3):
            with pytest.raises(Unauthorized):
                client.head("other", "1")
        assert sum("jwt" in path for path in registry.asked()) == 1
        assert client.head("team/app", "1").digest == sample.digest


def test_a_login_that_was_renewed_is_offered_where_the_old_one_was_refused(sample):
    logins = [Credentials("AWS", "expired")]
    with TokenRegistry(sample, "/token", "x", basic("AWS", "fresh")) as registry:
        client = RegistryClient(registry.url, credentials=lambda: logins[-1])
        for _ in range(2):
            with pytest.raises(Unauthorized):
                client.head("team/app", "1")
        logins.append(Credentials("AWS", "fresh"))
        assert client.head("team/app", "1").digest == sample.digest


def test_a_registry_that_takes_no_token_ends_the_loop(sample):
    with TokenRegistry(sample, "/token", "x", None, b'{"token":"useless"}') as registry:
        client = RegistryClient(registry.url, limits=HASTY)
        for _ in range(3):
            with pytest.raises(Unauthorized, match="wants a login for team/app"):
                client.head("team/app", "1")
        assert len(registry.requests) == 3
