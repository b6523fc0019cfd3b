"""What a subtree weighs in a layer's blob is what compressing exactly its files gives."""

from __future__ import annotations

import io
import sysconfig
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from fleet.image.layer import index_layer
from tests.image.archives import END, in_chunks

# What every machine that runs this has: modules and their bytecode, libraries, data, texts.
_ROOTS = (Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib")), Path("/usr/share"))
_SMALLEST_BYTES, _LARGEST_BYTES = 400_000, 12_000_000
_LAYER_BYTES = 60_000_000
# Where a subtree begins and ends is known within a step of 16 KiB each: nobody promises 5 % of less.
_COMPRESSED_BYTES = 150_000


def _size(directory: Path) -> int:
    return sum(file.lstat().st_size for file in directory.rglob("*"))


def _subtrees() -> Iterator[Path]:
    """Directories of some size, from all roots by turns."""
    found = [
        [each for each in sorted(root.iterdir()) if each.is_dir() and not each.is_symlink()]
        for root in _ROOTS
        if root.is_dir()
    ]
    for turn in range(max(map(len, found))):
        for directories in found:
            if turn < len(directories) and _SMALLEST_BYTES < _size(directories[turn]) < _LARGEST_BYTES:
                yield directories[turn]


def _members(directory: Path) -> bytes:
    """A tar of the directory without its end."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(directory)
        size = tar.offset
    return buffer.getvalue()[:size]


def _compressed(tar: bytes) -> bytes:
    deflate = zlib.compressobj(6, wbits=31)
    return deflate.compress(tar) + deflate.flush()


def test_ten_subtrees_of_a_real_layer_weigh_what_compressing_them_gives() -> None:
    tars: dict[Path, bytes] = {}
    for directory in _subtrees():
        tars[directory] = _members(directory)
        if sum(map(len, tars.values())) > _LAYER_BYTES:
            break
    blob = _compressed(b"".join(tars.values()) + END)
    entries = index_layer(in_chunks(blob), digest="", media_type="").entries
    missed: dict[str, float] = {}
    for directory, tar in tars.items():
        measured = len(_compressed(tar + END))
        below = f"{directory}/".lstrip("/")
        if measured >= _COMPRESSED_BYTES and len(missed) < 10:
            predicted = sum(entry.compressed_bytes for entry in entries if f"{entry.path}/".startswith(below))
            missed[below] = predicted / measured - 1
    assert len(missed) == 10
    assert max(map(abs, missed.values())) < 0.05, missed
