"""What a hostile registry cannot do: send us into private networks, or fill our memory."""

import gzip
import json
import socket
from dataclasses import replace

import pytest

from fleet.oci.client import RegistryClient
from fleet.oci.credentials import Credentials
from fleet.oci.document import Document
from fleet.oci.errors import DigestMismatch, InvalidResponse, ServerFailure, TooLarge
from fleet.oci.manifest import Descriptor, parse_manifest
from fleet.oci.media_types import DOCKER_MANIFEST, OCI_LAYER_GZIP, OCI_MANIFEST
from fleet.oci.origin import Origin
from fleet.oci.zones import Zone, permitted_addresses, zone_of
from tests.fakes.registry import Reply, ScriptedRegistry
from tests.oci.content import HASTY, sha256

CONTENT = b"content" * 1000
BLOB = Descriptor(OCI_LAYER_GZIP, sha256(CONTENT), len(CONTENT))
PATH = f"/v2/a/blobs/{BLOB.digest}"
MANIFEST = "/v2/a/manifests/1"
LOGIN = Credentials("user", "hunter2")


@pytest.fixture
def names(monkeypatch):
    """What DNS says of made-up names, by host; each may change its answer by being a list that is used up.

    ``asked`` is the order of questions. Everything else is looked up as ever.
    """
    real = socket.getaddrinfo

    class Names(dict):
        asked = []

    names = Names()

    def getaddrinfo(host, port, *rest, **options):
        names.asked.append(host)
        addresses = names.get(host)
        if addresses is None:
            return real(host, port, *rest, **options)
        if isinstance(addresses, list):
            addresses = addresses.pop(0) if len(addresses) > 1 else addresses[0]
        family = socket.AF_INET6 if ":" in addresses[0] else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "169.254.170.2",
    ],
)
@pytest.mark.parametrize("home", ["8.8.8.8", "10.0.0.1", "127.0.0.1", "fd00::1"])
def test_a_clouds_metadata_is_out_of_reach_from_anywhere(address, home):
    assert zone_of(address) is Zone.LINK_LOCAL
    with pytest.raises(InvalidResponse, match="was not followed"):
        permitted_addresses(Origin("https", address, 443), Origin("https", home, 443))


@pytest.mark.parametrize(
    ("address", "zone"),
    [
        ("64:ff9b::7f00:1", Zone.LOOPBACK),
        ("64:ff9b::a00:1", Zone.PRIVATE),
        ("64:ff9b::808:808", Zone.PUBLIC),
        ("::127.0.0.1", Zone.LOOPBACK),
        ("::", Zone.LOOPBACK),
        ("::1", Zone.LOOPBACK),
    ],
)
def test_translated_addresses_are_what_they_are_translated_to(address, zone):
    assert zone_of(address) is zone


def test_a_registry_on_the_metadata_address_is_the_admins_own_choice():
    home = Origin("http", "169.254.169.254", 80)
    assert permitted_addresses(Origin("http", "169.254.169.253", 80), home) == ("169.254.169.253",)


def test_a_registry_that_names_a_private_address_beside_its_own_gains_nothing(names):
    names["registry.example.com"] = ("8.8.8.8", "10.0.0.1")
    with pytest.raises(InvalidResponse, match="private network"):
        permitted_addresses(Origin("https", "10.9.9.9", 443), Origin("https", "registry.example.com", 443))


def public_registry(registry, names, **options):
    """A client for a registry that is on the Internet, as far as DNS tells; connections go to the test's server."""
    client = RegistryClient(f"http://localhost:{registry.port}", limits=HASTY, **options)
    # The first answer is to connect to; by the second it is judged where it lives.
    names["localhost"] = [("127.0.0.1",), ("8.8.8.8",)]
    return client


