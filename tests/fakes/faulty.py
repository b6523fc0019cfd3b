"""A registry that is right about everything but one thing: what a test tells it to get wrong, over real HTTP.

``fault`` puts a reply in place of the right one for the requests whose path a pattern matches. A reply is a response,
or a function of the request and the right response. ``times`` is for registries that recover.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from fleet.sample.build import Published
from fleet.sample.registry import Request, Response, _Handler
from tests.fakes.pushable import PushableRegistry

# Instead of a length: the body ends where the connection does.
UNKNOWN = -1

Reply = Response | Callable[[Request, Response], Response]


@dataclass
class _Fault:
    pattern: re.Pattern[str]
    reply: Reply
    methods: tuple[str, ...]
    times: float


class FaultyRegistry(PushableRegistry):
    """``authorizations`` are the Authorization headers that came, in their order, "" where there was none."""

    def __init__(self, images: Mapping[str, Mapping[str, Published]], **options: object) -> None:
        super().__init__(images, **options)
        self._faults: list[_Fault] = []
        self.authorizations: list[str] = []
        self._server.RequestHandlerClass = _FaultyHandler

    def fault(
        self, pattern: str, reply: Reply, *, methods: tuple[str, ...] = ("GET", "HEAD"), times: float = float("inf")
    ) -> None:
        """The first fault whose pattern is found in the path (which has no query) holds, ``times`` times."""
        self._faults.append(_Fault(re.compile(pattern), reply, methods, times))

    def heal(self) -> None:
        self._faults.clear()

    def answer(self, request: Request) -> Response:
        self.authorizations.append(request.headers.get("authorization", ""))
        right = super().answer(request)
        for fault in self._faults:
            if fault.times > 0 and request.method in fault.methods and fault.pattern.search(request.path):
                fault.times -= 1
                return fault.reply if isinstance(fault.reply, Response) else fault.reply(request, right)
        return right


class _FaultyHandler(_Handler):
    """Sends bodies that are not as long as they should be, and then hangs up."""

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.length_bytes == UNKNOWN:
            self.close_connection = True
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(response.length_bytes))
        self.end_headers()
        if self.command == "HEAD":
            return
        sent = 0
        try:
            for piece in response.body:
                self.wfile.write(piece)
                self.wfile.flush()
                sent += len(piece)
        except OSError:
            # The client would not hear more of it.
            self.close_connection = True
        if sent != response.length_bytes:
            self.close_connection = True


def text(body: bytes, content_type: str = "application/json", status: int = 200, **headers: str) -> Response:
    return Response(status, {"Content-Type": content_type, **headers}, (body,), len(body))


def document(value: object, status: int = 200, **headers: str) -> Response:
    return text(json.dumps(value).encode(), status=status, **headers)


def redirect(location: str, status: int = 307) -> Response:
    return Response(status, {"Location": location})


def challenge(header: str) -> Response:
    return document({"errors": [{"code": "UNAUTHORIZED"}]}, 401, **{"WWW-Authenticate": header})


def body_of(response: Response) -> bytes:
    return b"".join(response.body)


def slowly(pause_seconds: float, piece_bytes: int = 1) -> Reply:
    """The right body, a few bytes at a time."""

    def reply(_request: Request, right: Response) -> Response:
        def pieces() -> Iterator[bytes]:
            body = body_of(right)
            for start in range(0, len(body), piece_bytes):
                time.sleep(pause_seconds)
                yield body[start : start + piece_bytes]

        return replace(right, body=pieces())

    return reply


def cut(part: float) -> Reply:
    """Only the first part of the right body, under the right Content-Length."""

    def reply(_request: Request, right: Response) -> Response:
        body = body_of(right)
        return replace(right, body=(body[: int(len(body) * part)],))

    return reply


def claiming(change_bytes: int) -> Reply:
    """The right body under a Content-Length that is off by so much."""

    def reply(_request: Request, right: Response) -> Response:
        return replace(right, length_bytes=right.length_bytes + change_bytes)

    return reply


def altered(_request: Request, right: Response) -> Response:
    """As many bytes as are right, and the last of them wrong."""
    body = body_of(right)
    return replace(right, body=(body[:-1] + bytes((body[-1] ^ 1,)),))


def endless(piece: bytes, headers: Mapping[str, str], length_bytes: int = UNKNOWN) -> Response:
    """A body without end, or as long as it says."""

    def pieces() -> Iterator[bytes]:
        while True:
            yield piece

    return Response(200, headers, _Anew(pieces), length_bytes)


@dataclass(frozen=True)
class _Anew:
    """An iterable that begins anew each time it is sent."""

    make: Callable[[], Iterator[bytes]]

    def __iter__(self) -> Iterator[bytes]:
        return self.make()


def streamed(make: Callable[[], Iterator[bytes]], length_bytes: int = UNKNOWN) -> Iterable[bytes]:
    return _Anew(make)
