"""One HTTP answer, read within limits and counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import HTTPError

from fleet.oci.errors import InvalidResponse, RegistryError, TimedOut, TooLarge
from fleet.oci.failures import connection_failure
from fleet.oci.origin import Target
from fleet.oci.wording import shown

CHUNK_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much we listen to a registry, and how often we ask again.

    ``body_seconds`` is for a whole answer other than a blob. A blob that takes ``crawl_seconds`` of waiting for each
    ``crawl_bytes`` is given up. ``patience_seconds`` is the longest wait before a question is asked again;
    ``resumptions`` is how often one blob is taken up again, ``tries`` how often in a row without a byte of progress.
    """

    connect_seconds: float = 5
    read_seconds: float = 60
    body_seconds: float = 120
    crawl_seconds: float = 60
    crawl_bytes: int = 64 << 10
    tries: int = 3
    backoff_seconds: float = 0.5
    patience_seconds: float = 5
    resumptions: int = 100
    redirects: int = 5
    manifest_bytes: int = 4 << 20
    config_bytes: int = 8 << 20
    page_bytes: int = 8 << 20
    error_bytes: int = 64 << 10
    pages: int = 2_000
    names: int = 200_000


class Stats:
    """What an endpoint was asked for and what came back. Threads share one.

    ``requests`` counts what was answered, repetitions and tokens included; ``received_bytes`` counts bodies.
    """

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
        encoding = self.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            # We asked for no coding. A digest is that of the plain bytes, and a small body may inflate without end.
            self.close()
            raise InvalidResponse(
                f"{self.where} sent its answer encoded as {shown(encoding, 40)}, though it was asked not to. "
                "Check the proxy in front of it."
            )
        if (self.content_bytes or 0) > limit_bytes:
            self.close()
            raise TooLarge(
                f"{self.where} has {self.content_bytes} bytes to send, more than the {limit_bytes} that belong in such "
                "an answer. It was not read. Check the URL."
            )
        deadline = time.monotonic() + self._limits.body_seconds
        kept = bytearray()
        for chunk in self._read():
            kept += chunk
            if len(kept) > limit_bytes:
                raise TooLarge(
                    f"{self.where} sent more than {limit_bytes} bytes where a short answer belongs. Check the URL."
                )
            if time.monotonic() > deadline:
                raise TimedOut(f"{self.where} sent its answer too slowly. Try again later.")
        return bytes(kept)

    def chunks(self) -> Iterator[bytes]:
        """The body as stored, in pieces of at most 256 KiB. Raises Unreachable when it breaks off or crawls."""
        waited_seconds, moved_bytes = 0.0, 0
        asked_at = time.monotonic()
        for chunk in self._read():
            # Only the registry's time counts, not what the bytes are used for.
            waited_seconds += time.monotonic() - asked_at
            moved_bytes += len(chunk)
            if moved_bytes >= self._limits.crawl_bytes:
                waited_seconds, moved_bytes = 0.0, 0
            elif waited_seconds > self._limits.crawl_seconds:
                raise TimedOut(f"{self.where} sends too slowly. Try again later.")
            yield chunk
            asked_at = time.monotonic()

    def excerpt(self) -> bytes:
        """What an error says of itself: as much as the limit allows, nothing when it cannot be read."""
        try:
            return self.body(self._limits.error_bytes)
        except RegistryError:
            return b""

    def discard(self) -> None:
        """Lets the connection be used again when little is left to read."""
        if self._response.length_remaining == 0:
            # Nothing is read, as after any HEAD: this is the shortest way to hand the connection back.
            self._response.read(decode_content=False)
        else:
            self.excerpt()

    def close(self) -> None:
        """Whatever is left to read is not read, and its connection is not used again."""
        self._response.close()
        self._response.release_conn()

    def _read(self) -> Iterator[bytes]:
        # read() would wait until a chunk is full: read1() passes on what has come, so that slowness is noticed.
        read = self._response.read1
        try:
            while chunk := read(CHUNK_BYTES, decode_content=False):
                self._stats.received(len(chunk))
                yield chunk
        except HTTPError as error:
            raise connection_failure(self.target.origin, error) from None
        finally:
            # After a whole body the connection is back in its pool; before, it must not be used again.
            if not self._response.closed:
                self.close()

    @property
    def where(self) -> str:
        return self.target.origin.netloc
