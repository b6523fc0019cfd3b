"""Positions are noted at every 16 KiB of stored bytes, or 4 KiB where they hold much, exactly as inflating these steps
one by one gives them."""

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
_DENSE_STEP = 4 << 10


def _content(words: int) -> bytes:
    """Compresses to a third with many words, to a tenth with few, here more and there less."""
    chance = random.Random(3)
    vocabulary = [chance.randbytes(6) for _ in range(words)]
    return b"".join(
        b"".join(chance.choices(vocabulary[: chance.randint(words // 4, words)], k=chance.randint(500, 5000)))
        for _ in range(250)
    )


def _step_by_step(blob: bytes, step_bytes: int) -> list[tuple[int, int]]:
    """(stored, unpacked) after each step, by the standard library."""
    reader, unpacked, pairs = zlib.decompressobj(31), 0, []
    for start in range(0, len(blob), step_bytes):
        step = blob[start : start + step_bytes]
        unpacked += len(reader.decompress(step))
        pairs.append((start + len(step), unpacked))
    return pairs


@pytest.mark.parametrize("chunk_bytes", [5_000, _STEP, 100_000, 10_000_000])
@pytest.mark.parametrize(("words", "step_bytes"), [(3000, _STEP), (8, _DENSE_STEP)])
def test_each_step_says_how_far_it_led(words: int, step_bytes: int, chunk_bytes: int) -> None:
    content = _content(words)
    blob = gzip.compress(content, 6)
    assert (len(content) / len(blob) > 4) == (step_bytes == _DENSE_STEP)
    progress = Progress()
    with Hashing() as hashing:
        found = b"".join(map(bytes, inflate("gzip", in_chunks(blob, chunk_bytes), progress, hashing.blocks())))
    assert found == content
    assert len(content) > 4 * BLOCK_BYTES
    # The first step is a long one in any case.
    pairs = [pair for pair in _step_by_step(blob, step_bytes) if pair[0] >= _STEP]
    assert len(pairs) > 50
    positions = progress.stored_positions(unpacked for _, unpacked in pairs)
    # igzip holds back other bytes at the end of a step than the standard library does, a few.
    assert all(abs(position - stored) <= 64 for position, (stored, _) in zip(positions, pairs, strict=True))
    assert (progress.stored_bytes, progress.unpacked_bytes) == (len(blob), len(content))


def test_a_reader_that_was_left_is_not_kept() -> None:
    """It and its source know each other, and no collector knows that."""

    class Chunk(bytes):
        alive = 0

        def __del__(self) -> None:
            Chunk.alive -= 1

    def chunks():  # type: ignore[no-untyped-def]
        for chunk in in_chunks(gzip.compress(_content(3000), 1), 50_000):
            Chunk.alive += 1
            yield Chunk(chunk)

    with Hashing() as hashing:
        pieces = inflate("gzip", chunks(), Progress(), hashing.blocks())
        next(pieces)
        assert Chunk.alive
        del pieces
    gc.collect()
    assert Chunk.alive == 0
