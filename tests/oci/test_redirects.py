import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fleet.oci.client import RegistryClient
from fleet.oci.credentials import Credentials
from fleet.oci.errors import InvalidResponse, Unauthorized, UntrustedCertificate
from fleet.oci.manifest import Descriptor
from fleet.oci.media_types import OCI_LAYER_GZIP
from fleet.oci.origin import Origin
from fleet.oci.zones import Zone, permitted_addresses, zone_of
from tests.fakes.registry import Reply, ScriptedRegistry
from tests.oci.content import sha256

CONTENT = b"content" * 1000
BLOB = Descriptor(OCI_LAYER_GZIP, sha256(CONTENT), len(CONTENT))
PATH = f"/v2/a/blobs/{BLOB.digest}"


def basic_then(reply):
    return lambda request: reply if request.authorization else Reply(401, {"WWW-Authenticate": "Basic"})


def read(registry):
    client = RegistryClient(registry.url, credentials=Credentials("user", "hunter2"))
    return b"".join(client.blob("a", BLOB))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_blob_is_followed_to_another_host_without_the_login(status):
    with ScriptedRegistry({"/store": Reply(200, {}, CONTENT)}) as store:
        location = f"http://localhost:{store.port}/store?signature=x%2Fy"
        with ScriptedRegistry({PATH: basic_then(Reply(status, {"Location": location}))}) as registry:
            assert read(registry) == CONTENT
    (stored,) = store.requests
    assert stored.path == "/store?signature=x%2Fy"
    assert stored.authorization is None
    assert stored.headers["host"] == f"localhost:{store.port}"


def test_another_port_is_another_host():
    with (
        ScriptedRegistry({"/store": Reply(200, {}, CONTENT)}) as store,
        ScriptedRegistry({PATH: basic_then(Reply(307, {"Location": f"{store.url}/store"}))}) as registry,
    ):
        assert read(registry) == CONTENT
    assert store.requests[0].authorization is None


def test_a_redirect_on_the_same_host_keeps_the_login():
    stored = basic_then(Reply(200, {}, CONTENT))
    with ScriptedRegistry({PATH: basic_then(Reply(307, {"Location": "/store"})), "/store": stored}) as registry:
        assert read(registry) == CONTENT


def test_a_refusal_by_another_host_is_no_challenge():
    with (
        ScriptedRegistry({"/store": Reply(401, {"WWW-Authenticate": "Basic"})}) as store,
        ScriptedRegistry({PATH: basic_then(Reply(307, {"Location": f"{store.url}/store"}))}) as registry,
        pytest.raises(Unauthorized, match=store.host),
    ):
        read(registry)
    assert all(request.authorization is None for request in store.requests)


def test_redirects_end():
    with ScriptedRegistry({PATH: Reply(307, {"Location": PATH})}) as registry:
        with pytest.raises(InvalidResponse, match="without end"):
            read(registry)
        assert len(registry.requests) == 6


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://localhost/x",
        "http://user:secret@localhost/x",
        "http://[::1",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/x",
    ],
)
def test_a_redirect_to_where_it_must_not_lead_is_refused(location):
    with (
        ScriptedRegistry({PATH: Reply(307, {"Location": location})}) as registry,
        pytest.raises(InvalidResponse) as refusal,
    ):
        read(registry)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "zone"),
    [
        ("8.8.8.8", Zone.PUBLIC),
        ("2606:4700::1111", Zone.PUBLIC),
        ("10.1.2.3", Zone.PRIVATE),
        ("100.64.0.1", Zone.PRIVATE),
        ("192.168.0.1", Zone.PRIVATE),
        ("fd00::1", Zone.PRIVATE),
        ("224.0.0.1", Zone.PRIVATE),
        ("127.8.8.8", Zone.LOOPBACK),
        ("0.0.0.0", Zone.LOOPBACK),
        ("::1", Zone.LOOPBACK),
        ("::ffff:127.0.0.1", Zone.LOOPBACK),
        ("::ffff:10.0.0.1", Zone.PRIVATE),
        ("2002:7f00:1::", Zone.LOOPBACK),
        ("169.254.169.254", Zone.LINK_LOCAL),
        ("fe80::1%eth0", Zone.LINK_LOCAL),
    ],
)
def test_addresses_are_told_apart(address, zone):
    assert zone_of(address) is zone


@pytest.mark.parametrize(
    ("home", "target", "allowed"),
    [
        ("8.8.8.8", "1.1.1.1", True),
        ("8.8.8.8", "10.0.0.1", False),
        ("8.8.8.8", "127.0.0.1", False),
        ("8.8.8.8", "2130706433", False),
        ("8.8.8.8", "localhost", False),
        ("10.0.0.1", "10.9.9.9", True),
        ("10.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "10.0.0.1", True),
        ("127.0.0.1", "169.254.169.254", False),
        ("10.0.0.1", "169.254.169.254", False),
    ],
)
def test_a_registry_refers_outward_only(home, target, allowed):
    def permitted():
        return permitted_addresses(Origin("https", target, 443), Origin("https", home, 443))

    if allowed:
        assert permitted() == (target,)
    else:
        with pytest.raises(InvalidResponse, match="private network"):
            permitted()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1 and localhost, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_an_authority_of_the_system_is_trusted(tls, certificate, monkeypatch, variable):
    monkeypatch.setenv(variable, str(certificate))
    with ScriptedRegistry({PATH: Reply(200, {}, CONTENT)}, tls=tls) as registry:
        assert read(registry) == CONTENT


def test_an_unknown_certificate_is_refused_and_plain_http_is_not_tried(tls):
    with ScriptedRegistry(tls=tls) as registry:
        with pytest.raises(UntrustedCertificate, match="SSL_CERT_FILE"):
            RegistryClient(registry.host).check()
        assert registry.connections == 1


def test_a_redirect_is_verified_by_the_name_it_gave(tls, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with ScriptedRegistry({"/store": Reply(200, {}, CONTENT)}, tls=tls) as store:
        location = f"https://localhost:{store.port}/store"
        with ScriptedRegistry({PATH: Reply(307, {"Location": location})}, tls=tls) as registry:
            assert read(registry) == CONTENT


def test_a_redirect_does_not_leave_tls(tls, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with ScriptedRegistry({"/store": Reply(200, {}, CONTENT)}) as store:
        with (
            ScriptedRegistry({PATH: Reply(307, {"Location": f"{store.url}/store"})}, tls=tls) as registry,
            pytest.raises(InvalidResponse, match="plain HTTP"),
        ):
            read(registry)
        assert store.requests == []
