"""A server that says exactly what a test tells it to, over real HTTP. The product's own registry never misbehaves."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")


@dataclass(frozen=True)
class Reply:
    """``stated_bytes`` is the Content-Length when it should differ from the body's. ``hangs_up`` answers nothing.

    ``dribbles`` sends the body so many bytes at a time, with so many seconds after each.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    stated_bytes: int | None = None
    delay_seconds: float = 0
    hangs_up: bool = False
    dribbles: tuple[int, float] | None = None


Script = Reply | Callable[[Request], Reply]


class ScriptedRegistry:
    """``routes`` maps "GET /v2/" or "/v2/" (GET and HEAD alike) to a reply; the query is not part of it."""

    def __init__(
        self, routes: Mapping[str, Script] | None = None, *, tls: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self.routes: dict[str, Script] = dict(routes or {})
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._server = _Server(self, tls, port)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def asked(self) -> list[str]:
        """Every request so far, as "METHOD /path?query"."""
        return [f"{request.method} {request.path}" for request in self.requests]

    def reply_to(self, request: Request) -> Reply:
        self.requests.append(request)
        path = request.path.partition("?")[0]
        script = self.routes.get(f"{request.method} {path}") or self.routes.get(path) or Reply(404)
        return script if isinstance(script, Reply) else script(request)

    def __enter__(self) -> ScriptedRegistry:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # With Python's five a connection that finds the queue full waits a second for its next try.
    request_queue_size = 128

    def __init__(self, registry: ScriptedRegistry, tls: ssl.SSLContext | None, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.registry = registry
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def process_request(self, request, client_address) -> None:
        self.registry.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request, client_address) -> None:
        """A client that gives up is what some tests want."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in two writes: waiting for an acknowledgement between them costs 40 ms.
    disable_nagle_algorithm = True
    server: _Server

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.registry.reply_to(Request(self.command, self.path, headers, sent))
        time.sleep(reply.delay_seconds)
        if reply.hangs_up:
            self.close_connection = True
            return
        stated = len(reply.body) if reply.stated_bytes is None else reply.stated_bytes
        self.send_response_only(reply.status)
        for name, value in {"Content-Length": str(stated), **reply.headers}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            length, pause_seconds = reply.dribbles or (len(reply.body) or 1, 0)
            for start in range(0, len(reply.body), length):
                self.wfile.write(reply.body[start : start + length])
                time.sleep(pause_seconds)
        if stated != len(reply.body) or not reply.headers.get("Content-Length", "1"):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = _answer

    def log_message(self, *_: object) -> None:
        """Tests read ``requests`` instead."""
