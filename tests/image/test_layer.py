import gzip
import io
import random
import tarfile
import zlib

import pytest
import xxhash
import zstandard

from fleet.image.layer import index_layer
from fleet.image.limits import Limits
from fleet.oci.errors import CorruptLayer, DigestMismatch, RegistryError, TooLarge
from fleet.sample.elf import LOADER, Program, elf_file
from tests.image.archives import (
    END,
    GZIP,
    archive,
    block,
    directory,
    hardlink,
    in_chunks,
    index,
    layer,
    member,
    padded,
    pax,
    sha256,
    symlink,
)


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


TAR = archive(directory("./etc"), member("./etc/a", noise(100_000)), member("./etc/b", b"b" * 200_000))


def halves(tar: bytes, compress) -> bytes:
    middle = len(tar) // 2
    return compress(tar[:middle]) + compress(tar[middle:])


BLOBS = {
    "gzip": gzip.compress(TAR),
    "gzip of two members": halves(TAR, gzip.compress),
    "gzip padded with zeros": gzip.compress(TAR) + bytes(700),
    "zstd": zstandard.compress(TAR),
    "zstd of two frames": halves(TAR, zstandard.compress),
    "zstd after a skippable frame": b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstandard.compress(TAR),
    "plain": TAR,
}


@pytest.mark.parametrize("chunk_bytes", [61, 1000, 65_536, 10_000_000])
@pytest.mark.parametrize("form", BLOBS)
def test_compression_is_read_from_the_bytes_whatever_the_media_type_and_the_chunks(form, chunk_bytes):
    blob = BLOBS[form]
    found = index_layer(in_chunks(blob, chunk_bytes), digest=sha256(blob), media_type="text/html")
    assert [(e.path, e.kind, e.size_bytes) for e in found.entries] == [
        ("etc", "directory", 0),
        ("etc/a", "file", 100_000),
        ("etc/b", "file", 200_000),
    ]
    assert (found.diff_id, found.digest, found.compressed_bytes) == (sha256(TAR), sha256(blob), len(blob))
    assert not found.compressed_estimated


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_shares_of_the_blob_follow_the_content(compress):
    blob = compress(archive(directory("d"), member("a", b"b" * 3_000_000), member("b", noise(1_000_000)), member("c")))
    shares = {e.path: e.compressed_bytes for e in index_layer(in_chunks(blob), digest="", media_type="").entries}
    assert shares["b"] == pytest.approx(1_000_000, rel=0.1)
    assert shares["a"] < 100_000
    assert max(shares["d"], shares["c"]) < 1_000
    assert sum(shares.values()) == pytest.approx(len(blob), rel=0.01)


def test_shares_of_a_plain_tar_are_headers_and_blocks():
    found = index_layer(in_chunks(TAR), digest="", media_type="")
    assert [e.compressed_bytes for e in found.entries] == [512, 512 + 100_352, 512 + 200_192]


def test_shares_add_up_to_the_blob_less_the_end_of_the_archive():
    blob = gzip.compress(archive(*(member(f"f{number}", noise(3000, number)) for number in range(500))))
    found = index_layer(in_chunks(blob), digest="", media_type="")
    assert sum(e.compressed_bytes for e in found.entries) == pytest.approx(len(blob), rel=0.01)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("seed", range(5))
def test_entries_are_those_that_the_standard_library_reads(form, seed):
    tar = random_archive(seed, form)
    found = index(tar)
    with tarfile.open(fileobj=io.BytesIO(tar)) as reference:
        expected = [
            (m.name, m.size if m.isreg() else len(m.linkname.encode()) if m.issym() else 0, m.mode, m.uid, m.gid)
            for m in reference
        ]
    assert [(e.path, e.size_bytes, e.mode, e.uid, e.gid) for e in found.entries] == expected
    assert found.unpacked_bytes == sum(size for _, size, *_ in expected)
    assert found.ignored_entries == 0


