"""Zip archives read forward, against zipfile, which reads them from their directory."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Iterator

import pytest

from fleet.image.limits import Budget
from fleet.image.stream import ByteStream
from fleet.image.zip_stream import FileSource, PieceSource, Window, read_content, read_entries
from tests.image.archives import in_chunks

NOISE = random.Random(5).randbytes(150_000)
CONTENTS = {
    "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\r\n",
    "directory/": b"",
    "empty": b"",
    "text": b"words " * 40_000,
    "noise": NOISE,
    "lib/signatures": b"PK\x07\x08PK\x03\x04PK\x01\x02" * 900 + NOISE[:70_000],
    "last": b"end",
}


class Unseekable(io.RawIOBase):
    """Makes zipfile write descriptors behind contents, as Java's own tools do."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        piece = bytes(piece)  # type: ignore[call-overload]
        self.written += piece
        return len(piece)


def zipped(contents: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, seekable: bool = True) -> bytes:
    target: io.BytesIO | Unseekable = io.BytesIO() if seekable else Unseekable()
    with zipfile.ZipFile(target, "w", method) as archive:  # type: ignore[arg-type]
        for name, content in contents.items():
            archive.writestr(name, content)
    return target.getvalue() if isinstance(target, io.BytesIO) else bytes(target.written)


def window_of(content: bytes, chunk_bytes: int = 100_000) -> Window:
    return Window(FileSource(ByteStream(in_chunks(content, chunk_bytes)), len(content)))


def entries_of(window: Window, skipped: tuple[str, ...] = (), budget: int = 1 << 30) -> Iterator[tuple[str, bytes]]:
    left = Budget(budget, 10_000)
    for entry in read_entries(window, left):
        name = entry.name.decode(errors="replace")
        yield name, b"" if name in skipped else b"".join(read_content(window, entry, left))


@pytest.mark.parametrize("chunk_bytes", [1, 1000, 1 << 20])
@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize("behind", [b"", b"comment or garbage"])
def test_entries_and_contents_are_those_of_the_directory(chunk_bytes, seekable, behind):
    archive = zipped(CONTENTS, seekable=seekable) + behind
    assert dict(entries_of(window_of(archive, chunk_bytes))) == CONTENTS


@pytest.mark.parametrize("seekable", [True, False])
def test_contents_that_nobody_takes_are_passed_over(seekable):
    archive = zipped(CONTENTS, seekable=seekable)
    found = dict(entries_of(window_of(archive), skipped=("text", "noise", "lib/signatures")))
    assert found == {**CONTENTS, "text": b"", "noise": b"", "lib/signatures": b""}


def test_stored_contents_with_descriptors_are_passed_over():
    archive = zipped(CONTENTS, method=zipfile.ZIP_STORED, seekable=False)
    assert [name for name, _ in entries_of(window_of(archive))] == list(CONTENTS)


def test_a_script_in_front_is_passed_over():
    script = b"#!/bin/sh\n# PK, PK\x05, PK\x03 and more\n" * 5000
    assert dict(entries_of(window_of(script + zipped(CONTENTS)))) == CONTENTS


def test_what_java_writes_is_read(tmp_path):
    jar = shutil.which("jar")
    names = [name for name in CONTENTS if not name.endswith(("/", ".MF"))]
    if jar:
        (tmp_path / "in" / "lib").mkdir(parents=True)
        for name in names:
            (tmp_path / "in" / name).write_bytes(CONTENTS[name])
        subprocess.run([jar, "cf", "made.jar", "-C", "in", "."], cwd=tmp_path, check=True)
        archive = (tmp_path / "made.jar").read_bytes()
    else:
        archive = zipped(CONTENTS, seekable=False)
    found = dict(entries_of(window_of(archive)))
    assert {name: found[name] for name in names} == {name: CONTENTS[name] for name in names}


def test_pieces_may_be_skipped_across_their_borders():
    source = PieceSource(iter([b"abc", b"defg", b"h"]))
    source.skip(5)
    assert source.read() == b"fg"
    source.skip(9)
    assert source.read() == b""


def test_a_budget_ends_what_inflates_without_end():
    archive = zipped({"bomb": bytes(50_000_000), "after": b"x"})
    found = dict(entries_of(window_of(archive), budget=1_000_000))
    assert list(found) == ["bomb", "after"]
    assert len(found["bomb"]) < 1_200_000
    assert found["after"] == b""


def test_nothing_beyond_the_end_of_the_file_is_read():
    archive = zipped(CONTENTS)
    stream = ByteStream(iter([archive[:5000], archive[5000:], b"next file"]))
    for _ in read_entries(Window(FileSource(stream, 3000)), Budget(0, 99)):
        pass
    assert stream.offset <= 3000
    lying = bytearray(archive)
    lying[18:22] = (1 << 31).to_bytes(4, "little")
    stream = ByteStream(iter([bytes(lying), b"next file"]))
    names = [entry.name for entry in read_entries(Window(FileSource(stream, len(lying))), Budget(0, 99))]
    assert names == [b"META-INF/MANIFEST.MF"]
    assert stream.offset == len(lying)


@pytest.mark.parametrize("seed", range(120))
def test_damage_is_no_reason_to_fail_and_never_reads_too_much(seed):
    chance = random.Random(seed)
    contents = {name: content[:3000] for name, content in CONTENTS.items()}
    content = bytearray(zipped(contents, seekable=chance.random() < 0.5))
    for _ in range(chance.choice([1, 10, 200])):
        content[chance.randrange(len(content))] = chance.choice([0, 255, chance.randrange(256)])
    damaged = bytes(content[: chance.randrange(len(content))])
    for garbage in (damaged, chance.randbytes(5000), b"PK\x03\x04" * 3000):
        stream = ByteStream(iter([garbage, b"next"]))
        taken = sum(len(got) for _, got in entries_of(Window(FileSource(stream, len(garbage))), budget=100_000))
        assert taken <= 100_000 + (64 << 10) + len(garbage)
        assert stream.offset <= len(garbage)


def test_inflated_bytes_are_those_of_zlib_whatever_the_steps():
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = raw.compress(CONTENTS["text"] + NOISE) + raw.flush()
    header = b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + bytes(8) + len(body).to_bytes(4, "little") + bytes(4)
    archive = header + b"\x01\x00\x00\x00x" + body
    assert dict(entries_of(window_of(archive, 777))) == {"x": CONTENTS["text"] + NOISE}
