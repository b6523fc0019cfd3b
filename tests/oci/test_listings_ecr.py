"""ECR's API as its reference shows it, by a server that verifies signatures as AWS does: over what it received."""

import base64
import json
import time
from datetime import UTC, datetime

import pytest

from fleet.oci.aws import AccessKey, Request, signed
from fleet.oci.client import Limits
from fleet.oci.credentials import Credentials
from fleet.oci.ecr import EcrLogin, EcrRegistry, ecr_login
from fleet.oci.errors import (
    InvalidReference,
    InvalidResponse,
    NotFound,
    RateLimited,
    ServerFailure,
    TooLarge,
    Unauthorized,
)
from fleet.oci.listings import listing
from fleet.oci.origin import Origin
from tests.fakes.registry import Reply, ScriptedRegistry
from tests.oci.providers import as_json, basic, client_of

URL = "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"
KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session-token")
ACTIONS = "AmazonEC2ContainerRegistry_V20150921."


class Ecr(ScriptedRegistry):
    """Answers each action with the next of its ``answers``; the last one stays."""

    def __init__(self):
        super().__init__()
        self.answers = {}
        self.asked_for = []
        self.routes["POST /"] = self._act

    @property
    def place(self):
        return EcrRegistry("123456789012", "eu-west-1", Origin("http", "127.0.0.1", self.port))

    def login(self, key=KEY):
        return EcrLogin(self.place, key)

    def tokens(self, *answers):
        self.answers["GetAuthorizationToken"] = list(answers)

    def _act(self, request):
        headers = request.headers
        moment = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        sent = {name: headers[name] for name in ("content-type", "x-amz-target")}
        received = Request("POST", headers["host"], headers=sent, body=request.body)
        expected = signed(received, KEY, region="eu-west-1", service="ecr", at=moment)["Authorization"]
        recent = abs((datetime.now(UTC) - moment).total_seconds()) < 300
        if request.authorization != expected or headers["x-amz-security-token"] != KEY.session or not recent:
            return error("InvalidSignatureException", f"The canonical string was ... {KEY.session}")
        assert headers["content-type"] == "application/x-amz-json-1.1"
        action = headers["x-amz-target"].removeprefix(ACTIONS)
        self.asked_for.append((action, json.loads(request.body)))
        answers = self.answers[action]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def error(kind, message="", status=400):
    return as_json({"__type": kind, "message": message}, status)


def page(*names, following=None):
    repositories = [
        {
            "repositoryArn": f"arn:aws:ecr:eu-west-1:123456789012:repository/{name}",
            "registryId": "123456789012",
            "repositoryName": name,
            "repositoryUri": f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}",
            "createdAt": 1563223656.0,
            "imageTagMutability": "MUTABLE",
        }
        for name in names
    ]
    return as_json({"repositories": repositories} | ({"nextToken": following} if following else {}))


def authorization(token, seconds=12 * 3600.0):
    data = {
        "authorizationToken": base64.b64encode(f"AWS:{token}".encode()).decode(),
        "expiresAt": time.time() + seconds,
        "proxyEndpoint": URL,
    }
    return as_json({"authorizationData": [data]})


@pytest.fixture
def ecr():
    with Ecr() as server:
        yield server


def listed(ecr, login=None, **options):
    with client_of(URL, login or ecr.login(), **options) as client:
        return list(listing("ecr", ecr.url).repositories(client))


def test_a_registry_is_listed_page_by_page(ecr):
    ecr.answers["DescribeRepositories"] = [page("app", "team/web", following="more"), page("app", "No Name", "db")]
    assert listed(ecr) == ["app", "team/web", "db"]
    first = {"registryId": "123456789012", "maxResults": 1000}
    assert ecr.asked_for == [
        ("DescribeRepositories", first),
        ("DescribeRepositories", first | {"nextToken": "more"}),
    ]


def test_endless_pages_end(ecr):
    ecr.answers["DescribeRepositories"] = [page("a", following=str(number)) for number in range(10)]
    with pytest.raises(TooLarge):
        listed(ecr, limits=Limits(pages=3))
    assert len(ecr.asked_for) == 3


def test_a_token_that_repeats_ends_the_list(ecr):
    ecr.answers["DescribeRepositories"] = [page("a", following="same")]
    assert listed(ecr) == ["a"]
    assert len(ecr.asked_for) == 2


