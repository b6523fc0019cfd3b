"""What a file weighs in a layer does not depend on how the layer's bytes came in."""

from __future__ import annotations

import gzip
import random

import pytest
import zstandard

from fleet.image.layer import index_layer
from tests.image.archives import archive, member


def _tar() -> bytes:
    noise = random.Random(7)
    files = [(f"app/{number}", noise.randbytes(9_000) + b"text " * 2_000) for number in range(12)]
    return archive(*(member(path, content) for path, content in files))


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.ZstdCompressor().compress, bytes])
def test_shares_are_the_same_however_the_bytes_came_in(compress) -> None:  # type: ignore[no-untyped-def]
    blob = compress(_tar())
    whole = index_layer([blob], digest="", media_type="")
    noise = random.Random(11)
    for longest in (700, 20_000, 70_000):
        chunks, rest = [], blob
        while rest:
            size = noise.randint(1, longest)
            chunks.append(rest[:size])
            rest = rest[size:]
        assert index_layer(chunks, digest="", media_type="") == whole
