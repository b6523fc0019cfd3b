"""Bulk content that is cheap to make: seeded pools, deflated once, from which files of any size are cut.

A pool is cut in steps that are deflated on their own (RFC 1951, full flush), so that the deflated form of a file is
a run of ready pieces. The pools differ in how well they compress, as source text, machine code and packed data do.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

Matter = Literal["text", "machine", "packed"]

STEP_BYTES = 16 * 1024
STEPS = 64


class Filler(NamedTuple):
    """``size_bytes`` of a pool, after ``head``; ``seed`` chooses where in the pool it begins."""

    matter: Matter
    size_bytes: int
    seed: int = 0
    head: bytes = b""


class Joined(NamedTuple):
    """Contents one after the other."""

    parts: tuple[bytes | Filler, ...]


Content = bytes | Filler | Joined


class Piece(NamedTuple):
    """The same bytes twice: as they are, and as deflate blocks that end on a byte and look back at nothing."""

    raw: memoryview
    deflated: memoryview


@dataclass(frozen=True, slots=True)
class Pool:
    raw: memoryview
    deflated: memoryview
    ends: tuple[int, ...]

    def pieces(self, step: int, count: int) -> Iterator[Piece]:
        """``count`` steps from ``step`` on, round and round the pool."""
        while count > 0:
            step %= STEPS
            end = min(STEPS, step + count)
            start_bytes = self.ends[step - 1] if step else 0
            yield Piece(self.raw[step * STEP_BYTES : end * STEP_BYTES], self.deflated[start_bytes : self.ends[end - 1]])
            count -= end - step
            step = end

    def tail(self, step: int, size_bytes: int) -> memoryview:
        start = step % STEPS * STEP_BYTES
        return self.raw[start : start + size_bytes]


def size_of(content: Content) -> int:
    """Bytes of content."""
    if isinstance(content, Filler):
        return len(content.head) + content.size_bytes
    if isinstance(content, Joined):
        return sum(size_of(part) for part in content.parts)
    return len(content)


def pieces_of(content: Content) -> Iterator[bytes | memoryview]:
    """Content as it is, in pieces."""
    if isinstance(content, Joined):
        for part in content.parts:
            yield from pieces_of(part)
    elif isinstance(content, Filler):
        yield content.head
        steps, rest = divmod(content.size_bytes, STEP_BYTES)
        matter = pool(content.matter)
        yield from (piece.raw for piece in matter.pieces(content.seed, steps))
        yield matter.tail(content.seed + steps, rest)
    else:
        yield content


@cache
def tail_piece(matter: Matter, step: int, size_bytes: int) -> Piece:
    """The beginning of a step, deflated; callers round the size so that few are ever made."""
    raw = pool(matter).tail(step, size_bytes)
    return Piece(raw, memoryview(deflate(raw)))


def deflate(raw: bytes | bytearray | memoryview) -> bytes:
    """Deflate blocks that end on a byte. Small input gets a small window, which is quicker to set up."""
    squeeze = zlib.compressobj(1, zlib.DEFLATED, *((-10, 2) if len(raw) < 3_000 else (-15, 8)))
    return squeeze.compress(raw) + squeeze.flush(zlib.Z_FULL_FLUSH)


@cache
def pool(matter: Matter) -> Pool:
    raw = _raw(matter)
    deflated, ends = bytearray(), []
    for start in range(0, len(raw), STEP_BYTES):
        squeeze = zlib.compressobj(6, zlib.DEFLATED, -15)
        deflated += squeeze.compress(raw[start : start + STEP_BYTES]) + squeeze.flush(zlib.Z_FULL_FLUSH)
        ends.append(len(deflated))
    return Pool(memoryview(raw), memoryview(bytes(deflated)), tuple(ends))


def _raw(matter: Matter) -> bytes:
    size = STEPS * STEP_BYTES
    chance = random.Random(f"plimsoll sample {matter}")  # noqa: S311 - not for secrets
    if matter == "packed":
        return chance.randbytes(size)
    if matter == "machine":
        return _machine_code(chance, size)
    return _text(chance, size)


def _machine_code(chance: random.Random, size: int) -> bytes:
    """A few hundred opcodes, some with an operand: about 2.4 to 1."""
    opcodes = [chance.randbytes(chance.choice((3, 4, 4, 5, 6, 8))) for _ in range(300)]
    weights = [1 / (rank + 3) for rank in range(len(opcodes))]
    chosen = chance.choices(opcodes, weights, k=size // 3)
    return b"".join(code + chance.randbytes(1) if len(code) > 5 else code for code in chosen)[:size]


def _text(chance: random.Random, size: int) -> bytes:
    """Lines of made-up words: about 3.5 to 1."""
    letters = "eeeetaoinshrdlcumwfgypbvk"
    words = ["".join(chance.choices(letters, k=chance.choice((2, 4, 5, 6, 8, 11)))) for _ in range(900)]
    words += ["\n    ", "\n        ", " = ", "(self, ", "):", "return ", "def ", "import "] * 2
    weights = [1 / (rank + 3) for rank in range(len(words) - 16)] + [0.05] * 16
    return " ".join(chance.choices(words, weights, k=size // 3)).encode()[:size].ljust(size, b"\n")
