"""What is asked of an image, and the small program that asks it."""

from __future__ import annotations

import http.server
import platform
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from fleet.oci.errors import InvalidReference
from fleet.oci.manifest import ImageConfig, Platform
from fleet.verification import relay
from fleet.verification.probing import Probe, listening, make_probe, parse_environment, request
from tests.servers import free_port

CONFIG = ImageConfig(Platform("linux", "amd64"), exposed_ports=("9000/tcp", "53/udp", "8080", "99999/tcp", "x"))


def test_the_image_says_what_to_ask_unless_a_person_does() -> None:
    assert make_probe(CONFIG) == Probe("auto", ports=(8080, 9000))
    assert make_probe(CONFIG, path="/health").path == "/health"
    assert make_probe(CONFIG, port=9000) == Probe("http", "/", 9000)
    assert make_probe(CONFIG, port=5432, tcp=True) == Probe("tcp", port=5432)
    assert make_probe(CONFIG, command="python -c 'import a'").command == ("python", "-c", "import a")


@pytest.mark.parametrize(
    "wrong", [{"path": "health"}, {"path": "/a b"}, {"path": "/\r\nX: y"}, {"port": 70_000}, {"command": "'"}]
)
def test_what_cannot_be_asked_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidReference):
        make_probe(CONFIG, **wrong)  # type: ignore[arg-type]


def test_variables_are_read_and_never_told() -> None:
    assert parse_environment("A=1\n\n B=x=y \n") == {"A": "1", "B": "x=y"}
    with pytest.raises(InvalidReference, match="Line 2"):
        parse_environment("A=1\nB\n")
    probe = make_probe(CONFIG, environment={"KEY": "open sesame"})
    assert "open sesame" not in repr(probe) + str(probe.as_json())


def test_ports_are_found_in_the_kernels_table() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert server.getsockname()[1] in listening(Path("/proc/net/tcp").read_text())
    assert listening("garbage\n  sl  local_address\n 0: 00:00 x\n") == ()


@pytest.fixture
def program(tmp_path: Path) -> str:
    """The relay for this machine, executable."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    path = tmp_path / "relay"
    path.write_bytes(relay.program(architecture))
    path.chmod(0o755)
    return str(path)


def test_the_relay_asks_waits_and_reads_to_a_limit(program: str) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 300_000)

        def log_message(self, *_: object) -> None: ...

    port = free_port()
    asking = subprocess.Popen([program, str(port), "100", request("/a")], stdout=subprocess.PIPE)
    server = http.server.HTTPServer(("127.0.0.1", port), Handler)  # only now somebody listens
    threading.Thread(target=server.handle_request, daemon=True).start()
    said = asking.communicate(timeout=20)[0]
    server.server_close()
    assert asking.returncode == 0
    assert said.startswith(b"HTTP/1.0 200 OK\r\n")
    assert relay.ANSWER_LIMIT_BYTES <= len(said) < relay.ANSWER_LIMIT_BYTES + 4_096


def test_the_relay_says_that_nobody_listens_and_who_does(program: str) -> None:
    assert subprocess.run([program, str(free_port()), "2"], check=False).returncode == 1
    assert subprocess.run([program], check=False).returncode == 2
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        said = subprocess.run([program, "0", "1"], capture_output=True, text=True, check=True).stdout
        assert server.getsockname()[1] in listening(said)
        assert subprocess.run([program, str(server.getsockname()[1]), "1"], check=False).returncode == 0


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_the_relay_is_a_small_static_program(architecture: str, machine: int) -> None:
    content = relay.program(architecture)
    assert content[:6] == b"\x7fELF\x02\x01"
    assert int.from_bytes(content[18:20], "little") == machine
    assert len(content) < 2_000
    assert b"ld-linux" not in content
