"""How fast a layer is indexed, against igzip inflating the same blob to nowhere. Figure to hold: 0.8.

    python bench/layer_indexing.py [DIRECTORY …] [--megabytes 400] [--runs 5]

Makes a layer of the machine's own files (of at least 300 MB, gzip -6, kept in memory), then runs both by turns and
prints the best of each, so that a busy machine disturbs them alike. Two digests are computed beside the reading, on a
second core where one is free: "by the clock" says what that gave, "reading" is the time of the reading thread, and
"one core" the time of all threads.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from isal import isal_zlib

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fleet.image.layer import index_layer

CHUNK_BYTES = 256 << 10
STEP_BYTES = 16 << 10
DIRECTORIES = ("/usr/lib/python3.11", "/usr/lib/python3", "/usr/bin", "/usr/share/perl", "/usr/lib/x86_64-linux-gnu")


class Compressed(io.RawIOBase):
    """A file that tarfile writes to, and that keeps what gzip makes of it."""

    def __init__(self) -> None:
        self.blob = bytearray()
        self.written = 0
        self._deflate = zlib.compressobj(6, wbits=31)

    def write(self, content: bytes) -> int:  # type: ignore[override]
        self.blob += self._deflate.compress(content)
        self.written += len(content)
        return len(content)

    def finish(self) -> bytes:
        return bytes(self.blob + self._deflate.flush())


def make_layer(directories: list[str], wanted_bytes: int) -> bytes:
    """A gzip-compressed tar of the files below ``directories``, about ``wanted_bytes`` of them."""
    target = Compressed()
    with tarfile.open(fileobj=target, mode="w|") as tar:
        for path in (path for directory in directories for path in sorted(Path(directory).rglob("*"))):
            if target.written > wanted_bytes:
                break
            tar.add(path, recursive=False)
    return target.finish()


def chunks(blob: bytes) -> Iterator[bytes]:
    return (blob[start : start + CHUNK_BYTES] for start in range(0, len(blob), CHUNK_BYTES))


def inflate_to_nowhere(blob: bytes) -> None:
    inflate = isal_zlib.decompressobj(31)
    for start in range(0, len(blob), STEP_BYTES):
        inflate.decompress(blob[start : start + STEP_BYTES])


def seconds(work: Callable[[], object]) -> tuple[float, float, float]:
    """By the clock, of this thread, and of all threads."""
    clocks = (time.perf_counter, time.thread_time, time.process_time)
    before = [clock() for clock in clocks]
    work()
    wall, reading, one_core = (clock() - start for clock, start in zip(clocks, before, strict=True))
    return wall, reading, one_core


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("directories", nargs="*", default=DIRECTORIES)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    blob = make_layer(list(arguments.directories), arguments.megabytes * 10**6)
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    index = index_layer(chunks(blob), digest=digest, media_type="")
    inflating, indexing = [], []
    for _ in range(arguments.runs):
        inflating.append(seconds(lambda: inflate_to_nowhere(blob)))
        indexing.append(seconds(lambda: index_layer(chunks(blob), digest=digest, media_type="")))
    wall, reading, one_core = (
        min(run[clock] for run in inflating) / min(run[clock] for run in indexing) for clock in range(3)
    )
    speed = index.unpacked_bytes / min(run[0] for run in indexing) / 1e6
    shares = sum(entry.compressed_bytes for entry in index.entries) / len(blob)
    print(
        f"{index.unpacked_bytes / 1e6:.0f} MB in {len(index.entries)} entries, {len(index.elf)} of them ELF; blob "
        f"{len(blob) / 1e6:.0f} MB; shares add up to {shares:.4f} of it\n"
        f"{speed:.0f} MB/s; of igzip's speed: {wall:.2f} by the clock, {reading:.2f} reading, {one_core:.2f} one core"
    )


if __name__ == "__main__":
    main()