def random_archive(seed: int, form: int) -> bytes:
    chance = random.Random(seed)
    members = []
    longest = 90 if form == tarfile.USTAR_FORMAT else 300
    for number in range(200):
        name = f"{'d' * chance.randint(1, longest)}/{number}{chance.choice(['', 'é', ' x'])}"
        owner = {"mode": chance.choice([0o644, 0o4755, 0o1777]), "uid": chance.choice([0, 1000, 65532]), "gid": 7}
        match chance.randrange(5):
            case 0:
                members.append(member(name, type=tarfile.DIRTYPE, **owner))
            case 1:
                target = "ü" * chance.randint(1, min(longest, 40))
                members.append(member(name, type=tarfile.SYMTYPE, linkname=target, **owner))
            case 2:
                members.append(member(name, type=chance.choice([tarfile.FIFOTYPE, tarfile.CHRTYPE]), **owner))
            case _:
                members.append(member(name, chance.randbytes(chance.choice([0, 1, 511, 512, 513, 9000])), **owner))
    return archive(*members, form=form)


@pytest.mark.parametrize("chunk_bytes", [61, 1000, 65_536, 10_000_000])
@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress, bytes], ids=["gzip", "zstd", "plain"])
def test_contents_are_fingerprinted_whatever_is_read_of_them(compress, chunk_bytes):
    library = elf_file(Program(LOADER, ("libc.so.6",), "libx.so"), 700_000).head.ljust(700_000, b"\1")
    contents = {
        "app/noise": noise(600_000),
        "app/copy": noise(600_000),
        "app/run": b"#!/bin/sh\n" + b"echo\n" * 500,
        "etc/passwd": b"root:x:0:0\n" * 40_000,
        "lib/libx.so": library,
        "lib/other.so": library[:-1] + b"\7",
        "just/enough": b"x" * 1024,
        "too/small": b"x" * 1023,
        "empty": b"",
    }
    blob = compress(archive(*(member(path, content, mode=0o755) for path, content in contents.items())))
    found = index_layer(in_chunks(blob, chunk_bytes), digest="", media_type="")
    expected = {path: xxhash.xxh3_64_intdigest(body) if len(body) >= 1024 else 0 for path, body in contents.items()}
    assert {entry.path: entry.fingerprint for entry in found.entries} == expected
    assert expected["app/noise"] == expected["app/copy"]
    assert found.texts["etc/passwd"] == contents["etc/passwd"]
    assert found.elf["lib/libx.so"].soname == "libx.so"


def test_what_is_no_whole_file_has_no_fingerprint():
    sparse = pax({b"GNU.sparse.realsize": b"2000000", b"GNU.sparse.name": b"sparse"})
    tar = sparse + block(b"x", size=4096) + bytes(4096) + archive(hardlink("h", "sparse"), symlink("s", "x" * 2000))
    assert [entry.fingerprint for entry in index(tar).entries] == [0, 0, 0]


def test_kinds_and_links_are_told_apart():
    found = layer(
        member("a", b"12345"),
        hardlink("b", "./a"),
        symlink("c", "../ü"),
        member("d", type=tarfile.FIFOTYPE),
        member("e", type=tarfile.BLKTYPE),
        member("f", b"x", type=tarfile.CONTTYPE),
    )
    assert [(e.path, e.kind, e.size_bytes, e.link) for e in found.entries] == [
        ("a", "file", 5, ""),
        ("b", "hardlink", 0, "a"),
        ("c", "symlink", 5, "../ü"),
        ("d", "fifo", 0, ""),
        ("e", "device", 0, ""),
        ("f", "file", 1, ""),
    ]


def test_whiteouts_are_read_by_their_names_and_never_hide_a_parent():
    names = [
        "etc/.wh.a",
        ".wh.b",
        "opt/.wh..wh..opq",
        "x/.wh.",
        "x/.wh..",
        "x/.wh...",
        ".wh..wh.plnk/1.2",
        "x/.wh..wh.y",
    ]
    found = layer(*(member(name) for name in names))
    assert [(e.kind, e.path) for e in found.entries] == [("whiteout", "etc/a"), ("whiteout", "b"), ("opaque", "opt")]


def test_paths_are_normalised_and_those_that_leave_the_root_are_ignored():
    names = ["./a", "/b", "c//d/./e", "./.hidden", "../x", "f/../../x", "..", "g/..h"]
    found = layer(directory("./"), *(member(name) for name in names))
    assert [e.path for e in found.entries] == ["a", "b", "c/d/e", ".hidden", "g/..h"]
    assert found.ignored_entries == 3


