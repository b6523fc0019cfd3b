import gzip
import hashlib
import io
import os
import tarfile
import zipfile

import pytest

from fleet.sample.build import build_layer
from fleet.sample.filler import Filler, Joined, pieces_of
from fleet.sample.tar import File, directory, symlink, whiteout, with_parents
from fleet.sample.zip import stored_zip

DEEP = "/".join(["node_modules/a-rather-long-name"] * 9) + "/index.js"
FILES = [
    File("etc/hello", b"hello\n", mode=0o600, mtime=1_700_000_000, uid=1000, gid=1001),
    directory("tmp", 0o1777),
    symlink("bin", "usr/bin"),
    symlink("usr/far", "x" * 140),
    whiteout("var/gone"),
    File(DEEP, b"deep"),
    File("a" * 120, b"long name without a slash"),
    File("usr/bulk", Filler("machine", 3_000_017, 60, b"HEAD")),
    File("usr/small", Filler("text", 77, 3)),
    File("usr/joined", Joined((b"one", Filler("packed", 40_000, 9), b"two"))),
]


def unpacked(layer):
    return gzip.decompress(b"".join(layer.chunks()))


def members(layer):
    with tarfile.open(fileobj=io.BytesIO(unpacked(layer))) as archive:
        return {member.name: (member, archive.extractfile(member)) for member in archive}


def test_digests_and_lengths_are_those_of_the_blob():
    layer = build_layer(FILES)
    stored = b"".join(layer.chunks())
    assert layer.digest == f"sha256:{hashlib.sha256(stored).hexdigest()}"
    assert layer.size_bytes == len(stored)
    assert layer.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(stored)).hexdigest()}"
    assert layer.tar_bytes == len(gzip.decompress(stored))


def test_python_reads_back_every_file_as_it_was_given():
    with tarfile.open(fileobj=io.BytesIO(unpacked(build_layer(FILES)))) as archive:
        assert [member.name for member in archive] == [file.path for file in FILES]
        for file in FILES:
            member = archive.getmember(file.path)
            assert (member.mode, member.uid, member.gid, member.mtime) == (file.mode, file.uid, file.gid, file.mtime)
            assert member.linkname == file.link
            if file.kind == "file":
                assert archive.extractfile(member).read() == b"".join(bytes(piece) for piece in pieces_of(file.content))


@pytest.mark.parametrize(("matter", "least", "most"), [("text", 2.7, 4), ("machine", 2, 3), ("packed", 0.99, 1.01)])
def test_bulk_compresses_as_its_kind_does(matter, least, most):
    layer = build_layer([File("bulk", Filler(matter, 5_000_000))])
    assert least < layer.tar_bytes / layer.size_bytes < most
    assert least < layer.tar_bytes / len(gzip.compress(unpacked(layer), 6)) < most * 1.1


def test_a_layer_is_composed_the_same_each_time():
    layer = build_layer(FILES)
    assert build_layer(lambda: iter(FILES)) == layer
    assert b"".join(layer.chunks()) == b"".join(layer.chunks())


def test_parents_come_before_what_they_hold_and_the_last_of_two_wins():
    files = list(with_parents([File("a/b/c", b"old"), File("a/b/c", b"new"), directory("a", 0o700)], 5))
    assert [(file.path, file.mtime) for file in files] == [("a", 5), ("a/b", 5), ("a/b/c", 5)]
    assert files[0].mode == 0o700
    assert files[2].content == b"new"


def test_an_archive_of_bulk_is_a_valid_zip():
    joined = stored_zip([("META-INF/MANIFEST.MF", b"Manifest"), ("lib/big.jar", Filler("packed", 300_000, 2, b"PK"))])
    content = b"".join(bytes(piece) for piece in pieces_of(joined))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.read("META-INF/MANIFEST.MF") == b"Manifest"
        assert archive.getinfo("lib/big.jar").file_size == 300_002


def test_a_large_layer_takes_little_memory(tmp_path):
    import subprocess
    import sys

    code = (
        "import resource\n"
        "from fleet.sample.build import build_layer\n"
        "from fleet.sample.filler import Filler\n"
        "from fleet.sample.tar import File\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "build_layer([File('bulk', Filler('machine', 400_000_000))])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    grown_kib = int(subprocess.check_output([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": "."}))
    assert grown_kib < 60_000
