"""One HTTP answer, read within limits and counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import HTTPError

from fleet.oci.errors import TooLarge, Unreachable
from fleet.oci.failures import connection_failure
from fleet.oci.origin import Target

CHUNK_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much we listen to a registry. ``body_seconds`` is for a whole answer other than a blob."""

    connect_seconds: float = 5
    read_seconds: float = 60
    body_seconds: float = 120
    redirects: int = 5
    manifest_bytes: int = 4 << 20
    config_bytes: int = 8 << 20
    page_bytes: int = 8 << 20
    error_bytes: int = 64 << 10
    pages: int = 2_000
    names: int = 200_000


class Stats:
    """What an endpoint was asked for and what came back. Threads share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.received_bytes = 0

    def answered(self) -> None:
        with self._lock:
            self.requests += 1

    def received(self, length_bytes: int) -> None:
        with self._lock:
            self.received_bytes += length_bytes


class Answer:
    """A status, headers, and a body that is still on the wire. Whoever gets one reads it or calls ``discard``."""

    def __init__(self, response: urllib3.BaseHTTPResponse, target: Target, stats: Stats, limits: Limits) -> None:
        self.status: int = response.status
        self.headers = response.headers
        self.target = target
        self._response = response
        self._stats = stats
        self._limits = limits

    @property
    def content_bytes(self) -> int | None:
        """The Content-Length, or None when it is missing or no number."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

    def body(self, limit_bytes: int) -> bytes:
        """The whole body. Raises TooLarge before more than ``limit_bytes`` are kept, Unreachable when it breaks off."""
        deadline = time.monotonic() + self._limits.body_seconds
        kept = bytearray()
        for chunk in self._read(self._response.read1):
            kept += chunk
            if len(kept) > limit_bytes:
                raise TooLarge(
                    f"{self.where} sent more than {limit_bytes} bytes where a short answer belongs. Check the URL."
                )
            if time.monotonic() > deadline:
                raise Unreachable(f"{self.where} sent its answer too slowly. Try again later.")
        return bytes(kept)

    def chunks(self) -> Iterator[bytes]:
        """The body as stored, in pieces of at most 256 KiB. Raises Unreachable when it breaks off."""
        return self._read(self._response.read)

    def excerpt(self) -> bytes:
        """What an error says of itself: as much as the limit allows, nothing when it cannot be read."""
        try:
            return self.body(self._limits.error_bytes)
        except (TooLarge, Unreachable):
            return b""

    def discard(self) -> None:
        """Lets the connection be used again when little is left to read."""
        self.excerpt()

    def _read(self, read: Callable[..., bytes]) -> Iterator[bytes]:
        try:
            while chunk := read(CHUNK_BYTES, decode_content=False):
                self._stats.received(len(chunk))
                yield chunk
        except HTTPError as error:
            raise connection_failure(self.target.origin, error) from None
        finally:
            # After a whole body the connection is back in its pool; before, it must not be used again.
            if not self._response.closed:
                self._response.close()
                self._response.release_conn()

    @property
    def where(self) -> str:
        return self.target.origin.netloc