def test_paths_that_no_kernel_takes_are_ignored():
    found = layer(member("d/" * 2100 + "x", b"1"), symlink("link", "x" * 5000), member("ok"))
    assert ([e.path for e in found.entries], found.ignored_entries) == (["ok"], 2)


def test_names_that_are_not_utf8_are_kept():
    found = index(block(b"caf\xe9", size=1) + padded(b"x") + END)
    assert found.entries[0].path.encode(errors="surrogateescape") == b"caf\xe9"


def test_pax_records_hold_for_the_next_member_and_global_ones_for_none():
    tar = (
        pax({b"path": b"nobody", b"size": b"7"}, b"g")
        + pax({b"path": b"caf\xc3\xa9", b"size": b"3", b"uid": b"3000000", b"comment": b"x=y\nz"})
        + block(b"short", size=0)
        + padded(b"abc")
        + block(b"next", size=1)
        + padded(b"a")
        + END
    )
    assert [(e.path, e.size_bytes, e.uid) for e in index(tar).entries] == [("café", 3, 3_000_000), ("next", 1, 0)]


def test_sizes_beyond_octal_are_read_in_base_256():
    size = (0x80 << 88 | 5).to_bytes(12, "big")
    assert index(block(b"a", size_field=(124, size)) + padded(b"12345") + END).entries[0].size_bytes == 5


def test_negative_owners_are_root():
    assert index(block(b"a", uid=(108, b"\xff" * 8)) + END).entries[0].uid == 0


def test_header_checksums_of_signed_characters_are_accepted():
    header = bytearray(block(b"\xff\xff"))
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(byte - 256 if byte > 127 else byte for byte in header)
    assert len(index(bytes(header) + END).entries) == 1


def test_prefixes_of_ustar_and_star_are_part_of_the_name():
    ustar = block(b"name", prefix=(345, b"p" * 155))
    star = block(b"name", prefix=(345, b"q" * 131 + b"00000000000 00000000000 "), trailer=(508, b"tar\0"))
    assert [e.path for e in index(ustar + star + END).entries] == ["p" * 155 + "/name", "q" * 131 + "/name"]


def test_old_gnu_sparse_files_weigh_what_lstat_reports():
    header = block(b"sparse", size=512, flag=b"S", extended=(482, b"\1"), real=(483, b"%011o\0" % 1_000_000))
    more = bytes(504) + b"\1" + bytes(7) + bytes(512)
    found = index(header + more + bytes(512) + block(b"after") + END)
    assert [(e.path, e.kind, e.size_bytes) for e in found.entries] == [
        ("sparse", "file", 1_000_000),
        ("after", "file", 0),
    ]


@pytest.mark.parametrize(
    "records",
    [
        {b"GNU.sparse.major": b"1", b"GNU.sparse.name": b"real", b"GNU.sparse.realsize": b"2000000"},
        {b"GNU.sparse.map": b"0,512", b"GNU.sparse.name": b"real", b"GNU.sparse.size": b"2000000"},
    ],
)
def test_pax_sparse_files_weigh_what_lstat_reports_under_their_real_name(records):
    tar = pax(records) + block(b"GNUSparseFile.0/real", size=512) + bytes(512) + END
    assert [(e.path, e.size_bytes) for e in index(tar).entries] == [("real", 2_000_000)]


def test_links_and_directories_have_no_content_whatever_their_header_says():
    tar = block(b"d/", size=99, flag=b"5") + block(b"l", size=99, flag=b"1", link=(157, b"x")) + block(b"f") + END
    assert [(e.path, e.size_bytes) for e in index(tar).entries] == [("d", 0), ("l", 0), ("f", 0)]


def test_vendor_records_are_passed_over_with_their_content():
    tar = block(b"label", size=600, flag=b"V") + bytes(1024) + block(b"f", size=1) + padded(b"x") + END
    assert [e.path for e in index(tar).entries] == ["f"]


@pytest.mark.parametrize("tar", [END, bytes(10_240), b""], ids=["two blocks", "a record", "nothing at all"])
def test_an_empty_layer_is_a_layer(tar):
    if tar:
        assert index(tar).entries == ()
    else:
        with pytest.raises(CorruptLayer, match="holds nothing"):
            index(tar)


def test_what_follows_the_end_of_the_archive_is_hashed_and_ignored():
    tar = archive(member("a", b"1")) + b"anything"
    found = index(tar)
    assert (len(found.entries), found.diff_id) == (1, sha256(tar))


