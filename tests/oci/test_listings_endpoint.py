"""A listing as scans meet it: behind an endpoint, in the catalog's place."""

import ssl
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from fleet.oci.credentials import Credentials
from fleet.oci.errors import InvalidReference, RateLimited, UntrustedCertificate
from fleet.oci.listings import listing
from fleet.oci.origin import Origin
from fleet.oci.pace import AdmittedOnly
from fleet.oci.sources import open_endpoint
from fleet.oci.transport import Limits, Stats, Transport
from fleet.oci.trust import Trust
from tests.fakes.registry import Reply, ScriptedRegistry
from tests.oci.providers import as_json, basic

LOGIN = Credentials("robot$ci", "s3cret")


def test_the_listing_stands_for_the_catalog_and_all_else_is_the_registrys(registry):
    registry.routes["/api/v2.0/projects/library/repositories"] = as_json([{"name": "library/app"}])
    registry.routes["/v2/library/app/tags/list"] = as_json({"name": "library/app", "tags": ["1.0"]})
    registry.routes["/v2/"] = Reply(200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}")
    way = listing("harbor", "library")
    with closing(open_endpoint("distribution", registry.url, credentials=LOGIN, listing=way)) as endpoint:
        endpoint.check()
        assert list(endpoint.repositories()) == ["library/app"]
        assert list(endpoint.tags("library/app")) == ["1.0"]
        assert endpoint.stats.requests == 3
    assert not any("_catalog" in path for path in registry.asked())
    assert registry.requests[1].authorization == basic("robot$ci:s3cret")


def test_requests_to_an_api_beside_the_registry_count_too(registry):
    registry.routes["/orgs/acme/packages"] = as_json([{"name": "app"}])
    way = listing("github", f"{registry.url} acme")
    with closing(open_endpoint("distribution", "ghcr.io", listing=way)) as endpoint:
        assert list(endpoint.repositories()) == ["acme/app"]
        assert endpoint.stats.requests == 1
        assert endpoint.stats.received_bytes > 0


class Budget:
    """A pace that admits so many requests."""

    def __init__(self, left):
        self.left = left
        self.heard_of = []

    def admit(self):
        if not self.left:
            raise RateLimited("The budget is used up.", 60)
        self.left -= 1

    def heard(self, status, headers):
        self.heard_of.append(status)


def test_a_registry_is_listed_at_its_own_pace(registry):
    registry.routes["/api/v2.0/projects/library/repositories"] = as_json([{"name": "library/app"}])
    pace, way = Budget(1), listing("harbor", "library")
    with closing(open_endpoint("distribution", registry.url, pace=pace, listing=way)) as endpoint:
        assert list(endpoint.repositories()) == ["library/app"]
        with pytest.raises(RateLimited, match="used up"):
            list(endpoint.repositories())
    assert pace.heard_of == [200]


def test_an_endpoint_takes_the_authority_of_its_registry(certificate):
    path, authority = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with ScriptedRegistry({"/v2/a/tags/list": as_json({"tags": ["1"]})}, tls=context) as server:
        with closing(open_endpoint("distribution", server.url, trust=Trust(authority))) as endpoint:
            assert list(endpoint.tags("a")) == ["1"]
        with closing(open_endpoint("distribution", server.url)) as endpoint, pytest.raises(UntrustedCertificate):
            list(endpoint.tags("a"))


def test_an_api_beside_the_registry_is_asked_at_its_pace_but_says_nothing_of_its_limits(registry):
    pace = Budget(1)
    registry.routes["/a"] = Reply(200, {"RateLimit-Limit": "2000", "RateLimit-Remaining": "1"})
    with ScriptedRegistry() as other:
        home = _transport(registry, pace=pace)
        other.routes["/a"] = Reply()
        beside = home.beside(_transport(other).home, trusted=False)
        beside.request("GET", "/a", {}).discard()
        with pytest.raises(RateLimited):
            beside.request("GET", "/a", {})
        assert len(other.requests) == 1
        beside.close()
        home.close()
    assert pace.heard_of == []
    assert AdmittedOnly(pace).heard(200, {}) is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1: the file of it and its key, and its PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now, day = datetime.now(UTC), timedelta(days=1)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
    authority = built.add_extension(names, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(authority + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path, authority.decode()


def test_the_registrys_authority_vouches_for_an_api_that_the_admin_named_and_for_no_other(registry, certificate):
    path, authority = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    home = _transport(registry, trust=Trust(authority))
    with ScriptedRegistry({"/a": Reply()}, tls=context) as api:
        origin = Origin("https", "127.0.0.1", api.port)
        for trusted in (True, False):
            beside = home.beside(origin, trusted=trusted)
            with closing(beside), nullcontext() if trusted else pytest.raises(UntrustedCertificate):
                assert beside.request("GET", "/a", {}).status == 200
    home.close()


def _transport(server, **options):
    return Transport((Origin("http", "127.0.0.1", server.port),), stats=Stats(), limits=Limits(), **options)


def test_a_provider_that_is_none_is_refused():
    with pytest.raises(InvalidReference, match="Choose one of harbor, gitlab, github, ecr, google"):
        listing("quay", "")
