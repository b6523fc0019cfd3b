"""What a layer from a stranger may cost: each bound, and the sentence about a layer that is over it."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
import zstandard

from fleet.image.children import Children
from fleet.image.filetree import apply_layers
from fleet.image.layer import index_layer
from fleet.image.limits import GIBIBYTE, Limits
from fleet.oci.errors import TooLarge
from fleet.sample.elf import LOADER, Program, elf_file
from tests.image.archives import END, archive, block, in_chunks, index, layer, member, padded, pax, symlink


def refusal(tar: bytes, limits: Limits) -> str:
    """The part of the sentence that says which bound it was."""
    with pytest.raises(TooLarge) as failure:
        index(tar, limits=limits)
    sentence = str(failure.value)
    assert sentence.startswith("Layer sha256:")
    assert sentence.endswith(". No software needs that; check the image.")
    return sentence.partition("was not read to its end: ")[2].partition(". No software")[0]


def test_stored_bytes_are_bounded_even_when_they_inflate_to_nothing() -> None:
    blob = gzip.compress(END) + gzip.compress(b"", mtime=0) * 10_000
    with pytest.raises(TooLarge, match="it has more than 100000 stored bytes"):
        index_layer(in_chunks(blob), digest="", media_type="", limits=Limits(stored_bytes=100_000))


def test_entries_count_when_they_are_ignored() -> None:
    tar = archive(*(member(f"../{number}") for number in range(20)))
    assert refusal(tar, Limits(entries=19)) == "it has more than 19 entries"
    assert index(tar, limits=Limits(entries=20)).ignored_entries == 20


def test_names_are_bounded_together() -> None:
    tar = archive(member("a" * 50), symlink("b" * 50, "c" * 50))
    assert refusal(tar, Limits(names_bytes=149)) == "its paths alone have more than 149 bytes"
    assert len(index(tar, limits=Limits(names_bytes=150)).entries) == 2


def test_extended_headers_are_bounded_one_by_one_and_together() -> None:
    long_name = block(b"././@LongLink", size=2000, flag=b"L") + padded(b"n" * 2000)
    tar = (long_name + block(b"a")) * 3 + END
    assert refusal(tar, Limits(extended_header_bytes=1999)) == "it has an extended tar header of 2000 bytes"
    together = refusal(tar, Limits(extended_headers_bytes=5999))
    assert together == "it has more than 5999 bytes of extended tar headers"
    assert len(index(tar, limits=Limits(extended_headers_bytes=6000)).entries) == 3


def test_a_header_that_claims_more_than_it_may_have_is_refused_before_it_is_read() -> None:
    claim = block(b"x", flag=b"x", size_field=(124, b"\x80" + (1 << 59).to_bytes(11, "big")))
    assert refusal(claim, Limits()) == f"it has an extended tar header of {1 << 59} bytes"


def test_headers_without_end_before_one_file_need_no_memory() -> None:
    """Of several PAX headers the last one holds, whole, as Go's reader has it; they are not gathered."""
    tar = pax({b"path": b"first", b"uid": b"7"}) + pax({b"path": b"second"}) + block(b"a") + END
    (entry,) = index(tar).entries
    assert (entry.path, entry.uid) == ("second", 0)


def test_a_long_name_holds_before_a_pax_path_wherever_it_stands() -> None:
    long_name = block(b"././@LongLink", size=6, flag=b"L") + padded(b"gnu\0\0\0")
    named = pax({b"path": b"pax", b"uid": b"7"})
    for tar in (long_name + named, named + long_name):
        (entry,) = index(tar + block(b"a") + END).entries
        assert (entry.path, entry.uid) == ("gnu", 7)


def test_sparse_maps_are_bounded() -> None:
    more = bytes(504) + b"\1" + bytes(7)
    tar = block(b"a", flag=b"S", extended=(482, b"\1")) + more * 4 + bytes(512) + END
    assert refusal(tar, Limits(sparse_map_bytes=4 * 512)) == "it has a sparse file with a map of more than 2048 bytes"
    assert len(index(tar, limits=Limits(sparse_map_bytes=5 * 512)).entries) == 1


def test_what_programs_name_is_bounded_together() -> None:
    scripts = [member(f"bin/{number}", b"#!/bin/sh\n", mode=0o755) for number in range(10)]
    tar = archive(*scripts)
    words = "its programs name more than 89 bytes of libraries and interpreters"
    assert refusal(tar, Limits(facts_bytes=89)) == words
    assert len(index(tar, limits=Limits(facts_bytes=90)).shebangs) == 10


def test_libraries_that_programs_name_are_bounded_together() -> None:
    """A small file may name five hundred libraries, and a layer may hold a hundred thousand such files."""
    libraries = tuple(f"lib{number:0200}.so" for number in range(100))
    program = elf_file(Program(LOADER, libraries), 40_000).head
    tar = archive(*(member(f"bin/{number}", program) for number in range(10)))
    assert refusal(tar, Limits(facts_bytes=100_000)).startswith("its programs name more than 100000 bytes")
    assert index(tar).elf["bin/9"].needed == libraries


def test_texts_over_their_bound_are_left_out_and_the_file_is_weighed() -> None:
    tar = archive(member("etc/passwd", b"x" * 100), member("etc/group", b"y" * 100))
    one = index(tar, limits=Limits(text_bytes=99))
    both = index(tar, limits=Limits(texts_bytes=150))
    assert (dict(one.texts), one.unpacked_bytes) == ({}, 200)
    assert list(both.texts) == ["etc/passwd"]


