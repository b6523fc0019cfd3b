import json
import random
import shutil
import struct
import time
from pathlib import Path

import pytest

from fleet.image.filetree import FileTree, apply_layers
from fleet.image.layer import index_layer
from fleet.image.limits import Limits
from fleet.image.packages import read_packages
from fleet.image.packages.extracts import extract_for
from fleet.image.packages.rpm import extract
from fleet.image.packages.rpm_requirements import read_requirement
from fleet.image.packages.rpmdb import read_blobs
from tests.image.archives import archive, in_chunks, index, layer, member, symlink
from tests.image.packages.rpm_databases import (
    INT32,
    MANY_FILES,
    STRING_ARRAY,
    SUBPACKAGES,
    as_rpm_says,
    berkeley,
    header,
    installed_by_rpm,
    ndb,
)

rpm = pytest.mark.skipif(not shutil.which("rpmbuild"), reason="RPM is not installed")
berkeley_db = pytest.mark.skipif(not shutil.which("db_load"), reason="Berkeley DB's tools are not installed")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed_by_rpm(tmp_path_factory.mktemp("rpm"))


def as_we_say(content: bytes) -> set[tuple[str, ...]]:
    found = set()
    for fields in map(json.loads, extract(content)):
        files = [directory + name for directory, names in fields["files"].items() for name in names]
        words = ("\t".join(sorted(set(texts))) for texts in (files, fields["requires"], fields["provides"]))
        found.add((fields["name"], fields["version"], *words))
    return found


@rpm
def test_sqlite_databases_are_read_as_rpm_reads_them(database):
    found = as_we_say(database.read_bytes())
    assert found == as_rpm_says(database.parent)
    assert len(found) == SUBPACKAGES + 1
    assert ("shell", "0:5.1-2.el9") in {package[:2] for package in found}
    assert max(len(package[2].split()) for package in found) == MANY_FILES + 1


@rpm
@berkeley_db
@pytest.mark.parametrize("order", [1234, 4321])
def test_berkeley_databases_are_read_as_rpm_reads_them(database, tmp_path, order):
    content = berkeley(list(read_blobs(database.read_bytes())), tmp_path, order)
    assert as_we_say(content) == as_we_say(database.read_bytes()) == as_rpm_says(tmp_path, "bdb_ro")


@rpm
def test_ndb_databases_hold_the_same_headers(database):
    blobs = list(read_blobs(database.read_bytes()))
    assert list(read_blobs(ndb(*blobs))) == blobs


FILES = {1116: (INT32, [0, 0, 1]), 1117: (STRING_ARRAY, ["sh", "gone", "README"]), 1118: (STRING_ARRAY, ["/bin/", "/"])}
SHELL = header(name="bash", version="5.1", tags=FILES | {1003: (INT32, [2])})


def tree_with(content: bytes, *more, path: str = "var/lib/rpm/Packages.db") -> FileTree:
    return apply_layers([layer(*more), layer(member(path, content))])


def test_packages_have_their_files_where_they_are_and_the_layer_that_brought_them():
    files = (symlink("bin", "usr/bin"), member("usr/bin/sh", b"12345"), member("README", b"1"))
    (package,) = read_packages(tree_with(ndb(SHELL), *files))
    assert (package.ecosystem, package.name, package.version) == ("rpm", "bash", "2:5.1-1")
    assert (package.paths, package.unpacked_bytes, package.layer) == (("usr/bin/sh", "README"), 6, 0)


def test_paths_that_are_required_are_provided_by_the_package_that_owns_the_file():
    asking = header(name="script", tags={1049: (STRING_ARRAY, ["/bin/sh", "/usr/bin/sh", "rpmlib(X)"])})
    files = (symlink("bin", "usr/bin"), member("usr/bin/sh", b"12345"))
    script, bash = read_packages(tree_with(ndb(asking, SHELL), *files))
    assert script.requires == (("/bin/sh",), ("/usr/bin/sh",))
    assert set(bash.provides) == {"/bin/sh", "/usr/bin/sh"}


def test_keys_and_headers_without_a_name_are_no_packages():
    blobs = (header(name="gpg-pubkey"), header(), header(name="kept"))
    assert [package.name for package in read_packages(tree_with(ndb(*blobs)))] == ["kept"]


def test_old_headers_list_whole_paths():
    old = header(name="old", tags={1027: (STRING_ARRAY, ["/etc/old", "/usr/bin/old"])})
    (package,) = read_packages(tree_with(ndb(old), member("etc/old"), member("usr/bin/old")))
    assert package.paths == ("etc/old", "usr/bin/old")


def test_images_without_a_database_may_list_their_packages():
    line = "{}\t{}-1.azl3\t1\t2\tMicrosoft\t{}\t100\tx86_64\t{}\tsource.src.rpm"
    lines = (line.format("openssl", "3.3.0", "(none)", 0), line.format("tzdata", "2024a", 1, 1), "short\tline", "")
    path = "var/lib/rpmmanifest/container-manifest-2"
    found = read_packages(apply_layers([layer(member(path, "\n".join(lines).encode()))]))
    assert [(package.name, package.version) for package in found] == [
        ("openssl", "3.3.0-1.azl3"),
        ("tzdata", "1:2024a-1.azl3"),
    ]


@pytest.mark.parametrize("directory", ["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"])
def test_databases_are_found_in_each_of_their_places(directory):
    tree = tree_with(ndb(SHELL), path=f"{directory}/Packages.db")
    assert [package.name for package in read_packages(tree)] == ["bash"]


