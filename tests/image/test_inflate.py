"""Positions are noted at every 16 KiB of stored bytes, exactly as inflating these steps one by one gives them."""

from __future__ import annotations

import gc
import gzip
import random
import zlib

import pytest

from fleet.image.hashing import BLOCK_BYTES, Hashing
from fleet.image.inflate import inflate
from fleet.image.progress import Progress
from tests.image.archives import in_chunks

_STEP = 16 << 10


def _content() -> bytes:
    noise = random.Random(3)
    return b"".join(noise.randbytes(noise.randint(1, 60_000)) + b"text " * noise.randint(0, 90_000) for _ in range(40))


def _step_by_step(blob: bytes) -> list[tuple[int, int]]:
    """(stored, unpacked) after each step, by the standard library."""
    reader, unpacked, pairs = zlib.decompressobj(31), 0, []
    for start in range(0, len(blob), _STEP):
        step = blob[start : start + _STEP]
        unpacked += len(reader.decompress(step))
        pairs.append((start + len(step), unpacked))
    return pairs


@pytest.mark.parametrize("chunk_bytes", [5_000, _STEP, 100_000, 10_000_000])
def test_each_step_says_how_far_it_led(chunk_bytes: int) -> None:
    content = _content()
    blob = gzip.compress(content, 6)
    progress = Progress()
    with Hashing() as hashing:
        found = b"".join(map(bytes, inflate("gzip", in_chunks(blob, chunk_bytes), progress, hashing.blocks())))
    assert found == content
    assert len(content) > 4 * BLOCK_BYTES
    pairs = _step_by_step(blob)
    assert len(pairs) > 50
    # igzip holds the last few bytes of a step back where the standard library does not, and the other way round.
    positions = progress.stored_positions(unpacked for _, unpacked in pairs)
    assert all(abs(position - stored) <= 64 for position, (stored, _) in zip(positions, pairs, strict=True))
    assert (progress.stored_bytes, progress.unpacked_bytes) == (len(blob), len(content))


def test_a_reader_that_was_left_is_not_kept() -> None:
    """It and its source know each other, and no collector knows that."""

    class Chunk(bytes):
        alive = 0

        def __del__(self) -> None:
            Chunk.alive -= 1

    def chunks():  # type: ignore[no-untyped-def]
        for chunk in in_chunks(gzip.compress(_content(), 1), 50_000):
            Chunk.alive += 1
            yield Chunk(chunk)

    with Hashing() as hashing:
        pieces = inflate("gzip", chunks(), Progress(), hashing.blocks())
        next(pieces)
        assert Chunk.alive
        del pieces
    gc.collect()
    assert Chunk.alive == 0
