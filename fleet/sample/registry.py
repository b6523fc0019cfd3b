"""A small OCI registry that only reads: it serves the sample fleet, and the tests.

Spec: https://github.com/opencontainers/distribution-spec/blob/main/spec.md (pull and content discovery).
A subclass that overrides ``answer`` can misbehave on cue.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import socket
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self
from urllib.parse import parse_qs, quote, urlsplit

from fleet.sample.build import Blob, Document, Published

CONTENT = re.compile(r"/v2/(?P<repository>[^?#]{1,255})/(?P<kind>manifests|blobs)/(?P<reference>[^/]{1,200})")
TAGS = re.compile(r"/v2/(?P<repository>[^?#]{1,255})/tags/list")
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
KEPT_REQUESTS = 200_000


class Request(NamedTuple):
    """``path`` is without its query; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class Logged(NamedTuple):
    """One line of the access log; ``path`` has its query."""

    method: str
    path: str
    status: int


@dataclass(frozen=True, slots=True)
class Response:
    """``length_bytes`` is what Content-Length says, which a HEAD keeps although it sends no body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Iterable[bytes] = ()
    length_bytes: int = 0


class ReadOnlyRegistry:
    """Serves ``images`` (repository → tag → what was published there) over HTTP/1.1 until it is closed.

    ``credentials`` (user, password) make it ask for HTTP Basic on every request.
    """

    def __init__(
        self,
        images: Mapping[str, Mapping[str, Published]],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        page_size: int = 100,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        self.page_size = page_size
        self._login = None if credentials is None else base64.b64encode(":".join(credentials).encode()).decode()
        self._log: deque[Logged] = deque(maxlen=KEPT_REQUESTS)
        self._tags = {repository: sorted(tags) for repository, tags in sorted(images.items())}
        self._documents: dict[tuple[str, str], Document] = {}
        self._blobs: dict[tuple[str, str], Blob] = {}
        for repository, tags in images.items():
            for tag, image in tags.items():
                self._publish(repository, tag, image)
        self._server = _Server((host, port), self)
        self._thread: threading.Thread | None = None

    def _publish(self, repository: str, tag: str, image: Published) -> None:
        self._documents[repository, tag] = image.document
        for document in image.documents:
            self._documents[repository, document.digest] = document
        for blob in image.blobs:
            self._blobs[repository, blob.digest] = blob

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def address(self) -> str:
        """``host:port``, as a reference begins."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    @property
    def requests(self) -> Sequence[Logged]:
        """The access log, oldest first."""
        return tuple(self._log)

    def forget_requests(self) -> None:
        self._log.clear()

    def start(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def log(self, method: str, path: str, status: int) -> None:
        self._log.append(Logged(method, path, status))

    def answer(self, request: Request) -> Response:
        """What the registry says to one request."""
        if self._login is not None and not self._signed_in(request):
            challenge = {"WWW-Authenticate": 'Basic realm="sample registry"'}
            return error(401, "UNAUTHORIZED", "authentication required", challenge)
        if request.method not in ("GET", "HEAD"):
            return error(405, "UNSUPPORTED", "this registry only reads", {"Allow": "GET, HEAD"})
        if request.path in ("/v2", "/v2/"):
            return _json({})
        if request.path == "/v2/_catalog":
            return self._page(request, "repositories", list(self._tags), {})
        if found := TAGS.fullmatch(request.path):
            return self._tag_list(request, found["repository"])
        if found := CONTENT.fullmatch(request.path):
            if found["kind"] == "manifests":
                return self._manifest(found["repository"], found["reference"])
            return self._blob(request, found["repository"], found["reference"])
        return error(404, "NOT_FOUND", "no such page")

    def _signed_in(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "basic" and hmac.compare_digest(given.encode(), str(self._login).encode())

    def _tag_list(self, request: Request, repository: str) -> Response:
        if repository not in self._tags:
            return error(404, "NAME_UNKNOWN", "repository name not known to registry")
        return self._page(request, "tags", self._tags[repository], {"name": repository})

    def _page(self, request: Request, key: str, names: list[str], rest: Mapping[str, str]) -> Response:
        asked = request.query.get("n", str(self.page_size))
        if not asked.isascii() or not asked.isdigit() or len(asked) > 9:
            return error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested")
        after = request.query.get("last", "")
        left = [name for name in names if name > after]
        page = left[: min(int(asked), self.page_size)]
        headers = {}
        if page and len(page) < len(left):
            headers["Link"] = f'<{request.path}?last={quote(page[-1], safe="")}&n={len(page)}>; rel="next"'
        return _json({**rest, key: page}, headers)

    def _manifest(self, repository: str, reference: str) -> Response:
        document = self._documents.get((repository, reference))
        if document is None:
            return error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        headers = {"Content-Type": document.media_type, "Docker-Content-Digest": document.digest}
        return Response(200, headers, (document.body,), len(document.body))

    def _blob(self, request: Request, repository: str, digest: str) -> Response:
        blob = self._blobs.get((repository, digest))
        if blob is None:
            return error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        headers = {
            "Content-Type": "application/octet-stream",
            "Docker-Content-Digest": digest,
            "Accept-Ranges": "bytes",
        }
        wanted = RANGE.fullmatch(request.headers.get("range", ""))
        if wanted is None or not (wanted[1] or wanted[2]):
            return Response(200, headers, blob.chunks(), blob.size_bytes)
        return _part(blob, headers, wanted[1], wanted[2])


def _part(blob: Blob, headers: Mapping[str, str], first: str, last: str) -> Response:
    size = blob.size_bytes
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= end:
        unsatisfied = {"Content-Range": f"bytes */{size}"}
        return error(416, "SIZE_INVALID", "range not satisfiable", unsatisfied)
    spoken = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return Response(206, spoken, _slice(blob.chunks(), start, end), end - start)


def _slice(chunks: Iterable[bytes], start: int, end: int) -> Iterator[bytes]:
    position = 0
    for chunk in chunks:
        wanted = chunk[max(0, start - position) : max(0, end - position)]
        position += len(chunk)
        if wanted:
            yield wanted
        if position >= end:
            return


def error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as the distribution spec words it."""
    return _json({"errors": [{"code": code, "message": message}]}, headers, status)


def _json(value: object, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    body = json.dumps(value).encode()
    spoken = {"Content-Type": "application/json", "Docker-Distribution-Api-Version": "registry/2.0", **(headers or {})}
    return Response(status, spoken, (body,), len(body))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Open keep-alive connections must not hold up the close.
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], registry: ReadOnlyRegistry) -> None:
        self.registry = registry
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer would ask the resolver for this host's name, which can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may hang up whenever they like; anything else is a fault of ours and shows."""
        import sys

        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "sample-registry"
    sys_version = ""
    disable_nagle_algorithm = True
    # One packet for the headers and a small body.
    wbufsize = 128 * 1024

    def _serve(self) -> None:
        registry = self.server.registry
        target = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(target.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        response = registry.answer(Request(self.command, target.path, query, headers))
        registry.log(self.command, self.path, response.status)
        self._send(response)

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(response.length_bytes))
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            # The request's body is not read, so the connection cannot be used again.
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.writelines(response.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, format: str, *args: object) -> None:
        """The registry keeps its own log."""
