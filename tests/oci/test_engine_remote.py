"""Engines that are not on a socket here: TCP with TLS in front of the real engine, and a real sshd."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import socket
import socketserver
import ssl
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from fleet.oci.errors import (
    InvalidReference,
    InvalidResponse,
    RegistryError,
    TimedOut,
    Unauthorized,
    Unreachable,
    UntrustedCertificate,
)
from fleet.oci.manifest import Manifest, parse_manifest
from fleet.oci.sources import open_endpoint
from fleet.oci.sources.endpoint import Endpoint
from fleet.oci.trust import Trust
from tests.oci.authority import Authority
from tests.servers import free_port, running, wait_until


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def trust(authority: Authority) -> Trust:
    return Trust(authority.pem, *authority.issue("client"))


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The name of an image in the engine, tag 1, whose only file is "hello"."""
    client = docker.from_env()
    name = f"plimsoll-remote-{uuid.uuid4().hex[:12]}"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        member = tarfile.TarInfo("hello")
        member.size = 300_000
        archive.addfile(member, io.BytesIO(b"h" * member.size))
    client.api.import_image_from_data(content.getvalue(), repository=name, tag="1")
    yield name
    client.images.remove(f"{name}:1", force=True)
    client.close()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go during a test. Short, as a Unix socket has to lie in it."""
    with tempfile.TemporaryDirectory(prefix="t-") as path:
        monkeypatch.setattr(tempfile, "tempdir", path)
        yield Path(path)


class _Answering(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def _engine_socket() -> str:
    return os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


@contextlib.contextmanager
def tls_front(authority: Authority, *, host: str = "127.0.0.1", abrupt: bool = False) -> Iterator[int]:
    """The engine's socket behind TLS that asks for a certificate of ``authority``; the port. Who has none is told so,
    unless the connection ends abruptly."""
    certificate, key = authority.issue(host)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(certificate + key)
        file.flush()
        context.load_cert_chain(file.name)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), self.agree() as near, socket.socket(socket.AF_UNIX) as far:
                far.connect(_engine_socket())
                back = threading.Thread(target=_pass_on, args=(far, near), daemon=True)
                back.start()
                _pass_on(near, far)
                back.join(10)

        def agree(self) -> ssl.SSLSocket:
            raw = self.request.dup()
            near = context.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)
            try:
                near.do_handshake()
            except OSError:
                if abrupt:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    # Unread data would make a reset of the end, in which the alert could be lost.
                    raw.settimeout(5)
                    while raw.recv(65_536):
                        pass
                near.close()
                raise
            finally:
                raw.close()
            return near

    with serving(Handler) as port:
        yield port


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with _Answering(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@contextlib.contextmanager
def answering(status: str, body: bytes = b"", headers: str = "") -> Iterator[int]:
    """A server of plain HTTP that says the same to everybody; the port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}Connection: close\r\n\r\n"
            self.request.sendall(head.encode() + body)

    with serving(Handler) as port:
        yield port


def read_whole(endpoint: Endpoint, name: str) -> None:
    """Everything that a scan asks of an engine."""
    endpoint.check()
    assert name in endpoint.repositories()
    assert list(endpoint.tags(name)) == ["1"]
    source = endpoint.source(name)
    descriptor, body = source.manifest("1")
    assert source.head("1").digest == descriptor.digest
    manifest = parse_manifest(body, descriptor.media_type)
    assert isinstance(manifest, Manifest)
    layer = b"".join(source.blob(manifest.layers[0]))
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        assert archive.getmember("hello").size == 300_000


def failure(url: str, **options: object) -> RegistryError:
    with (
        pytest.raises(RegistryError) as caught,
        contextlib.closing(open_endpoint("engine", url, **options)) as endpoint,
    ):  # type: ignore[arg-type]
        endpoint.check()
    assert str(caught.value).endswith(".")
    return caught.value