@pytest.mark.parametrize("host", ["127.0.0.1", "store.example.com", "[::1]", "0.0.0.0", "2130706433", "127.1"])
def test_a_public_registry_does_not_redirect_to_this_machine(names, host):
    names["store.example.com"] = ("127.0.0.1",)
    with ScriptedRegistry({"/store": Reply(200, {}, CONTENT)}) as store, ScriptedRegistry() as registry:
        registry.routes[PATH] = Reply(307, {"Location": f"http://{host}:{store.port}/store"})
        with pytest.raises(InvalidResponse, match="private network where it does not live itself"):
            list(public_registry(registry, names).blob("a", BLOB))
        assert store.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "realm.example.com", "[fe80::1]"])
def test_a_public_registry_does_not_send_the_login_to_a_private_realm(names, host):
    names["realm.example.com"] = ("10.0.0.1",)
    with ScriptedRegistry({"/token": Reply(200, {}, b'{"token":"t"}')}) as realm, ScriptedRegistry() as registry:
        challenge = f'Bearer realm="http://{host}:{realm.port}/token"'
        registry.routes[MANIFEST] = Reply(401, {"WWW-Authenticate": challenge})
        with pytest.raises(InvalidResponse, match="was not followed"):
            public_registry(registry, names, credentials=LOGIN).head("a", "1")
        assert realm.connections == 0


def test_an_address_is_connected_to_as_it_was_checked(names):
    """DNS that answers differently the second time (rebinding) is not asked a second time."""
    with ScriptedRegistry({"/store": Reply(200, {}, CONTENT)}) as store, ScriptedRegistry() as registry:
        names["store.example.com"] = [("127.0.0.1",), ("169.254.169.254",)]
        registry.routes[PATH] = Reply(307, {"Location": f"http://store.example.com:{store.port}/store"})
        client = RegistryClient(registry.url)
        assert b"".join(client.blob("a", BLOB)) == CONTENT
        assert names.asked.count("store.example.com") == 1
        assert store.requests[0].headers["host"] == f"store.example.com:{store.port}"


def test_a_registry_does_not_move_nearer_while_it_is_read(names):
    with ScriptedRegistry({"/store": Reply(200, {}, CONTENT)}) as store, ScriptedRegistry() as registry:
        registry.routes[PATH] = Reply(307, {"Location": f"{store.url}/store"})
        client = public_registry(registry, names)
        names["localhost"].append(("127.0.0.1",))
        for _ in range(3):
            with pytest.raises(InvalidResponse, match="private network"):
                list(client.blob("a", BLOB))
        assert store.connections == 0