def test_listing_wants_the_access_key_itself(ecr):
    with pytest.raises(InvalidReference, match="for an AWS access key only"):
        listed(ecr, Credentials("AWS", "token"))


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (
            error("AccessDeniedException", "User: arn:aws:iam::123456789012:user/ci is not authorized"),
            Unauthorized,
            r"ask ecr:DescribeRepositories \(User: .*user/ci is not authorized\)\. Give it that permission",
        ),
        (
            error("UnrecognizedClientException", "The security token is invalid."),
            Unauthorized,
            "refused the AWS access",
        ),
        (error("com.amazon.coral.service#ExpiredTokenException"), Unauthorized, "no longer valid"),
        (error("RegistryNotFoundException"), NotFound, "no registry of account 123456789012"),
        (error("ThrottlingException", "Rate exceeded"), RateLimited, "limits how often"),
        (error("ServerException", "", 500), ServerFailure, "failed with status 500"),
        (error("InvalidParameterException", "secret"), InvalidResponse, r"status 400 \(InvalidParameterException\)"),
        (Reply(400, body=b"<html>"), InvalidResponse, "no reason given"),
    ],
)
def test_refusals_are_told(ecr, reply, kind, said):
    ecr.answers["DescribeRepositories"] = [reply]
    with pytest.raises(kind, match=said):
        listed(ecr)


def test_a_wrong_secret_is_told_without_what_was_signed(ecr):
    wrong = AccessKey(KEY.identifier, "wrong", KEY.session)
    with pytest.raises(Unauthorized, match="refused the AWS access key") as caught:
        listed(ecr, ecr.login(wrong))
    assert KEY.session not in str(caught.value)
    assert len(ecr.requests) == 1


def test_the_registry_gets_the_token_as_basic(ecr, registry):
    ecr.tokens(authorization("first"))
    good = basic("AWS:first")
    challenge = Reply(401, {"WWW-Authenticate": 'Basic realm="https://x/",service="ecr.amazonaws.com"'})
    registry.routes["/v2/"] = lambda request: Reply(body=b"{}") if request.authorization == good else challenge
    with client_of(registry.url, ecr.login()) as client:
        client.check()
        client.check()
    assert ecr.asked_for == [("GetAuthorizationToken", {})]


def test_the_token_is_renewed_before_it_ends(ecr, registry):
    ecr.tokens(authorization("first", 0), authorization("second"))
    login = ecr.login()
    assert login() == Credentials("AWS", "first")
    assert [login(), login()] == [Credentials("AWS", "second")] * 2
    assert len(ecr.asked_for) == 2


def test_a_registry_that_is_read_meanwhile_gets_the_new_token(ecr, registry):
    ecr.tokens(authorization("first", 0), authorization("second", 0), authorization("third"))
    registry.routes["/v2/a/tags/list"] = lambda request: (
        as_json({"tags": ["1"]}) if request.authorization else Reply(401, {"WWW-Authenticate": "Basic"})
    )
    with client_of(registry.url, ecr.login()) as client:
        for _ in range(3):
            assert list(client.tags("a")) == ["1"]
    assert registry.requests[-1].authorization == basic("AWS:third")


def test_a_key_that_may_not_log_in_is_told(ecr, registry):
    ecr.tokens(error("AccessDeniedException", "no"))
    with client_of(registry.url, ecr.login()) as client, pytest.raises(Unauthorized, match="GetAuthorizationToken"):
        client.check()


@pytest.mark.parametrize(
    "answer", [{}, {"authorizationData": []}, {"authorizationData": [{"authorizationToken": "?"}]}]
)
def test_an_answer_without_a_login_is_told(ecr, answer):
    ecr.tokens(as_json(answer))
    with pytest.raises(InvalidResponse, match="no usable login"):
        ecr.login()()


@pytest.mark.parametrize(
    ("host", "region", "api"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1", "api.ecr.eu-west-1.amazonaws.com"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", "api.ecr.cn-north-1.amazonaws.com.cn"),
        (
            "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "us-gov-west-1",
            "ecr-fips.us-gov-west-1.amazonaws.com",
        ),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1", "ecr.eu-west-1.api.aws"),
    ],
)
def test_the_api_is_found_by_the_registrys_host(host, region, api):
    registry = EcrRegistry.at(host)
    assert (registry.account, registry.region, str(registry.api)) == ("123456789012", region, f"https://{api}")


@pytest.mark.parametrize("url", ["public.ecr.aws", "https://registry.example.com", "1.dkr.ecr.eu-west-1.amazonaws.com"])
def test_another_registry_is_refused(url):
    with pytest.raises(InvalidReference, match="no registry of Amazon ECR"):
        ecr_login(url, "AKIDEXAMPLE", "secret")


def test_the_same_key_shares_its_token():
    login = ecr_login(URL, "AKIDEXAMPLE", "secret:session")
    assert ecr_login(URL, "AKIDEXAMPLE", "secret:session") is login
    assert login.key == AccessKey("AKIDEXAMPLE", "secret", "session")
    assert ecr_login(URL, "AKIDEXAMPLE", "other") is not login


def test_a_registry_is_listed_whole():
    with pytest.raises(InvalidReference, match="whole registry"):
        listing("ecr", "team")