def test_a_zstd_window_beyond_what_its_own_tool_grants_is_refused() -> None:
    def compressed(window_log: int) -> bytes:
        parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=window_log)
        stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        return stream.compress(archive(member("a", bytes(1 << 20)))) + stream.flush()

    assert index_layer(in_chunks(compressed(27)), digest="", media_type="").unpacked_bytes == 1 << 20
    with pytest.raises(TooLarge, match="asks for a window of more than 134217728 bytes"):
        index_layer(in_chunks(compressed(28)), digest="", media_type="")


def ten_gibibytes(compress) -> Iterator[bytes]:  # type: ignore[no-untyped-def]
    """A file of zeros, in members of 64 MiB each."""
    yield compress(block(b"zeros", size_field=(124, b"\x80" + (10 * GIBIBYTE).to_bytes(11, "big"))))
    zeros = compress(bytes(64 << 20))
    for _ in range(160):
        yield zeros


@pytest.mark.parametrize(
    ("compress", "most_bytes"), [(gzip.compress, 11 << 20), (zstandard.compress, 1 << 20)], ids=["gzip", "zstd"]
)
def test_a_bomb_of_ten_gibibytes_is_refused_soon_after_the_first_with_the_real_limits(compress, most_bytes) -> None:  # type: ignore[no-untyped-def]
    bomb = list(ten_gibibytes(compress))
    assert sum(map(len, bomb)) < most_bytes
    taken = 0

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for piece in bomb:
            taken += len(piece)
            yield piece

    with pytest.raises(TooLarge, match=r"it inflates to more than \d+ bytes after \d+ stored ones") as failure:
        index_layer(counted(), digest="", media_type="")
    inflated_bytes = int(str(failure.value).partition("more than ")[2].partition(" bytes")[0])
    # What is free, what the ratio grants, and one step.
    assert inflated_bytes <= GIBIBYTE + 200 * taken + (16 << 20)


def test_a_bomb_within_one_step_gives_no_more_than_the_step() -> None:
    bomb = gzip.compress(block(b"zeros", size=64 << 20) + bytes(64 << 20))
    limits = Limits(free_unpacked_bytes=1 << 20, expansion=1)
    with pytest.raises(TooLarge) as failure:
        index_layer([bomb], digest="", media_type="", limits=limits)
    inflated_bytes = int(str(failure.value).partition("more than ")[2].partition(" bytes")[0])
    assert inflated_bytes <= 17 << 20


def test_the_defaults_take_what_real_images_hold() -> None:
    """Layers of 10 GB and of a million files with long names exist, and so do swap files of zeros."""
    limits = Limits()
    assert min(limits.stored_bytes, limits.unpacked_bytes) >= 20 * 10**9
    assert limits.entries > 1_000_000
    assert limits.names_bytes > 1_000_000 * 200
    assert limits.extended_headers_bytes > 1_000_000 * 500
    zeros = layer(member("swapfile", bytes(64 << 20)))
    assert zeros.unpacked_bytes == 64 << 20


def test_an_image_is_bounded_over_all_its_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest may name one layer many times: each counts."""
    from fleet.image import loading
    from fleet.oci.manifest import Platform
    from tests.image.test_loading import Shelf

    blob = gzip.compress(archive(member("a"), member("b")))
    shelf = Shelf()
    shelf.image(*[blob] * 5)
    monkeypatch.setattr(loading, "DEFAULT_LIMITS", Limits(image_entries=9))
    with pytest.raises(TooLarge, match=r"hold 10 entries together; 9 are the most that is read\."):
        loading.load_image(shelf, "latest", Platform("linux", "amd64"))


def test_an_archive_of_five_million_files_is_refused_without_being_read_on() -> None:
    """With a lower limit, for the real one takes ten seconds to reach."""
    packed = 0

    def five_million() -> Iterator[bytes]:
        nonlocal packed
        pack = zlib.compressobj(1, wbits=31)
        piece = b"".join(block(b"usr/share/files/%04d" % number) for number in range(5000))
        for _ in range(1000):
            packed += 5000
            yield pack.compress(piece)
        yield pack.compress(END) + pack.flush()

    with pytest.raises(TooLarge, match="it has more than 100000 entries"):
        index_layer(five_million(), digest="", media_type="", limits=Limits(entries=100_000))
    assert packed < 250_000
    assert Limits().entries < 5_000_000


def test_paths_that_imply_directories_without_end_are_refused() -> None:
    """A few kilobytes of blob: each path has two thousand directories of its own, and their paths are as long."""
    paths = [b"%06d/" % number + b"a/" * 2040 + b"x" for number in range(100)]
    headers = (block(b"././@LongLink", size=len(path), flag=b"L") + padded(path) + block(b"a") for path in paths)
    found = index(b"".join(headers) + END)
    assert len(found.entries) == 100
    with pytest.raises(TooLarge, match=r"268435456 bytes of their paths\. No software needs that; check the image\."):
        apply_layers([found])
    assert len(apply_layers([replace(found, entries=found.entries[:20])]).nodes) == 20


def test_directories_are_bounded_by_their_number() -> None:
    children = Children(Limits(directories=3))
    for path in ("a/x", "a/y", "b/x", "c/x"):
        children.add(path)
    with pytest.raises(TooLarge, match="The image has more than 3 directories"):
        children.add("d/x")


def test_noise_does_not_look_like_a_bomb() -> None:
    noise = random.Random(5).randbytes(3 << 20)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        info = tarfile.TarInfo("noise")
        info.size = len(noise)
        tar.addfile(info, io.BytesIO(noise))
    blob = zlib.compress(stream.getvalue(), wbits=31)
    limits = Limits(free_unpacked_bytes=0, expansion=2)
    assert index_layer(in_chunks(blob), digest="", media_type="", limits=limits).unpacked_bytes == len(noise)
