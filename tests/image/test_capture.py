from pathlib import Path

import pytest

from fleet.image.capture import wanted_text
from fleet.image.elf import read_elf
from fleet.image.layer import index_layer
from fleet.image.limits import Limits
from tests.image.archives import archive, in_chunks, index, layer, member, pax

SITE = "usr/lib/python3/dist-packages"


@pytest.mark.parametrize(
    "path",
    [
        "var/lib/dpkg/status",
        "var/lib/dpkg/status.d/tzdata",
        "var/lib/dpkg/status.d/tzdata.md5sums",
        "var/lib/dpkg/info/libc6:amd64.list",
        "lib/apk/db/installed",
        "usr/lib/apk/db/installed",
        "var/lib/apt/extended_states",
        "etc/apk/world",
        "var/lib/rpmmanifest/container-manifest-2",
        "etc/os-release",
        "usr/lib/os-release",
        "etc/passwd",
        "etc/group",
        "etc/ld.so.conf",
        "etc/ld.so.conf.d/x86_64-linux-gnu.conf",
        "etc/ld-musl-x86_64.path",
        f"{SITE}/django-5.2.dist-info/METADATA",
        f"{SITE}/django-5.2.dist-info/RECORD",
        f"{SITE}/django-5.2.dist-info/entry_points.txt",
        f"{SITE}/django-5.2.dist-info/direct_url.json",
        f"{SITE}/django-5.2.dist-info/WHEEL",
        f"{SITE}/django-5.2.dist-info/top_level.txt",
        f"{SITE}/six-1.16.egg-info/PKG-INFO",
        f"{SITE}/six-1.16.egg-info",
        f"{SITE}/distutils-precedence.pth",
        "opt/venv/pyvenv.cfg",
        "app/requirements.txt",
        "app/requirements-dev.txt",
        "app/pyproject.toml",
        "app/Pipfile",
        "app/poetry.lock",
        "app/uv.lock",
        "app/manage.py",
        "app/package.json",
        "app/node_modules/left-pad/package.json",
        "app/package-lock.json",
        "app/node_modules/.package-lock.json",
        "app/vendor/composer/installed.json",
        "app/shop.deps.json",
        f"{SITE}/six-1.16.egg/EGG-INFO/PKG-INFO",
        f"{SITE}/six-1.16.egg-info/installed-files.txt",
        "app/go.mod",
        "app/Gemfile.lock",
        "usr/lib/ruby/gems/3.1.0/specifications/rack-3.0.gemspec",
        "Cargo.toml",
    ],
)
def test_what_rules_read_is_kept(path):
    assert wanted_text(path, 1000)


@pytest.mark.parametrize(
    "path",
    [
        "app/README.md",
        "etc/shadow",
        "app/.env",
        "root/.ssh/id_rsa",
        "var/lib/dpkg/info/libc6.md5sums",
        "var/lib/dpkg/status-old",
        "copy/of/var/lib/dpkg/status",
        "usr/share/doc/METADATA",
        "app/notes.txt",
        "app/installed.json",
        "app/deps.json",
        "app/PKG-INFO",
        "app/x.pth",
        "etc/passwd-",
    ],
)
def test_everything_else_is_not(path):
    assert not wanted_text(path, 1000)


@pytest.mark.parametrize(
    ("path", "limit"), [("a/package.json", 64 << 10), ("x.dist-info/RECORD", 2 << 20), ("a/package-lock.json", 8 << 20)]
)
def test_texts_beyond_their_size_are_not_kept(path, limit):
    assert (wanted_text(path, limit), wanted_text(path, limit + 1)) == (True, False)


def test_texts_shebangs_and_programs_of_a_layer_are_kept():
    program = Path("/bin/sh").resolve().read_bytes()
    found = layer(
        member("bin/sh", program, mode=0o755),
        member("bin/script", b"#!/usr/bin/env python3 -u\r\nprint()", mode=0o755),
        member("bin/no-line-end", b"#!" + b"x" * 5000, mode=0o755),
        member("lib/not-executable", b"#!/bin/sh\n"),
        member("app/manage.py", b"#!/usr/bin/python\n", mode=0o755),
        member("etc/passwd", b"root:x:0:0\n"),
        member("empty", b"", mode=0o755),
    )
    assert found.elf == {"bin/sh": read_elf(program)}
    assert found.shebangs == {
        "bin/script": "#!/usr/bin/env python3 -u",
        "bin/no-line-end": "#!" + "x" * 254,
        "app/manage.py": "#!/usr/bin/python",
    }
    assert found.texts == {"app/manage.py": b"#!/usr/bin/python\n", "etc/passwd": b"root:x:0:0\n"}


@pytest.mark.parametrize("chunk_bytes", [1, 511, 4096])
def test_contents_that_arrive_in_small_pieces_are_the_same(chunk_bytes):
    program = Path("/bin/sh").resolve().read_bytes()
    tar = archive(
        member("sh", program, mode=0o755), member("etc/passwd", b"root\n" * 100), member("s", b"#!a\nb", mode=0o700)
    )
    found = index_layer(in_chunks(tar, chunk_bytes), digest="", media_type="")
    assert (found.elf["sh"], found.texts["etc/passwd"], found.shebangs["s"]) == (
        read_elf(program),
        b"root\n" * 100,
        "#!a",
    )


def test_of_a_path_that_a_layer_holds_twice_the_last_content_is_kept():
    found = layer(
        member("etc/passwd", b"old"),
        member("manage.py", b"#!/old\n", mode=0o755),
        member("etc/passwd", b"new"),
        member("manage.py", b"no script"),
    )
    assert (found.texts, found.shebangs) == ({"etc/passwd": b"new", "manage.py": b"no script"}, {})


def test_texts_of_a_layer_are_bounded():
    members = [member(f"{n}/package.json", b"x" * 1000) for n in range(10)]
    found = index(archive(*members), limits=Limits(texts_bytes=3500))
    assert list(found.texts) == ["0/package.json", "1/package.json", "2/package.json"]


def test_sparse_texts_are_not_taken_for_their_stored_bytes():
    record = pax({b"GNU.sparse.name": b"etc/passwd", b"GNU.sparse.realsize": b"9"})
    assert index(record + archive(member("etc/passwd", b"1\n0\n3\nabc"))).texts == {}