def test_the_urls_of_a_foreign_layer_are_never_followed(registry, client):
    with ScriptedRegistry({"/layer": Reply(200, {}, CONTENT)}) as elsewhere:
        layer = {
            "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "digest": BLOB.digest,
            "size": BLOB.size_bytes,
            "urls": [f"{elsewhere.url}/layer", "http://169.254.169.254/layer"],
        }
        config = {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": sha256(b"{}"), "size": 2}
        body = json.dumps({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": [layer]})
        registry.routes[MANIFEST] = Reply(200, {"Content-Type": DOCKER_MANIFEST}, body.encode())
        manifest = parse_manifest(client.manifest("a", "1")[1], DOCKER_MANIFEST)
        with pytest.raises(Exception, match="has lost blob"):
            list(client.blob("a", manifest.layers[0]))
        assert elsewhere.connections == 0
        assert {path.split(" ")[1] for path in registry.asked()} == {MANIFEST, PATH}


def test_a_manifest_that_announces_two_gibibytes_is_not_read(registry, client):
    registry.routes[MANIFEST] = Reply(200, {"Content-Type": OCI_MANIFEST}, b"{" * 100_000, stated_bytes=2 << 30)
    with pytest.raises(TooLarge, match=r"2147483648 bytes to send, more than the 4194304.*was not read"):
        client.manifest("a", "1")
    assert client.stats.received_bytes == 0
    assert len(registry.requests) == 1


def test_a_manifest_without_a_length_is_read_up_to_its_limit(registry, client):
    registry.routes[MANIFEST] = Reply(200, {"Content-Length": "", "Content-Type": OCI_MANIFEST}, b" " * (16 << 20))
    with pytest.raises(TooLarge, match="sent more than 4194304 bytes"):
        client.manifest("a", "1")
    assert client.stats.received_bytes < 5 << 20


@pytest.mark.parametrize("length", ["", None])
def test_an_error_is_read_a_little(registry, client, length):
    fields = {} if length is None else {"Content-Length": length}
    registry.routes[MANIFEST] = Reply(501, fields, b"x" * (8 << 20))
    with pytest.raises(ServerFailure):
        client.manifest("a", "1")
    assert client.stats.received_bytes < 1 << 20


@pytest.mark.parametrize(
    ("levels_each", "opening", "inner", "closing"),
    [(1, '{"a":', "1", "}"), (2, '{"a":[', "", "]}"), (3, '{"\\"a":{"]":[', "", "]}}")],
)
def test_json_has_a_depth(levels_each, opening, inner, closing):
    def parse(times):
        return Document.parse((opening * times + inner + closing * times).encode(), "The manifest")

    assert parse(64 // levels_each).keys("nothing") == ()
    for times in (64 // levels_each + 1, 100_000):
        with pytest.raises(InvalidResponse, match="The manifest is nested more than 64 levels deep"):
            parse(times)


def test_depth_is_no_count_of_brackets():
    body = json.dumps({"a": [{"b": []}] * 10_000, "text": "[{" * 10_000, "quote": '"[' * 1000, "back": "\\" * 1001})
    assert len(Document.parse(body.encode(), "It").documents("a")) == 10_000


@pytest.mark.parametrize(
    "body",
    [
        b"[" * (4 << 20),
        b'{"a":' * 800_000,
        b'"' * (4 << 20),
        b'\\"' * (2 << 20) + b"[" * 99,
        b'"\\' * (2 << 20) + b"[" * 99,
    ],
    ids=["lists", "objects", "quotes", "escapes", "backslashes"],
)
def test_depth_is_found_in_a_time_that_grows_no_faster_than_the_text(body):
    """With a scan that starts over at each quote the last two take hours."""
    with pytest.raises(InvalidResponse):
        Document.parse(body, "The manifest")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_json_is_utf_8(encoding):
    with pytest.raises(InvalidResponse):
        Document.parse(('{"a":' * 99 + "1" + "}" * 99).encode(encoding), "The manifest")


def test_a_deep_manifest_is_a_sentence(registry, client):
    registry.routes["/v2/a/tags/list"] = Reply(200, {}, b'{"tags":' + b"[" * 1_000_000)
    with pytest.raises(InvalidResponse, match="nested more than 64 levels"):
        list(client.tags("a"))


def test_an_encoded_answer_is_never_inflated(registry, client):
    """We ask for none: a bomb of 10 GiB is 10 MB here."""
    bomb = gzip.compress(b" " * (32 << 20))
    registry.routes[MANIFEST] = Reply(200, {"Content-Type": OCI_MANIFEST, "Content-Encoding": "gzip"}, bomb)
    with pytest.raises(InvalidResponse, match="encoded as gzip, though it was asked not to"):
        client.manifest("a", "1")
    assert registry.requests[0].headers["accept-encoding"] == "identity"


def test_a_blob_is_taken_as_it_is_stored_whatever_its_encoding_is_called(registry, client):
    registry.routes[PATH] = Reply(200, {"Content-Encoding": "gzip"}, CONTENT)
    assert b"".join(client.blob("a", BLOB)) == CONTENT
    registry.routes[PATH] = Reply(200, {"Content-Encoding": "gzip"}, gzip.compress(CONTENT))
    with pytest.raises(DigestMismatch):
        list(client.blob("a", BLOB))


def test_slow_answers_end(registry):
    registry.routes[MANIFEST] = Reply(200, {"Content-Type": OCI_MANIFEST}, b" " * 1000, dribbles=(1, 0.05))
    client = RegistryClient(registry.url, limits=replace(HASTY, body_seconds=0.3))
    with pytest.raises(Exception, match="sent its answer too slowly"):
        client.manifest("a", "1")
    assert len(registry.requests) == 1
