"""RPM databases for the tests: made by RPM and Berkeley DB themselves where these are installed, else byte by byte."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

STRING, INT32, STRING_ARRAY = 6, 4, 8
MANY_FILES = 3000
SUBPACKAGES = 24

_SPEC = """Name: shell
Version: 5.1
Release: 2.el9
Epoch: 0
Summary: s
License: MIT
BuildArch: noarch
Provides: shell-interpreter = 2
Provides: /bin/sh
Requires: libthing >= 3
Requires: (alpha or beta)
Requires(post): /usr/bin/part3
%description
d
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/opt/many
touch %{buildroot}/usr/bin/shell
cd %{buildroot}/opt/many && seq -f 'file%%g' MANY | xargs touch
%files
/usr/bin/shell
"""
_PART = """%package -n partN
Summary: s
%description -n partN
d
%files -n partN
"""


def header(
    *, name: str = "", version: str = "1", release: str = "1", tags: dict[int, tuple[int, list]] | None = None
) -> bytes:
    """A header with the tags that every package has, and further ones as (type, values)."""
    texts = {1000: name, 1001: version, 1002: release}
    every = {tag: (STRING, [text]) for tag, text in texts.items() if text} | (tags or {})
    index, data = b"", b""
    for tag, (kind, values) in every.items():
        data += bytes(-len(data) % 4)
        index += struct.pack(">4I", tag, kind, len(data), len(values))
        for value in values:
            data += struct.pack(">I", value) if kind == INT32 else value.encode() + b"\0"
    return struct.pack(">II", len(every), len(data)) + index + data


def ndb(*blobs: bytes) -> bytes:
    """A database of one page of slots, two of them used before and free now."""
    slots, body = b"Slot" + bytes(12), b""
    for number, blob in enumerate(blobs, 1):
        block = (4096 + len(body)) // 16
        slots += struct.pack("<4sIII", b"Slot", number, block, (len(blob) + 43) // 16)
        stored = struct.pack("<4sIII", b"BlbS", number, 0, len(blob)) + blob + struct.pack("<II4s", 0, 0, b"BlbE")
        body += stored + bytes(-len(stored) % 16)
    slots += (b"Slot" + bytes(12)) * (254 - len(slots) // 16)
    return struct.pack("<4s4I12x", b"RpmP", 0, 1, 1, len(blobs) + 1) + slots + body


def berkeley(blobs: list[bytes], directory: Path, order: int = 1234) -> bytes:
    """A hash of Berkeley DB as RPM fills it: numbers as keys, and under 0 the highest number."""
    rows = [struct.pack("<I", len(blobs)), *blobs]
    lines = [f" {number.to_bytes(4, 'little').hex()}\n {row.hex()}\n" for number, row in enumerate(rows)]
    head = f"VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=4096\ndb_lorder={order}\nHEADER=END\n"
    path = directory / "Packages"
    path.unlink(missing_ok=True)
    dump = head + "".join(lines) + "DATA=END\n"
    subprocess.run(["db_load", str(path)], input=dump, text=True, check=True)
    return path.read_bytes()


def installed_by_rpm(directory: Path) -> Path:
    """Build packages and note them as installed: one with an epoch of 0 and a rich dependency, one of many files, and
    more than fit on one page. The path of the database."""
    spec, packages, database = directory / "shell.spec", directory / "RPMS/noarch", directory / "database"
    parts = [_PART.replace("N", str(number)) for number in range(SUBPACKAGES)]
    spec.write_text(_SPEC.replace("MANY", str(MANY_FILES)) + "".join(parts) + "/opt/many\n")
    place = ["--dbpath", str(database), "--define", "_db_backend sqlite"]
    _run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {directory}", *place, str(spec))
    _run("rpm", *place, "-i", "--nodeps", "--justdb", *map(str, packages.glob("*.rpm")))
    return database / "rpmdb.sqlite"


def as_rpm_says(directory: Path, backend: str = "sqlite") -> set[tuple[str, ...]]:
    """What RPM reads from a database: name, version, then files, requirements and what is provided, each joined."""
    form = (
        "%{NAME}|%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}|[%{FILENAMES}\\t]|[%{REQUIRENAME}\\t]|[%{PROVIDENAME}\\t]\\n"
    )
    place = ["--dbpath", str(directory), "--define", f"_db_backend {backend}"]
    lines = _run("rpm", *place, "-qa", "--qf", form).splitlines()
    return {_compared(*line.split("|")) for line in lines}


def _compared(name: str, version: str, *lists: str) -> tuple[str, ...]:
    return name, version, *("\t".join(sorted(set(words.strip().split("\t")))) for words in lists)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