def test_an_archive_without_its_end_marker_is_read():
    assert len(index(block(b"a", size=1) + padded(b"x")).entries) == 1


GZ = gzip.compress(TAR)
ZST = zstandard.compress(TAR)
DAMAGED = bytearray(GZ)
DAMAGED[50_000:50_010] = b"damage" * 2
CORRUPT = {
    "empty blob": (b"", "holds nothing"),
    "HTML": (b"<!DOCTYPE html><title>502 Bad Gateway</title>" * 20, "no tar header"),
    "a short text": (b"nothing", "cut short"),
    "cut gzip": (GZ[:-200], "cut short"),
    "gzip without its trailer": (GZ[:-8], "cut short"),
    "a gzip header alone": (GZ[:10], "cut short"),
    "damaged gzip": (bytes(DAMAGED), "damaged"),
    "wrong gzip checksum": (GZ[:-8] + b"\0\0\0\0" + GZ[-4:], "damaged"),
    "garbage after gzip": (GZ + b"garbage that is no member", "garbage after"),
    "a few letters after gzip": (GZ + b"garbage", "cut short"),
    "a gzip header without an end": (b"\x1f\x8b\x08\x08" + bytes(6) + b"name" * 9000, "damaged"),
    "a gzip header of no known method": (b"\x1f\x8b\x09" + GZ[3:], "damaged"),
    "half a second member": (GZ + GZ[:5000], "cut short"),
    "cut zstd": (zstandard.compress(noise(500_000))[:300_000], "no tar header"),
    "cut zstd of a tar": (zstandard.compress(archive(member("a", noise(900_000))))[:600_000], "cut short"),
    "zstd cut at once": (ZST[:100], "holds nothing"),
    "damaged zstd": (ZST[:9] + b"damage" * 20 + ZST[129:], "damaged"),
    "garbage after zstd": (ZST + b"garbage!", "damaged"),
    "gzip of no tar": (gzip.compress(noise(5000)), "no tar header"),
    "tar cut in a header": (gzip.compress(TAR[:700]), "cut short"),
    "tar cut in a file": (gzip.compress(TAR[:90_000]), "cut short"),
    "one zero block": (gzip.compress(bytes(512) + TAR), "goes on after"),
    "bad checksum": (gzip.compress(b"X" + TAR[1:]), "no tar header"),
    "no number": (gzip.compress(block(b"a", size_field=(124, b"99999999999\0")) + END), "number that is none"),
    "underscored number": (gzip.compress(block(b"a", size_field=(124, b"0000000_001\0")) + END), "number that is none"),
    "negative number": (gzip.compress(block(b"a", size_field=(124, b"\xff" * 12)) + END), "negative"),
    "absurd number": (gzip.compress(block(b"a", size_field=(124, b"\x80" + b"\x7f" * 11)) + END), "absurd"),
    "pax without its length": (gzip.compress(block(b"x", size=5, flag=b"x") + padded(b"a=b\n\n") + END), "malformed"),
    "pax longer than it is": (gzip.compress(block(b"x", size=9, flag=b"x") + padded(b"99 a=bcd\n") + END), "malformed"),
    "pax of length 0": (gzip.compress(block(b"x", size=6, flag=b"x") + padded(b"0 a=b\n") + END), "malformed"),
    "pax path with a NUL": (gzip.compress(pax({b"path": b"a\0b"}) + block(b"a") + END), "no system takes"),
    "pax size that is none": (gzip.compress(pax({b"size": b"-5"}) + block(b"a") + END), "number that is none"),
    "sparse map without an end": (
        gzip.compress(block(b"a", flag=b"S", extended=(482, b"\1")) + b"\1" * 1024),
        "cut short",
    ),
}


@pytest.mark.parametrize("case", CORRUPT)
def test_damage_ends_in_a_sentence_that_names_the_layer(case):
    blob, reason = CORRUPT[case]
    with pytest.raises(CorruptLayer, match=reason) as failure:
        index_layer(in_chunks(blob, 1000), digest=sha256(blob), media_type=GZIP)
    assert str(failure.value).startswith(f"Layer {sha256(blob)} cannot be read: ")