@pytest.mark.engine
class TestTls:
    @pytest.mark.parametrize("scheme", ["tcp", "https"])
    def test_an_image_is_read(
        self, scheme: str, authority: Authority, trust: Trust, image: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # What the environment trusts must not take the place of what the admin named.
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")
        with (
            tls_front(authority) as port,
            contextlib.closing(open_endpoint("engine", f"{scheme}://127.0.0.1:{port}", trust=trust)) as endpoint,
        ):
            read_whole(endpoint, image)

    def test_the_key_is_on_disk_for_nobody_else_and_only_while_it_is_needed(
        self, authority: Authority, trust: Trust, temporary: Path
    ) -> None:
        with tls_front(authority) as port:
            endpoint = open_endpoint("engine", f"tcp://127.0.0.1:{port}", trust=trust)
            assert not list(temporary.rglob("*"))
            endpoint.check()
            files = [path for path in temporary.rglob("*") if path.is_file()]
            assert {path.name for path in files} == {"ca.pem", "cert.pem"}
            assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
            assert {stat.S_IMODE(path.parent.stat().st_mode) for path in files} == {0o700}
            endpoint.close()
        assert not list(temporary.rglob("*"))


def test_files_are_removed_when_the_engine_does_not_answer(trust: Trust, temporary: Path) -> None:
    failure(f"tcp://127.0.0.1:{free_port()}", trust=trust)
    assert not list(temporary.rglob("*"))


class TestTlsFailures:
    def test_another_authority(self, authority: Authority, trust: Trust) -> None:
        other = Trust(Authority("Another").pem, trust.certificate_pem, trust.key_pem)
        with tls_front(authority) as port:
            error = failure(f"tcp://127.0.0.1:{port}", trust=other)
        assert isinstance(error, UntrustedCertificate)
        assert f"tcp://127.0.0.1:{port} shows a certificate that is not trusted" in str(error)
        assert "Paste the authority" in str(error)

    def test_another_name(self, authority: Authority, trust: Trust) -> None:
        with tls_front(authority, host="engine.example.com") as port:
            error = failure(f"tcp://127.0.0.1:{port}", trust=trust)
        assert isinstance(error, UntrustedCertificate)

    def test_no_client_certificate(self, authority: Authority) -> None:
        with tls_front(authority) as port:
            error = failure(f"tcp://127.0.0.1:{port}", trust=Trust(authority.pem))
        assert isinstance(error, Unauthorized)
        assert "wants a client certificate" in str(error)

    def test_no_client_certificate_and_no_word_about_it(self, authority: Authority) -> None:
        with tls_front(authority, abrupt=True) as port:
            error = failure(f"tcp://127.0.0.1:{port}", trust=Trust(authority.pem))
        assert "want" in str(error)
        assert "client certificate" in str(error)

    def test_a_server_without_tls(self, trust: Trust) -> None:
        with answering("400 Bad Request") as port:
            error = failure(f"tcp://127.0.0.1:{port}", trust=trust)
        assert "does not speak TLS" in str(error)

    def test_a_server_with_tls_alone(self) -> None:
        with answering("400 Bad Request", b"Client sent an HTTP request to an HTTPS server.\n") as port:
            error = failure(f"tcp://127.0.0.1:{port}")
        assert "speaks TLS only" in str(error)

    def test_a_key_that_cannot_be_read_is_not_told(self, trust: Trust) -> None:
        bad = Trust(trust.authority_pem, trust.certificate_pem, "-----BEGIN PRIVATE KEY-----\nhunter2\n")
        error = failure("tcp://127.0.0.1:2376", trust=bad)
        assert isinstance(error, InvalidReference)
        assert "hunter2" not in str(error)
        assert "certificate" in str(error)


class TestTcpFailures:
    def test_nothing_listens(self) -> None:
        error = failure(f"tcp://127.0.0.1:{free_port()}")
        assert isinstance(error, Unreachable)
        assert "nothing listens there" in str(error)

    def test_no_such_host(self) -> None:
        error = failure("tcp://engine.invalid:2376")
        assert isinstance(error, Unreachable)
        assert "its host has no address" in str(error)

    def test_a_redirect_is_not_followed(self) -> None:
        with answering("200 OK", b'{"ApiVersion": "1.41"}') as inner:
            location = f"Location: http://127.0.0.1:{inner}/version\r\n"
            with answering("302 Found", headers=location) as port:
                error = failure(f"tcp://127.0.0.1:{port}")
        assert isinstance(error, InvalidResponse)
        assert "sends us elsewhere" in str(error)

    @pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'{"ApiVersion": 7}', b'{"ApiVersion": "new"}', b"null"])
    def test_what_is_no_engine(self, body: bytes) -> None:
        with answering("200 OK", body, "Content-Type: application/json\r\n") as port:
            error = failure(f"http://127.0.0.1:{port}")
        assert "is no Docker Engine" in str(error)

    def test_a_silent_engine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fleet.oci.sources.engine_connection.READ_SECONDS", 0.3)
        over = threading.Event()

        class Silent(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                over.wait(30)

        with serving(Silent) as port:
            error = failure(f"tcp://127.0.0.1:{port}")
            over.set()
        assert isinstance(error, TimedOut)
        assert "sent nothing" in str(error)


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("/var/run/docker.sock", "is no URL of an engine"),
        ("ftp://host", "is no URL of an engine"),
        ("http://engine.example.com:2375", "in clear text"),
        ("tcp://", "is no URL of an engine"),
        ("tcp://host:99999", "is no URL of an engine"),
        ("tcp://host", "is no URL of an engine"),
        ("https://host", "is no URL of an engine"),
        ("tcp://host:2376/path", "is no URL of an engine"),
        ("tcp://user:hunter2@host:2376", "must hold no login"),
        ("ssh://", "behind ssh"),
        ("ssh://-oProxyCommand=touch", "behind ssh"),
        ("ssh://-oProxyCommand=x@host", "behind ssh"),
        ("ssh://user@-host", "behind ssh"),
        ("ssh://user@host name", "behind ssh"),
        ("ssh://host:port", "behind ssh"),
        ("ssh://host/run/docker.sock", "behind ssh"),
        ("ssh://user:hunter2@host", "must hold no password"),
    ],
)
def test_a_url_that_may_not_be_connected_to(url: str, part: str) -> None:
    with pytest.raises(InvalidReference, match=part) as caught:
        open_endpoint("engine", url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("options", [{"plain_http": True}, {"trust": Trust("x")}])
def test_plain_http_beyond_this_machine_needs_leave(options: dict[str, object]) -> None:
    if "trust" in options:
        with pytest.raises(InvalidReference, match="clear text"):
            open_endpoint("engine", "http://engine.example.com:2375", **options)  # type: ignore[arg-type]
    else:
        open_endpoint("engine", "http://engine.example.com:2375", **options).close()  # type: ignore[arg-type]


def test_without_leave_tcp_beyond_this_machine_is_tls() -> None:
    from fleet.oci.sources.engine_connection import EngineAddress

    assert EngineAddress("tcp://engine.example.com:2375").uses_tls
    assert not EngineAddress("tcp://engine.example.com:2375", plain_http=True).uses_tls
    assert not EngineAddress("tcp://127.0.0.1:2375").uses_tls
    assert EngineAddress("tcp://127.0.0.1:2375", trust=Trust(Authority().pem)).uses_tls


def _put_ssh(directory: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of the name ssh comes first on PATH."""
    directory.mkdir(exist_ok=True)
    program = directory / "ssh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A real sshd that lets this user in with a key, and a real ssh that knows both; the port."""
    server, client = shutil.which("sshd"), shutil.which("ssh")
    if not server or not client:
        pytest.skip("openssh-server is not installed")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    port = free_port()
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {tmp_path}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {tmp_path}/user.pub\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        f"SetEnv DOCKER_HOST=unix://{_engine_socket()}\n"
    )
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}")
    (tmp_path / "config").write_text(
        f"IdentityFile {tmp_path}/user\nIdentitiesOnly yes\nUserKnownHostsFile {tmp_path}/known\n"
        "GlobalKnownHostsFile /dev/null\n"
    )
    _put_ssh(tmp_path / "bin", f'exec {client} -F {tmp_path}/config "$@"', monkeypatch)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with running([server, "-D", "-e", "-f", str(tmp_path / "sshd_config")], tmp_path / "sshd.log"):
        wait_until(lambda: _listens(port), "sshd")
        yield port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.engine
