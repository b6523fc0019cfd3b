"""The tar reader against Python's own, and against bytes that nobody would write."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable

import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fleet.image.elf import HEAD_BYTES, needed_ranges, read_elf
from fleet.image.entries import ElfFacts
from fleet.image.layer import entry_path, index_layer
from fleet.image.limits import Limits
from fleet.image.stream import ByteStream
from fleet.image.tar import read_tar
from fleet.oci.errors import CorruptLayer, TooLarge
from fleet.sample.elf import LOADER, Program, elf_file
from tests.image.archives import END, block, checksummed, in_chunks, padded, pax, sha256

often = settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
seldom = settings(often, max_examples=60)

# Small enough that a lie about a size is refused at once.
LIMITS = Limits(unpacked_bytes=64 << 20, free_unpacked_bytes=8 << 20, entries=1000)

KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.LNKTYPE: "hardlink",
    tarfile.SYMTYPE: "symlink",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.DIRTYPE: "directory",
    tarfile.FIFOTYPE: "fifo",
    tarfile.CONTTYPE: "file",
    tarfile.GNUTYPE_SPARSE: "file",
}

PROGRAM = elf_file(
    Program(LOADER, ("libc.so.6", "libssl.so.3"), "libx.so", "/opt/lib", ("2.17", "2.34"), ("2.1",), "go1.22"), 20_000
).head.ljust(20_000, b"\1")

# Also bytes that are no UTF-8, as surrogateescape has them.
CHARACTERS = st.one_of(
    st.sampled_from("ab/. =\n-é"),
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    st.integers(0xDC80, 0xDCFF).map(chr),
)


def joined(text: str) -> str:
    """Escaped bytes that happen to stand together may be a character: the text that reading them gives."""
    return text.encode(errors="surrogateescape").decode(errors="surrogateescape")


def names(longest: int) -> st.SearchStrategy[str]:
    text = st.text(CHARACTERS, min_size=1, max_size=longest).map(joined)
    return text.filter(lambda name: not name.endswith("/") and len(name.encode(errors="surrogateescape")) <= longest)


@st.composite
def members(draw: st.DrawFn, form: int) -> tuple[tarfile.TarInfo, bytes]:
    plain = form == tarfile.USTAR_FORMAT
    longest = 99 if plain else draw(st.sampled_from([40, 100, 101, 300, 2000]))
    info = tarfile.TarInfo(draw(names(longest)))
    info.type = draw(st.sampled_from([kind for kind in KINDS if kind != tarfile.GNUTYPE_SPARSE]))
    info.mode = draw(st.integers(0, 0o7777))
    info.uid, info.gid = (draw(st.integers(0, 0o7777777 if plain else 2**31)) for _ in range(2))
    content = b""
    if info.type in (tarfile.REGTYPE, tarfile.CONTTYPE):
        content = draw(st.binary(max_size=20)) * draw(st.sampled_from([0, 1, 26, 700]))
    if info.type in (tarfile.LNKTYPE, tarfile.SYMTYPE):
        info.linkname = draw(names(99 if plain else longest))
    if form == tarfile.PAX_FORMAT:
        info.pax_headers = {"SCHILY.xattr.user.note": draw(st.text(CHARACTERS, max_size=30).map(joined))}
    info.size = len(content)
    return info, content


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """As the standard library writes them, in one of its three formats."""
    form = draw(st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as tar:
        for info, content in draw(st.lists(members(form), max_size=6)):
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


Found = tuple[str, str, int, int, int, int, str]


def as_we_read(tar: bytes, chunk_bytes: int = 65_536) -> list[Found]:
    stream = ByteStream(in_chunks(tar, chunk_bytes))
    return [(m.name.rstrip("/"), str(m.kind), m.size_bytes, m.mode, m.uid, m.gid, m.link) for m in read_tar(stream)]


def as_python_reads(tar: bytes) -> list[Found]:
    with tarfile.open(fileobj=io.BytesIO(tar), encoding="utf-8", errors="surrogateescape") as archive:
        return [
            (
                member.name.rstrip("/"),
                KINDS[member.type],
                len(member.linkname.encode(errors="surrogateescape")) if member.issym() else member.size,
                member.mode,
                member.uid,
                member.gid,
                member.linkname,
            )
            for member in archive
        ]


@often
@given(archives(), st.sampled_from([61, 512, 700, 65_536]))
def test_what_python_writes_is_read_as_python_reads_it_however_it_is_cut(tar: bytes, chunk_bytes: int) -> None:
    assert as_we_read(tar, chunk_bytes) == as_python_reads(tar)


@often
@given(st.integers(1, 5), st.integers(0, 2**40), st.booleans())
def test_sparse_files_weigh_what_python_says_in_every_format(holes: int, real: int, beyond_octal: bool) -> None:
    """Old GNU with and without further maps, PAX 0.0, 0.1 and 1.0; sizes in octal and in base 256."""
    pieces = [(number * 1024, 512) for number in range(holes)]
    real = max(real if beyond_octal else real % 8**11, holes * 1024)
    stored = bytes(512 * holes)
    size = _number(real)
    fields = b"".join(b"%011o\0%011o\0" % piece for piece in pieces[:4])
    header = {"map": (386, fields), "extended": (482, bytes((holes > 4,))), "real": (483, size)}
    more = b"".join(b"%011o\0%011o\0" % piece for piece in pieces[4:]).ljust(512, b"\0") if holes > 4 else b""
    old = block(b"sparse", size=len(stored), flag=b"S", **header) + more + stored
    listed = ",".join(f"{offset},{length}" for offset, length in pieces).encode()
    first = pax({b"GNU.sparse.size": b"%d" % real, b"GNU.sparse.map": listed, b"GNU.sparse.name": b"sparse"})
    inside = padded(b"%d\n" % holes + b"".join(b"%d\n%d\n" % piece for piece in pieces))
    versions = {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0"}
    newest = pax({**versions, b"GNU.sparse.name": b"sparse", b"GNU.sparse.realsize": b"%d" % real})
    tar = old + first + block(b"GNUSparseFile.0/sparse", size=len(stored)) + stored
    tar += newest + block(b"GNUSparseFile.0/sparse", size=len(inside + stored)) + inside + stored + END
    found = as_we_read(tar)
    assert [(name, size) for name, _, size, *_ in found] == [("sparse", real)] * 3
    assert found == as_python_reads(tar)


@often
@given(st.integers(0, 2**60))
def test_sizes_beyond_octal_are_read_as_python_reads_them(size: int) -> None:
    tar = block(b"large", size_field=(124, b"\x80" + size.to_bytes(11, "big")))
    assert next(iter(read_tar(ByteStream(iter([tar]))))).size_bytes == size
    assert tarfile.TarInfo.frombuf(tar, "utf-8", "surrogateescape").size == size


def _number(value: int) -> bytes:
    return b"%011o\0" % value if value < 8**11 else b"\x80" + value.to_bytes(11, "big")


def damaged(tar: bytes, changes: list[tuple[int, int, bytes]], kept: int) -> bytes:
    """Bytes of headers put elsewhere, with checksums that hold all the same, and the end cut off."""
    body = bytearray(tar)
    for block_number, offset, value in changes:
        start = block_number * 512 % max(512, len(body))
        header = bytearray(body[start : start + 512].ljust(512, b"\0"))
        header[offset : offset + len(value)] = value
        body[start : start + 512] = checksummed(header[:512])
    return bytes(body[: len(body) - kept % (len(body) + 1)])


FIELD = st.one_of(
    st.binary(min_size=1, max_size=12),
    st.sampled_from([b"\xff" * 12, b"\x80" + b"\xff" * 11, b"77777777777\0", b"           \0", b"\0" * 12, b"\x80"]),
    st.sampled_from([b"x", b"g", b"L", b"K", b"S", b"X", b"1", b"2", b"5", b"V"]),
)
OFFSET = st.one_of(st.integers(0, 511), st.sampled_from([0, 108, 116, 124, 124, 156, 156, 157, 345, 482, 483, 508]))
CHANGES = st.lists(st.tuples(st.integers(0, 20), OFFSET, FIELD), max_size=5)


def index_or_refuse(blob: bytes) -> None:
    """Anything but an index that is sound and our two errors with a sentence is a failure."""
    refused = ""
    found = None
    try:
        found = index_layer(in_chunks(blob, 1000), digest="", media_type="", limits=LIMITS)
    except (CorruptLayer, TooLarge) as error:
        refused = str(error)
    if found is None:
        assert refused.endswith(".")
        assert refused.isprintable()
        return
    assert found.digest == sha256(blob)
    assert found.compressed_bytes == len(blob)
    assert found.unpacked_bytes == sum(entry.size_bytes for entry in found.entries)
    for entry in found.entries:
        assert entry.compressed_bytes >= 0
        assert ".." not in entry.path.split("/")
        assert not entry.path.startswith("/")
        assert len(entry.path.encode(errors="surrogateescape")) <= LIMITS.path_bytes
    assert sum(entry.compressed_bytes for entry in found.entries) <= len(blob) + len(found.entries)


@often
@given(archives(), CHANGES, st.one_of(st.just(0), st.integers(0, 10_000)))
def test_damaged_headers_end_in_a_result_or_a_sentence(
    tar: bytes, changes: list[tuple[int, int, bytes]], kept: int
) -> None:
    index_or_refuse(gzip.compress(damaged(tar, changes, kept), 1))


@often
@given(st.binary(max_size=3000))
@example(b"")
@example(b"\x1f")
@example(b"\x1f\x8b")
@example(b"\x28\xb5\x2f\xfd")
@example(b"\x50\x2a\x4d\x18\xff\xff\xff\xff")
def test_arbitrary_bytes_end_in_a_result_or_a_sentence(blob: bytes) -> None:
    for prefix in (b"", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd"):
        index_or_refuse(prefix + blob)


@often
@given(
    archives(),
    st.sampled_from([gzip.compress, zstandard.compress]),
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_damaged_streams_end_in_a_result_or_a_sentence(
    tar: bytes, compress: Callable[[bytes], bytes], changes: list[tuple[int, int]]
) -> None:
    blob = bytearray(compress(tar))
    for position, value in changes:
        blob[position % len(blob)] = value
    index_or_refuse(bytes(blob))


@seldom
@given(archives(), st.sampled_from([gzip.compress, zstandard.compress, bytes]))
def test_the_compression_and_the_chunks_change_nothing_but_the_shares(
    tar: bytes, compress: Callable[[bytes], bytes]
) -> None:
    blob = compress(tar)
    one = index_layer([blob], digest=sha256(blob), media_type="", limits=LIMITS)
    other = index_layer(in_chunks(blob, 61), digest=sha256(blob), media_type="", limits=LIMITS)
    assert [entry._replace(compressed_bytes=0) for entry in one.entries] == [
        entry._replace(compressed_bytes=0) for entry in other.entries
    ]
    assert one.diff_id == other.diff_id == sha256(tar)


@often
@given(st.text(CHARACTERS, max_size=40))
@example("../../x")
@example("a/../../etc/passwd")
@example("/etc/passwd")
@example("./..")
def test_no_name_leaves_the_root(name: str) -> None:
    path = entry_path(name)
    if path is not None:
        parts = path.split("/") if path else []
        assert not {"", ".", ".."}.intersection(parts)
        assert entry_path(path) == path


@often
@given(st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=8)), max_size=6))
def test_programs_that_lie_about_themselves_give_facts_or_nothing(changes: list[tuple[int, bytes]]) -> None:
    body = bytearray(PROGRAM)
    for position, value in changes:
        start = position % len(body)
        body[start : start + len(value)] = value
    ranges = needed_ranges(bytes(body[:HEAD_BYTES]), len(body))
    assert all(0 <= start < stop <= len(body) for start, stop in ranges)
    assert isinstance(read_elf(bytes(body)), ElfFacts | None)
