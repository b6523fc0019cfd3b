import contextlib
import os
import socket
import ssl
import struct
import tempfile
import threading

import pytest

from fleet.oci import trust
from fleet.oci.client import RegistryClient
from fleet.oci.credentials import Credentials
from fleet.oci.errors import InvalidReference, Unauthorized, UntrustedCertificate
from fleet.oci.manifest import Descriptor
from fleet.oci.media_types import OCI_LAYER_GZIP
from fleet.oci.trust import Trust
from tests.fakes.registry import Reply, ScriptedRegistry
from tests.oci.authority import Authority
from tests.oci.content import HASTY, sha256

CONTENT = b"content" * 1000
BLOB = Descriptor(OCI_LAYER_GZIP, sha256(CONTENT), len(CONTENT))
PATH = f"/v2/a/blobs/{BLOB.digest}"
STORED = {"/store": Reply(200, {}, CONTENT)}


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def trusted(authority):
    """The authority, and a client certificate that it signed."""
    return Trust(authority.pem, *authority.issue("worker"))


@pytest.fixture
def tls(authority, tmp_path):
    """Makes a server's context; ``wants_clients`` refuses whoever shows no certificate of the authority."""

    def make(host="127.0.0.1", *, wants_clients=False, version=None):
        path = tmp_path / f"{host}.pem"
        path.write_text("".join(authority.issue(host)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if wants_clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=authority.pem)
        if version:
            context.maximum_version = version
        return context

    return make


def read(registry, trust, **options):
    client = RegistryClient(registry.url, trust=trust, limits=HASTY, **options)
    return b"".join(client.blob("a", BLOB))


def test_an_authority_of_ones_own_is_trusted(tls, authority):
    with ScriptedRegistry({PATH: Reply(200, {}, CONTENT)}, tls=tls()) as registry:
        assert read(registry, Trust(authority.pem)) == CONTENT
        with pytest.raises(UntrustedCertificate, match="Paste its authority"):
            read(registry, None)
        with pytest.raises(UntrustedCertificate):
            read(registry, Trust(Authority("another").pem))


def test_the_system_is_trusted_beside_it(tls, authority, tmp_path, monkeypatch):
    system = tmp_path / "system.pem"
    system.write_text(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    with ScriptedRegistry({PATH: Reply(200, {}, CONTENT)}, tls=tls()) as registry:
        assert read(registry, Trust(Authority("another").pem)) == CONTENT


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_is_shown_and_its_want_is_named(tls, authority, trusted, version):
    with ScriptedRegistry({PATH: Reply(200, {}, CONTENT)}, tls=tls(wants_clients=True, version=version)) as registry:
        assert read(registry, trusted) == CONTENT
        connections = registry.connections
        with pytest.raises(Unauthorized, match="wants a client certificate"):
            read(registry, Trust(authority.pem))
        # It is not asked again: at most once more over a connection that might have been an old one, and a last one
        # that only listens.
        assert registry.connections - connections <= 3


def test_a_want_that_was_lost_to_a_reset_is_heard_by_listening(tls, authority):
    """In TLS 1.3 servers may close before they have read what came with the client's last word: that resets the
    connection, and the alert never arrives."""
    with _Resetting(tls(wants_clients=True)) as server:
        client = RegistryClient(f"https://127.0.0.1:{server.port}", trust=Trust(authority.pem), limits=HASTY)
        with pytest.raises(Unauthorized, match="wants a client certificate"):
            list(client.blob("a", BLOB))
    assert server.ends == ["reset", "reset", "alert"]


def _records(raw):
    """How many records of TLS there are: a type, a version, a length of two bytes."""
    count = 0
    while raw:
        raw, count = raw[5 + int.from_bytes(raw[3:5], "big") :], count + 1
    return count


class _Resetting:
    """Refuses each client; one that had begun to send never reads why."""

    def __init__(self, context):
        self.ends = []
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._refuse(connection)

    def _refuse(self, connection):
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = self._context.wrap_bio(received, sent, server_side=True)
        while True:
            try:
                server.do_handshake()
            except ssl.SSLWantReadError:
                connection.sendall(sent.read())
                received.write(connection.recv(1 << 16))
            except ssl.SSLError:
                break
        # The client's last word of the handshake is unread. A request would be a record after it.
        connection.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            received.write(connection.recv(1 << 16))
        asked = _records(received.read()) > 1
        if asked:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.sendall(sent.read())
        self.ends.append("reset" if asked else "alert")


@pytest.mark.parametrize("elsewhere", ["another host", "another port"])
def test_a_redirect_elsewhere_never_sees_the_client_certificate(
    tls, authority, trusted, tmp_path, monkeypatch, elsewhere
):
    system = tmp_path / "system.pem"
    system.write_text(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    host = "localhost" if elsewhere == "another host" else "127.0.0.1"
    for wants_clients in (False, True):
        with ScriptedRegistry(STORED, tls=tls(host, wants_clients=wants_clients)) as store:
            location = f"https://{host}:{store.port}/store"
            with ScriptedRegistry({PATH: Reply(307, {"Location": location})}, tls=tls(wants_clients=True)) as registry:
                if wants_clients:
                    with pytest.raises(Unauthorized, match=f"{host}:{store.port} wants a client certificate"):
                        read(registry, trusted)
                    assert store.requests == []
                else:
                    assert read(registry, trusted) == CONTENT


def test_the_authority_vouches_for_the_registrys_own_host_alone(tls, authority):
    """On any port, where a token realm often listens; another name may be anybody."""
    for host, is_trusted in (("127.0.0.1", True), ("localhost", False)):
        with ScriptedRegistry(STORED, tls=tls(host)) as store:
            location = f"https://{host}:{store.port}/store"
            with ScriptedRegistry({PATH: Reply(307, {"Location": location})}, tls=tls()) as registry:
                if is_trusted:
                    assert read(registry, Trust(authority.pem)) == CONTENT
                else:
                    with pytest.raises(UntrustedCertificate, match="localhost"):
                        read(registry, Trust(authority.pem))
                    assert store.requests == []


def test_a_realm_elsewhere_sees_neither_certificate_nor_login(tls, trusted):
    with ScriptedRegistry({"/token": Reply(200, {}, b'{"token":"t"}')}, tls=tls("localhost")) as realm:
        challenge = {"WWW-Authenticate": f'Bearer realm="https://localhost:{realm.port}/token"'}
        with (
            ScriptedRegistry({PATH: Reply(401, challenge)}, tls=tls(wants_clients=True)) as registry,
            pytest.raises(UntrustedCertificate),
        ):
            read(registry, trusted, credentials=Credentials("user", "hunter2"))
        assert realm.requests == []


GARBAGE = "-----BEGIN CERTIFICATE-----\nTm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
ENCRYPTED = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VjcmV0IGtleQ==\n-----END ENCRYPTED PRIVATE KEY-----\n"


def test_pem_that_cannot_be_used_is_refused_without_being_quoted(authority, trusted):
    _, other_key = authority.issue("other")
    wrong = [
        (Trust("no PEM"), "authority"),
        (Trust(GARBAGE), "authority"),
        (Trust("\N{SNOWMAN}"), "authority"),
        (Trust("", trusted.certificate_pem), "has no key"),
        (Trust("", "", trusted.key_pem), "client certificate"),
        (Trust("", trusted.certificate_pem, other_key), "belong together"),
        (Trust("", trusted.certificate_pem, ENCRYPTED), "without a passphrase"),
        (Trust("", GARBAGE, trusted.key_pem), "cannot be used"),
        (Trust("", trusted.certificate_pem, "-----BEGIN PRIVATE KEY-----\n\0\udc80"), "cannot be used"),
    ]
    for texts, said in wrong:
        with pytest.raises(InvalidReference, match=said) as refusal:
            RegistryClient("https://registry.example.com", trust=texts)
        for line in (trusted.key_pem + other_key).splitlines()[1:-1]:
            assert line not in str(refusal.value)
        assert refusal.value.__cause__ is None


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(authority, trusted):
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(trusted.key_pem.encode(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
    )
    with pytest.raises(InvalidReference, match="without a passphrase"):
        RegistryClient("https://registry.example.com", trust=Trust("", trusted.certificate_pem, locked.decode()))


def test_nothing_of_a_key_stays_on_disk_or_in_a_repr(trusted, tmp_path, monkeypatch):
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    trust._context.cache_clear()
    RegistryClient("https://registry.example.com", trust=trusted)
    assert os.listdir(directory) == []
    assert trusted.key_pem.splitlines()[1] not in repr(trusted)


def test_a_context_is_built_once_for_the_same_texts(trusted):
    trust._context.cache_clear()
    for _ in range(5):
        RegistryClient("https://registry.example.com", trust=Trust(*map(str, (trusted.authority_pem, "", ""))))
    assert trust._context.cache_info().misses == 2