def test_of_a_database_that_was_migrated_the_old_one_is_not_read_too():
    tree = apply_layers(
        [
            layer(member("var/lib/rpm/Packages", ndb(header(name="old")))),
            layer(member("var/lib/rpm/Packages.db", ndb(SHELL))),
        ]
    )
    assert [package.name for package in read_packages(tree)] == ["bash"]


@pytest.mark.parametrize(
    ("text", "requirements"),
    [
        ("libc.so.6(GLIBC_2.34)(64bit)", [("libc.so.6(GLIBC_2.34)(64bit)",)]),
        ("rpmlib(CompressedFileNames)", []),
        ("", []),
        ("(alpha or beta)", [("alpha", "beta")]),
        ("(glibc-langpack-en = 2.34-1 or glibc-all)", [("glibc-langpack-en", "glibc-all")]),
        ("(config(x) and /usr/bin/y)", [("config(x)",), ("/usr/bin/y",)]),
        ("(fonts if desktop)", [("fonts",)]),
        ("(fonts if desktop else tty)", [("fonts", "tty")]),
        ("((a or b) and (c with d))", [("a", "b"), ("c",), ("d",)]),
        ("(", []),
        ("(or and if ((>= 3)", []),
    ],
)
def test_requirements_name_alternatives(text, requirements):
    assert list(read_requirement(text)) == requirements


@pytest.mark.parametrize("text", ["(" * 200_000, "(a" * 100_000, "( " + " " * 200_000, "(a(" * 70_000 + ")"])
def test_requirements_of_hostile_length_are_read_at_once(text):
    start = time.process_time()
    list(read_requirement(text))
    assert time.process_time() - start < 1


def test_the_content_of_a_database_is_not_kept_but_what_it_says():
    big = header(name="big", tags={1080: (STRING_ARRAY, ["changes " * 20_000])})
    found = layer(member("var/lib/rpm/Packages.db", ndb(SHELL, big)))
    kept = found.texts["var/lib/rpm/Packages.db"]
    assert [json.loads(line)["name"] for line in kept.splitlines()] == ["bash", "big"]
    assert len(kept) < 1000


def test_lines_beyond_what_there_is_room_for_are_left_out():
    content = ndb(*(header(name=f"p{number}" + "x" * 200) for number in range(10)))
    found = index(archive(member("var/lib/rpm/Packages.db", content)), limits=Limits(texts_bytes=1000))
    kept = found.texts["var/lib/rpm/Packages.db"]
    assert [json.loads(line)["name"][:2] for line in kept.splitlines()] == ["p0", "p1", "p2"]
    many = ndb(*(header(name=f"{number:03}" + "x" * 200_000) for number in range(100)))
    assert (15 << 20) < len(layer(member("var/lib/rpm/Packages.db", many)).texts["var/lib/rpm/Packages.db"]) <= 16 << 20


def test_databases_that_arrive_in_small_pieces_are_the_same():
    tar = archive(member("var/lib/rpm/Packages.db", ndb(SHELL)), member("etc/passwd", b"root"))
    found = index_layer(in_chunks(tar, 700), digest="", media_type="")
    assert found.texts == index(tar).texts
    assert b"bash" in found.texts["var/lib/rpm/Packages.db"]


def test_only_databases_in_their_place_and_of_a_bearable_size_are_read():
    assert extract_for("var/lib/rpm/rpmdb.sqlite", 150_000_000) is not None
    assert extract_for("var/lib/rpm/rpmdb.sqlite", 200_000_000) is None
    assert extract_for("home/var/lib/rpm/rpmdb.sqlite", 1000) is None
    assert extract_for("var/lib/rpm/Packages.lock", 1000) is None


def test_damage_costs_what_is_damaged_alone():
    content = bytearray(ndb(SHELL, header(name="lost"), header(name="kept")))
    second = content.index(b"BlbS", content.index(b"BlbS") + 1)
    content[second] = 0
    assert [fields["name"] for fields in map(json.loads, extract(content))] == ["bash", "kept"]


def test_values_that_point_outside_of_a_header_are_absent():
    blob = bytearray(header(name="a", tags={1118: (STRING_ARRAY, ["/x/"]), 1116: (INT32, [7])}))
    struct.pack_into(">I", blob, 8 + 16 * 3 + 8, 1 << 30)
    struct.pack_into(">I", blob, 8 + 16 * 4 + 12, 1 << 30)
    (fields,) = map(json.loads, extract(ndb(bytes(blob))))
    assert (fields["name"], fields["files"]) == ("a", {})


@rpm
@berkeley_db
def test_damaged_databases_of_every_format_are_read_to_an_end(database, tmp_path):
    blobs = list(read_blobs(database.read_bytes()))
    chance = random.Random(7)
    start = time.process_time()
    for healthy in (database.read_bytes(), berkeley(blobs, tmp_path), ndb(*blobs)):
        for _ in range(60):
            content = bytearray(healthy[: chance.choice((len(healthy), chance.randrange(len(healthy))))])
            for _ in range(chance.choice((0, 3, 300))):
                content[chance.randrange(len(content))] = chance.randrange(256)
            # The reading is bounded by the size, whatever points to what.
            assert sum(len(blob) for blob in read_blobs(content)) <= 3 * len(content)
            list(extract(content))
    assert time.process_time() - start < 30


@berkeley_db
def test_chains_that_run_in_circles_end(tmp_path):
    content = bytearray(berkeley([header(name="a", tags={1080: (STRING_ARRAY, ["x" * 50_000])})], tmp_path))
    for page in range(0, len(content), 4096):
        if content[page + 25] == 7:
            struct.pack_into("<I", content, page + 16, page // 4096)
    start = time.process_time()
    list(extract(content))
    assert time.process_time() - start < 1
