"""What real registries refuse ends a scan at once, with the sentence that says what to do."""

from __future__ import annotations

import pytest

from fleet.models import Registry, Scan, Service
from tests.matrix.facts import scan, told
from tests.matrix.registries import Matrix, Member
from tests.oci.authority import Authority

pytestmark = [pytest.mark.django_db, pytest.mark.registry, pytest.mark.once]


def _refused(registry: Registry) -> str:
    """The sentence of a scan that got nowhere. No credential is in it, and nothing was written."""
    done = scan(registry)
    assert done.status == Scan.Status.FAILED, told(done)
    assert not Service.objects.exists()
    assert registry.secret not in done.message or not registry.secret
    return done.message


def _asked_since(member: Member, before: int) -> list[tuple[str, int]]:
    return [(method, status) for method, _, status in member.server.requests()[before:]]


@pytest.mark.parametrize("name", ["htpasswd", pytest.param("distribution v3, htpasswd", marks=pytest.mark.peers)])
def test_a_wrong_password_is_offered_once(name: str, matrix: Matrix) -> None:
    member = matrix[name]
    before = len(member.server.requests())
    message = _refused(member.row(secret="wr0ng"))
    assert f"{member.server.host} refused the login for" in message
    assert "Check user name and password" in message
    # What the registry wants, and the login that it refuses.
    assert _asked_since(member, before) == [("GET", 401)] * 2


@pytest.mark.parametrize("name", ["token", pytest.param("distribution v3, token", marks=pytest.mark.peers)])
def test_a_password_that_the_token_server_refuses_is_offered_once(name: str, matrix: Matrix) -> None:
    member = matrix[name]
    assert member.tokens
    member.tokens.forget()
    before = len(member.server.requests())
    assert "refused the login for a token" in _refused(member.row(secret="wr0ng"))
    assert _asked_since(member, before) == [("GET", 401)]
    assert member.tokens.asked == [("", 401)]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("htpasswd", "wants a login for"),
        # Here each repository's token decides who may read it, and the catalog's does who may list them.
        ("token", "does not list its repositories for this login. Check the login, or name the repositories instead."),
    ],
)
def test_without_a_login_one_is_wanted(name: str, sentence: str, matrix: Matrix) -> None:
    assert sentence in _refused(matrix[name].row(username="", secret=""))


@pytest.mark.parametrize("authority", ["", Authority("Somebody else").pem], ids=["none", "another"])
@pytest.mark.parametrize("name", ["private authority", "client certificate"])
def test_a_certificate_of_an_unknown_authority_is_not_trusted(name: str, authority: str, matrix: Matrix) -> None:
    member = matrix[name]
    before = len(member.server.requests())
    message = _refused(member.row(ca_certificate=authority))
    assert f"The certificate of {member.server.host} is not trusted" in message
    assert "Paste its authority where the registry is configured" in message
    assert _asked_since(member, before) == []


def test_a_registry_that_wants_a_client_certificate_says_so(matrix: Matrix) -> None:
    member = matrix["client certificate"]
    before = len(member.server.requests())
    message = _refused(member.row(client_certificate="", client_key=""))
    assert message.startswith(f"{member.server.host} wants a client certificate that it trusts. Paste it")
    assert _asked_since(member, before) == []


def test_a_client_certificate_of_another_authority_is_refused(matrix: Matrix) -> None:
    certificate, key = Authority("Somebody else").issue("plimsoll")
    message = _refused(matrix["client certificate"].row(client_certificate=certificate, client_key=key))
    assert "wants a client certificate that it trusts" in message
    assert "PRIVATE KEY" not in message
