"""Artifact Registry's lists as its REST reference shows them, by a server that verifies the tokens of a real key."""

import base64
import json
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from fleet.oci.client import Limits
from fleet.oci.credentials import Credentials
from fleet.oci.errors import InvalidReference, NotFound, TooLarge, Unauthorized
from fleet.oci.listings import listing
from tests.oci.providers import as_json, client_of, query

URL = "https://europe-west1-docker.pkg.dev"
LOGIN = Credentials("oauth2accesstoken", "ya29.s3cret")
ACCOUNT = "reader@fleet-prod.iam.gserviceaccount.com"
PARENT = "/v1/projects/fleet-prod/locations/europe-west1/repositories"


@pytest.fixture(scope="module")
def key():
    return generate_private_key(65537, 2048)


def pem(key):
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def key_file(key):
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "fleet-prod",
            "private_key_id": "0123456789abcdef",
            "private_key": pem(key),
            "client_email": ACCOUNT,
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    )


def repository(name, kind="DOCKER", mode="STANDARD_REPOSITORY"):
    return {
        "name": f"projects/fleet-prod/locations/europe-west1/repositories/{name}",
        "format": kind,
        "mode": mode,
        "createTime": "2024-03-01T08:00:00.000000Z",
        "sizeBytes": "123456",
    }


def package(repository, name):
    return {
        "name": f"projects/fleet-prod/locations/europe-west1/repositories/{repository}/packages/{name}",
        "createTime": "2024-03-01T08:00:00.000000Z",
        "updateTime": "2024-03-02T08:00:00.000000Z",
    }


def listed(server, scope="fleet-prod", login=LOGIN, url=URL, **options):
    with client_of(url, login, **options) as client:
        return list(listing("google", f"{server.url} {scope}").repositories(client))


def test_a_projects_docker_repositories_are_listed(registry):
    repositories = [repository("backend"), repository("jars", "MAVEN"), repository("all", mode="VIRTUAL_REPOSITORY")]
    pages = {
        None: {"repositories": repositories, "nextPageToken": "a/b="},
        "a/b=": {"repositories": [repository("web")]},
    }
    registry.routes[PARENT] = lambda request: as_json(pages[query(request).get("pageToken")])
    registry.routes[f"{PARENT}/backend/packages"] = as_json(
        {"packages": [package("backend", "app"), package("backend", "team%2Fworker"), package("backend", "Bad")]}
    )
    registry.routes[f"{PARENT}/web/packages"] = as_json({})
    assert listed(registry) == ["fleet-prod/backend/app", "fleet-prod/backend/team/worker"]
    assert {request.authorization for request in registry.requests} == {"Bearer ya29.s3cret"}
    assert query(registry.requests[0]) == {"pageSize": "1000"}
    assert len(registry.requests) == 4


def test_one_repository_may_be_named(registry):
    registry.routes[f"{PARENT}/backend/packages"] = as_json({"packages": [package("backend", "app")]})
    assert listed(registry, "fleet-prod/backend") == ["fleet-prod/backend/app"]


def test_the_old_hosts_are_repositories_of_their_name(registry):
    path = "/v1/projects/example.com:fleet-prod/locations/europe/repositories/eu.gcr.io/packages"
    registry.routes[path] = as_json({"packages": [package("eu.gcr.io", "app")]})
    assert listed(registry, "example.com:fleet-prod", url="eu.gcr.io") == ["example.com/fleet-prod/app"]


@pytest.mark.parametrize("form", ["_json_key", "_json_key_base64"])
def test_a_service_accounts_key_signs_a_token_for_this_api(registry, key, form):
    registry.routes[f"{PARENT}/backend/packages"] = as_json({"packages": [package("backend", "app")]})
    text = key_file(key)
    password = base64.b64encode(text.encode()).decode() if form == "_json_key_base64" else text
    assert listed(registry, "fleet-prod/backend", Credentials(form, password)) == ["fleet-prod/backend/app"]
    scheme, _, token = registry.requests[0].authorization.partition(" ")
    signed, _, signature = token.rpartition(".")
    key.public_key().verify(decoded(signature), signed.encode(), PKCS1v15(), hashes.SHA256())
    head, claims = (json.loads(decoded(part)) for part in signed.split("."))
    assert scheme == "Bearer"
    assert head == {"alg": "RS256", "typ": "JWT", "kid": "0123456789abcdef"}
    assert (claims["iss"], claims["sub"]) == (ACCOUNT, ACCOUNT)
    assert claims["aud"] == "https://artifactregistry.googleapis.com/"
    assert claims["iat"] == pytest.approx(time.time(), abs=60)
    assert claims["exp"] - claims["iat"] == 3600


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize(
    "password",
    [
        "",
        "s3cret",
        '{"private_key": "s3cret"}',
        json.dumps({"private_key": pem(generate_ec_key(SECP256R1())), "client_email": ACCOUNT}),
    ],
)
def test_what_is_no_key_is_told_without_it(registry, password):
    with pytest.raises(Unauthorized, match="no key of a Google service account") as caught:
        listed(registry, login=Credentials("_json_key", password))
    assert "s3cret" not in str(caught.value)
    assert registry.requests == []


@pytest.mark.parametrize(
    ("status", "kind", "error", "said"),
    [
        (401, "UNAUTHENTICATED", Unauthorized, "refused the login"),
        (403, "PERMISSION_DENIED", Unauthorized, r"\(Permission 'artifactregistry\.repositories\.list' denied"),
        (404, "NOT_FOUND", NotFound, "shows this login no repositories"),
    ],
)
def test_a_refusal_names_google_and_the_role_that_is_missing(registry, status, kind, error, said):
    message = "Permission 'artifactregistry.repositories.list' denied on resource"
    registry.routes[PARENT] = as_json({"error": {"code": status, "message": message, "status": kind}}, status)
    with pytest.raises(error, match=said) as caught:
        listed(registry)
    assert "Google wants the role Artifact Registry Reader" in str(caught.value)


def test_endless_pages_end(registry):
    def page(request):
        number = int(query(request).get("pageToken", 0))
        return as_json({"packages": [package("backend", f"a{number}")], "nextPageToken": str(number + 1)})

    registry.routes[f"{PARENT}/backend/packages"] = page
    with pytest.raises(TooLarge):
        listed(registry, "fleet-prod/backend", limits=Limits(pages=3))
    assert len(registry.requests) == 3


@pytest.mark.parametrize("scope", ["", "Fleet", "fleet-prod/", "fleet-prod/a/b", "fleet-prod/../x", "a"])
def test_a_scope_that_names_no_project_is_refused(scope):
    with pytest.raises(InvalidReference, match="no Google project"):
        listing("google", scope)


def test_another_registry_is_refused():
    with client_of("registry.example.com") as client, pytest.raises(InvalidReference, match="no registry of Google's"):
        list(listing("google", "fleet-prod").repositories(client))
