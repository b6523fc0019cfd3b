"""A blob's bytes over as many connections as it takes.

Broken off, a download goes on at the byte it has reached (RFC 9110, Range). The registry itself is asked each time, as
the signed URL that it redirected to may have expired.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fleet.oci.answer import Answer, Limits
from fleet.oci.errors import CutShort, DigestMismatch, InvalidResponse, RegistryError, TimedOut, Unreachable
from fleet.oci.retries import backoff, wait_before_next

if TYPE_CHECKING:
    from fleet.oci.manifest import Descriptor

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(?:(\d{1,18})|\*)", re.ASCII)


class Download:
    """One blob. ``open_at`` asks for it from a position on and raises RegistryError.

    The first answer is fetched at once, so that a blob that is not there is known before it is read.
    """

    def __init__(self, open_at: Callable[[int], Answer], descriptor: Descriptor, limits: Limits) -> None:
        self._open_at = open_at
        self._descriptor = descriptor
        self._limits = limits
        self._position = 0
        self._failures = 0
        self._answer = self._opened()

    def chunks(self) -> Iterator[bytes]:
        """The bytes in order, each once, not yet verified.

        Raises DigestMismatch for a copy that always ends at the same place, Unreachable when it cannot be gone on with.
        """
        for _ in range(self._limits.resumptions + 1):
            reached = self._position
            where = self._answer.where
            try:
                yield from self._following()
                if not self._is_cut_unnoticed():
                    return
                broken: Unreachable = CutShort(f"{where} ended its answer early. Try again later.")
            except Unreachable as failure:
                broken = failure
            if self._position >= self._descriptor.size_bytes:
                # All of it came; the rest was announced by mistake. The digest tells.
                return
            # A crawl is no progress, or a registry could hold a worker for hours, a few bytes at a time.
            progress_bytes = self._limits.crawl_bytes if isinstance(broken, TimedOut) else 1
            self._failures = 1 if self._position - reached >= progress_bytes else self._failures + 1
            if self._failures >= self._limits.tries:
                raise self._stuck(where) if isinstance(broken, CutShort) else broken
            time.sleep(backoff(self._failures, self._limits))
            self._answer = self._opened()
        raise broken

    def _following(self) -> Iterator[bytes]:
        """What the present answer adds. One that starts again from the beginning is read up to where we are."""
        to_skip = 0 if self._answer.status == 206 else self._position
        for chunk in self._answer.chunks():
            if to_skip >= len(chunk):
                to_skip -= len(chunk)
                continue
            added = chunk[to_skip:] if to_skip else chunk
            to_skip = 0
            self._position += len(added)
            yield added

    def _is_cut_unnoticed(self) -> bool:
        """Without a Content-Length, the end of a body may be no more than that of its connection."""
        return self._answer.content_bytes is None and self._position < self._descriptor.size_bytes

    def _opened(self) -> Answer:
        """The answer from the present position on, asked for as patiently as any question."""
        while True:
            try:
                answer = self._open_at(self._position)
            except RegistryError as failure:
                self._failures += 1
                wait_seconds = wait_before_next(failure, self._failures, self._limits)
                if self._failures >= self._limits.tries or wait_seconds is None:
                    raise
            else:
                self._expect_range(answer)
                return answer
            time.sleep(wait_seconds)

    def _expect_range(self, answer: Answer) -> None:
        if answer.status != 206:
            return
        found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
        size_bytes = self._descriptor.size_bytes
        if not found or int(found[1]) != self._position or int(found[3] or size_bytes) != size_bytes:
            answer.close()
            raise InvalidResponse(
                f"{answer.where} was asked to go on with {self._descriptor.digest} at byte {self._position} and sent "
                "another part. Check the proxy in front of it."
            )

    def _stuck(self, where: str) -> RegistryError:
        return DigestMismatch(
            f"{where} ended its answer early, {self._failures} times at the same place: {self._descriptor.digest} came "
            f"to {self._position} of {self._descriptor.size_bytes} bytes. Its stored copy is cut: push the image again."
        )
