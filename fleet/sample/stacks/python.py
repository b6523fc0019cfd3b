"""``python:3.11`` as its makers build it, installed distributions, and pip's leftovers.

Layouts: https://packaging.python.org/en/latest/specifications/recording-installed-packages/ and PEP 3147.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from datetime import datetime

from fleet.sample.elf import LOADER, Program, elf_file
from fleet.sample.filler import Filler
from fleet.sample.plan import Plan
from fleet.sample.stacks.debian_base import buildpack, debian_image
from fleet.sample.stacks.distributions import Distribution, bumped, requirements
from fleet.sample.tar import File, symlink
from fleet.sample.trees import blob, seed_of, shares, text, tree

VERSION = "3.11.13"
MINOR = "3.11"
LIB = "usr/local/lib/python3.11"
SITE = f"{LIB}/site-packages"
ABI = "cpython-311-x86_64-linux-gnu"
TAG = "cpython-311"
MODULES = (
    "abc", "argparse", "ast", "base64", "bisect", "calendar", "codecs", "collections", "contextlib", "copy", "csv",
    "dataclasses", "datetime", "decimal", "dis", "enum", "fractions", "functools", "getpass", "gettext", "glob", "gzip",
    "hashlib", "heapq", "hmac", "inspect", "io", "ipaddress", "keyword", "linecache", "locale", "mimetypes", "numbers",
    "operator", "os", "pathlib", "pdb", "pickle", "platform", "posixpath", "pprint", "queue", "random", "runpy",
    "sched", "secrets", "selectors", "shlex", "shutil", "signal", "site", "socket", "ssl", "stat",
    "statistics", "string",
    "struct", "subprocess", "tarfile", "tempfile", "textwrap", "threading", "timeit", "token", "traceback", "types",
    "typing", "uuid", "warnings", "weakref", "zipfile",
)  # fmt: skip
# (package of the standard library, files, bytes)
STANDARD_PACKAGES = (
    ("asyncio", 34, 560_000), ("collections", 2, 52_000), ("concurrent/futures", 5, 62_000), ("ctypes", 10, 96_000),
    ("curses", 6, 9_000), ("dbm", 4, 12_000), ("distutils", 58, 640_000), ("email", 29, 390_000),
    ("encodings", 123, 1_560_000), ("ensurepip", 3, 8_000), ("html", 3, 94_000), ("http", 5, 212_000),
    ("idlelib", 60, 900_000), ("importlib", 15, 180_000), ("json", 6, 52_000), ("lib2to3", 70, 420_000),
    ("logging", 3, 190_000), ("multiprocessing", 40, 320_000), ("pydoc_data", 2, 720_000), ("re", 5, 92_000),
    ("sqlite3", 3, 6_000), ("tkinter", 14, 420_000), ("tomllib", 4, 26_000), ("turtledemo", 20, 90_000),
    ("unittest", 13, 330_000), ("urllib", 6, 180_000), ("wsgiref", 7, 46_000), ("xml", 22, 310_000),
    ("xmlrpc", 3, 88_000), ("zoneinfo", 4, 42_000),
)  # fmt: skip
EXTENSIONS = {
    "_asyncio": (), "_bisect": (), "_blake2": (), "_bz2": ("libbz2.so.1.0",), "_contextvars": (), "_csv": (),
    "_ctypes": ("libffi.so.8",), "_curses": ("libncursesw.so.6", "libtinfo.so.6"), "_datetime": (),
    "_decimal": ("libm.so.6",),
    "_elementtree": (), "_hashlib": ("libcrypto.so.3",), "_heapq": (), "_json": (), "_lzma": ("liblzma.so.5",),
    "_multiprocessing": (), "_pickle": (), "_posixsubprocess": (), "_queue": (), "_random": (), "_socket": (),
    "_sqlite3": ("libsqlite3.so.0",), "_ssl": ("libssl.so.3", "libcrypto.so.3"), "_struct": (),
    "_uuid": ("libuuid.so.1",),
    "_zoneinfo": (), "array": (), "binascii": ("libz.so.1",), "fcntl": (), "grp": (), "math": ("libm.so.6",),
    "mmap": (),
    "pyexpat": ("libm.so.6",), "readline": ("libreadline.so.8",), "select": (), "unicodedata": (),
    "zlib": ("libz.so.1",),
}  # fmt: skip


def python_image(moment: datetime, *, slim: bool) -> Plan:
    """``python:3.11`` (1 GB, on buildpack-deps) or ``python:3.11-slim`` (125 MB)."""
    if slim:
        plan = debian_image(moment, slim=True).env(PATH="/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin")
        plan = plan.apt("ca-certificates netbase tzdata")
        plan = plan.apt("libsqlite3-0 libssl3 openssl libreadline8 libncursesw6 libuuid1 libffi8")
    else:
        plan = buildpack(moment, "curl", "scm", "full").env(
            PATH="/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        )
        plan = plan.apt("tk8.6 libtk8.6")
    plan = plan.env(PYTHON_VERSION=VERSION)
    source = "https://www.python.org/ftp/python/${PYTHON_VERSION%%[a-z]*}/Python-$PYTHON_VERSION.tar.xz"
    command = f'set -eux; wget -O python.tar.xz "{source}"; make -j "$nproc"; make install'
    plan = plan.run(command, _interpreter, slim)
    return plan.run("set -eux; for src in idle3 pip3 pydoc3 python3 python3-config; do ln -svT ...; done", _links).cmd(
        "python3"
    )


def _interpreter(slim: bool) -> Iterator[File]:
    main = Program(LOADER, ("libpython3.11.so.1.0", "libc.so.6"), glibc=("GLIBC_2.2.5", "GLIBC_2.34"))
    yield File("usr/local/bin/python3.11", elf_file(main, 14_464), 0o755)
    library = Program(
        needed=("libm.so.6", "libc.so.6"), soname="libpython3.11.so.1.0", glibc=("GLIBC_2.2.5", "GLIBC_2.35")
    )
    yield File("usr/local/lib/libpython3.11.so.1.0", elf_file(library, 6_030_000), 0o755)
    yield symlink("usr/local/lib/libpython3.11.so", "libpython3.11.so.1.0")
    yield symlink("usr/local/bin/python3", "python3.11")
    yield symlink("usr/local/bin/idle3", "idle3.11")
    yield symlink("usr/local/bin/pydoc3", "pydoc3.11")
    for name in ("idle3.11", "pydoc3.11", "2to3-3.11"):
        yield entry_script(name, name.partition("3")[0] or "lib2to3")
    yield text("usr/local/bin/python3.11-config", "#!/bin/sh\nexit_with_usage ()\n", 0o755)
    yield from _standard_library(slim)
    yield from tree("usr/local/include/python3.11", 190, 1_450_000, suffix=".h")
    yield text("usr/local/lib/pkgconfig/python-3.11.pc", f"Name: Python\nVersion: {MINOR}\n")
    yield from distribution(
        Distribution("pip", "24.0", "pip", 300, 7_600, scripts=("pip", "pip3", "pip3.11")), compiled=False
    )
    yield from distribution(Distribution("setuptools", "65.5.1", "setuptools", 160, 2_600), compiled=False)
    yield from distribution(Distribution("wheel", "0.45.1", "wheel", 24, 210, scripts=("wheel",)), compiled=False)


def _standard_library(slim: bool) -> Iterator[File]:
    for name, size in zip(MODULES, shares(3_400_000, len(MODULES), 7), strict=True):
        yield blob(f"{LIB}/{name}.py", size, "text")
    for package, files, size in STANDARD_PACKAGES:
        yield blob(f"{LIB}/{package}/__init__.py", 1_200, "text")
        yield from tree(f"{LIB}/{package}", files - 1, size - 1_200, suffix=".py")
    yield blob(f"{LIB}/ensurepip/_bundled/pip-24.0-py3-none-any.whl", 2_110_226, head=b"PK\x03\x04")
    yield from tree(f"{LIB}/config-3.11-x86_64-linux-gnu", 6, 180_000)
    extensions = EXTENSIONS if slim else {**EXTENSIONS, "_tkinter": ("libtk8.6.so", "libtcl8.6.so")}
    for name, needed in extensions.items():
        yield extension(f"{LIB}/lib-dynload/{name}", 40 + seed_of(name) % 160, needed)


def _links() -> Iterator[File]:
    for name in ("idle", "pydoc", "python"):
        yield symlink(f"usr/local/bin/{name}", f"{name}3")
    yield symlink("usr/local/bin/python-config", "python3.11-config")


def extension(stem: str, kib: int, needed: Sequence[str]) -> File:
    """An extension module, named for its ABI."""
    program = Program(needed=(*needed, "libc.so.6"), glibc=("GLIBC_2.2.5", "GLIBC_2.14"))
    return File(f"{stem}.{ABI}.so", elf_file(program, kib * 1024, seed_of(stem) % 64), 0o755)


def entry_script(name: str, package: str) -> File:
    """A console script as pip writes it."""
    start = f"import sys\nfrom {package} import main\n"
    body = f"#!/usr/local/bin/python3.11\n{start}if __name__ == '__main__':\n    sys.exit(main())\n"
    return text(f"usr/local/bin/{name}", body, 0o755)


def distribution(one: Distribution, *, compiled: bool = True) -> Iterator[File]:
    """The files of one installed distribution with its dist-info; ``compiled`` adds bytecode, as pip does."""
    files = list(_contents(one, compiled))
    yield from files
    info = f"{SITE}/{one.name.replace('-', '_')}-{one.version}.dist-info"
    needs = "".join(f"Requires-Dist: {name}\n" for name in one.requires)
    yield text(
        f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {one.name}\nVersion: {one.version}\n{needs}\n{one.name}\n"
    )
    yield text(f"{info}/INSTALLER", "pip\n")
    yield text(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: bdist_wheel\nRoot-Is-Purelib: true\n")
    yield text(f"{info}/top_level.txt", f"{one.package}\n")
    if one.scripts:
        rows = "".join(f"{name} = {one.package}:main\n" for name in one.scripts)
        yield text(f"{info}/entry_points.txt", f"[console_scripts]\n{rows}")
    recorded = "".join(f"{_recorded(file.path)},sha256=,{file.size_bytes}\n" for file in files)
    own = ("METADATA", "INSTALLER", "WHEEL", "top_level.txt", "RECORD")
    recorded += "".join(f"{posixpath.basename(info)}/{name},,\n" for name in own)
    yield text(f"{info}/RECORD", recorded)


def _recorded(path: str) -> str:
    """A path as RECORD has it: relative to site-packages."""
    inside = path.removeprefix(f"{SITE}/")
    return inside if inside != path else f"../../../{path.removeprefix('usr/local/')}"


def _contents(one: Distribution, compiled: bool) -> Iterator[File]:
    root = f"{SITE}/{one.package}"
    if one.files == 1:
        yield from sources(SITE, [(f"{one.package}.py", one.kib * 1024)], compiled)
    else:
        code = (one.kib - one.tests) * 1024
        # Bytecode weighs about as much as the source, and pip's sizes count it.
        code = code * 53 // 100 if compiled else code
        names = [
            (file.path.removeprefix(f"{root}/"), file.size_bytes)
            for file in tree(root, one.files - 1, code, suffix=".py")
        ]
        yield from sources(root, [("__init__.py", 900), *names], compiled)
    if one.tests:
        yield from tree(f"{root}/tests/data", 24, one.tests * 300, suffix=".csv")
        count = max(8, one.files // 6)
        sizes = shares(one.tests * 724, count, seed_of(one.name))
        yield from (blob(f"{root}/tests/test_{i:03}.py", size, "text") for i, size in enumerate(sizes))
    for module, kib, needed in one.extensions:
        yield extension(f"{root}/{module}", kib, needed)
    for name, kib in one.bundled:
        program = Program(needed=("libm.so.6", "libc.so.6"), soname=name, glibc=("GLIBC_2.17",))
        yield File(f"{SITE}/{one.package}.libs/{name}", elf_file(program, kib * 1024, seed_of(name) % 64), 0o755)
    yield from (entry_script(name, one.package) for name in one.scripts)


def sources(root: str, names: Sequence[tuple[str, int]], compiled: bool) -> Iterator[File]:
    """(path, bytes) below ``root`` as sources, with the bytecode that an interpreter would leave beside them."""
    for path, size in names:
        yield blob(f"{root}/{path}", size, "text")
        if compiled:
            folder, name = posixpath.split(f"{root}/{path}")
            cached = f"{folder}/__pycache__/{name.removesuffix('.py')}.{TAG}.pyc"
            yield File(cached, Filler("machine", size * 9 // 10, seed_of(cached) % 64, b"\xa7\r\r\n"))


def pip_install(names: tuple[str, ...], revision: int, cache: bool) -> Iterator[File]:
    """What ``pip install`` adds. Each ``revision`` bumps patch versions; ``cache`` keeps what was downloaded."""
    for one in requirements(names):
        yield from distribution(bumped(one, revision))
        if cache:
            size = (one.kib + sum(kib for _, kib, _ in one.extensions) + sum(kib for _, kib in one.bundled)) * 1024 // 3
            key = f"{seed_of(one.name, revision):08x}"
            folder = f"root/.cache/pip/http-v2/{'/'.join(key[:5])}"
            yield blob(f"{folder}/{key}.body", size, head=b"PK\x03\x04")
            yield text(f"{folder}/{key}", '{"response": {"status": 200}}')