@pytest.mark.parametrize("seed", range(60))
def test_random_damage_never_ends_in_anything_but_our_errors(seed):
    chance = random.Random(seed)
    tar = bytearray(random_archive(seed, tarfile.PAX_FORMAT)[:60_000])
    for _ in range(chance.randint(1, 20)):
        tar[chance.randrange(len(tar))] = chance.randrange(256)
    try:
        index_layer(in_chunks(bytes(tar)), digest="", media_type="")
    except RegistryError as error:
        assert str(error).endswith(".")  # noqa: PT017


def test_a_wrong_digest_is_told_apart_from_damage():
    with pytest.raises(DigestMismatch, match="The stored copy is damaged"):
        index_layer(in_chunks(GZ), digest=sha256(b"other"), media_type=GZIP)


def test_a_sha512_digest_is_verified():
    import hashlib

    digest = f"sha512:{hashlib.sha512(GZ).hexdigest()}"
    assert index_layer(in_chunks(GZ), digest=digest, media_type=GZIP).digest == digest


def test_errors_of_the_source_pass_through():
    def broken():
        yield GZ[:5000]
        raise DigestMismatch("The source said so.")

    with pytest.raises(DigestMismatch, match="The source said so"):
        index_layer(broken(), digest=sha256(GZ), media_type=GZIP)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_bomb_is_refused_before_it_is_read_whole(compress):
    bomb = compress(block(b"zeros", size=64 << 20) + bytes(64 << 20) + END)
    limits = Limits(free_unpacked_bytes=1 << 20)
    with pytest.raises(TooLarge, match="inflates to more than"):
        index_layer(in_chunks(bomb), digest="", media_type="", limits=limits)
    assert index_layer(in_chunks(bomb), digest="", media_type="").unpacked_bytes == 64 << 20


def test_layers_beyond_the_limits_are_refused():
    tar = archive(*(member(f"f{number}", b"x" * 1000) for number in range(20)))
    for limits in (Limits(entries=19), Limits(unpacked_bytes=5000)):
        with pytest.raises(TooLarge):
            index(tar, limits=limits)
    assert len(index(tar, limits=Limits(entries=20)).entries) == 20


def test_an_absurd_extended_header_is_refused():
    with pytest.raises(TooLarge, match="extended tar header"):
        index(block(b"x", size=2 << 20, flag=b"x") + bytes(2 << 20) + END)


def test_sparse_files_cannot_claim_more_than_figures_hold():
    claim = pax({b"GNU.sparse.realsize": b"%d" % (1 << 60)})
    with pytest.raises(TooLarge, match="exbibyte"):
        index((claim + block(b"a")) + (claim + block(b"b")) + END)


def test_the_estimate_for_a_plain_tar_is_near_what_gzip_makes_of_it(tmp_path):
    tar = realistic_tar()
    found = index_layer(in_chunks(tar, 262_144), digest="", media_type="", stores_compressed=False)
    assert found.compressed_estimated
    assert found.compressed_bytes == pytest.approx(len(zlib.compress(tar, 6)), rel=0.05)
    assert sum(e.compressed_bytes for e in found.entries) == pytest.approx(found.compressed_bytes, rel=0.01)
    assert found.digest == found.diff_id == sha256(tar)


def test_a_small_plain_tar_is_estimated_exactly():
    found = index_layer(in_chunks(TAR), digest="", media_type="", stores_compressed=False)
    assert found.compressed_bytes == pytest.approx(len(zlib.compress(TAR, 6)), rel=0.01)


def test_what_an_engine_stores_compressed_is_measured():
    found = index_layer(in_chunks(GZ), digest="", media_type="", stores_compressed=False)
    assert (found.compressed_estimated, found.compressed_bytes) == (False, len(GZ))


def realistic_tar() -> bytes:
    """Modules, their bytecode, a library: what the interpreter that runs this is made of."""
    import json
    import os
    import sysconfig

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for package in (os.path.dirname(json.__file__), os.path.dirname(zstandard.__file__)):
            tar.add(package, arcname=os.path.basename(package))
        for name in ("asyncio", "email", "unittest", "lib-dynload", "encodings"):
            path = os.path.join(sysconfig.get_path("stdlib"), name)
            if os.path.isdir(path):
                tar.add(path, arcname=name)
    return buffer.getvalue()