class TestSsh:
    def test_an_image_is_read_through_sshd(self, sshd: int, image: str, temporary: Path) -> None:
        before = _own_processes()
        endpoint = open_endpoint("engine", f"ssh://127.0.0.1:{sshd}")
        read_whole(endpoint, image)
        assert _own_processes() - before
        endpoint.close()
        assert not _own_processes() - before
        assert not list(temporary.rglob("*"))

    def test_a_host_that_nobody_vouched_for_is_refused(self, sshd: int, tmp_path: Path) -> None:
        (tmp_path / "known").write_text("")
        error = failure(f"ssh://127.0.0.1:{sshd}")
        assert isinstance(error, Unauthorized)
        assert "Host key verification failed" in str(error)

    def test_a_key_that_is_not_let_in(self, sshd: int, tmp_path: Path) -> None:
        (tmp_path / "user.pub").write_text("")
        error = failure(f"ssh://127.0.0.1:{sshd}")
        assert isinstance(error, Unauthorized)
        assert "Permission denied" in str(error)


def _own_processes() -> set[int]:
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                found.add(int(entry.parent.name))
    return found


@pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")
def test_ssh_to_a_port_where_nothing_listens() -> None:
    error = failure(f"ssh://127.0.0.1:{free_port()}")
    assert isinstance(error, Unreachable)
    assert "Connection refused" in str(error)


def test_what_the_other_end_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "echo first >&2; echo 'sh: 1: docker: not found' >&2; exit 127"
    _put_ssh(tmp_path / "bin", script, monkeypatch)
    error = failure("ssh://engine.example.com")
    assert "Ssh says: sh: 1: docker: not found. Try" in str(error)


def test_ssh_gets_the_host_as_a_host_and_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _put_ssh(tmp_path / "bin", f'printf "%s\\n" "$@" > {tmp_path}/arguments; exit 1', monkeypatch)
    error = failure("ssh://deploy@engine.example.com:2222")
    assert "ended without a word" in str(error)
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert "BatchMode=yes" in arguments
    assert arguments[-9:] == [
        "-l", "deploy", "-p", "2222", "--", "engine.example.com", "docker", "system", "dial-stdio",
    ]  # fmt: skip


def test_without_ssh_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "ssh cannot be started" in str(failure("ssh://engine.example.com"))


def test_an_ssh_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.oci.sources.engine_connection.READ_SECONDS", 0.3)
    _put_ssh(tmp_path / "bin", f"exec {sys.executable} -c 'import time; time.sleep(60)'", monkeypatch)
    before = _own_processes()
    assert isinstance(failure("ssh://engine.example.com"), TimedOut)
    assert not _own_processes() - before
