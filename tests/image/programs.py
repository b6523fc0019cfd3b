"""Small ELF programs made for tests: by hand where every byte matters, by Go's own tools where they are the truth."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import NamedTuple

from fleet.image.elf import HEAD_BYTES, Program, needed_ranges, read_program
from fleet.image.limits import Budget

GO = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
BASE = 0x400000
LINE = ("example.com/line", "v1.0.0")

_ROW = struct.Struct("<IIQQQQIIQQ")


def read_needed(content: bytes) -> Program | None:
    """What a file says, from the parts alone that are read of it when it stands in a layer."""
    ranges = needed_ranges(content[:HEAD_BYTES], len(content))
    parts = [(start, content[start:stop]) for start, stop in ranges]
    return read_program(parts, len(content), Budget(1 << 30, 0))


class Part(NamedTuple):
    """A section with its content. ``flags``: 1 writable, 2 loaded, 4 code."""

    name: str
    content: bytes
    flags: int = 0


def elf_of(*parts: Part, tables_first: bool = True, fill: int = 40_000) -> bytes:
    """An executable of these sections, each with a segment of its own where it is loaded, ``fill`` bytes apart. Its
    table of sections stands before them, as Go's linker writes it, or behind."""
    loaded = [part for part in parts if part.flags & 2]
    names = b"\0" + b"".join(part.name.encode() + b"\0" for part in parts) + b".shstrtab\0"
    rows_bytes = _ROW.size * (len(parts) + 2)
    at = 64 + 56 * len(loaded) + (rows_bytes if tables_first else 0)
    body = bytearray()
    segments, rows = b"", bytes(_ROW.size)
    name = 1
    for part in (*parts, Part(".shstrtab", names)):
        body += bytes(fill + -(at + len(body) + fill) % 16)
        offset = at + len(body)
        address = BASE + offset if part.flags & 2 else 0
        size = len(part.content)
        kind = 3 if part.name == ".shstrtab" else 1
        rows += _ROW.pack(name, kind, part.flags, address, offset, size, 0, 0, 1, 0)
        name += len(part.name) + 1
        if part.flags & 2:
            access = 4 | 2 * (part.flags & 1) | (part.flags >> 2 & 1)
            segments += struct.pack("<IIQQQQQQ", 1, access, offset, address, address, size, size, 1)
        body += part.content
    rows_at = 64 + len(segments) if tables_first else at + len(body)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, BASE, 64, rows_at, 0, 64, 56, len(loaded),
        _ROW.size, len(parts) + 2, len(parts) + 1,
    )  # fmt: skip
    return header + segments + (rows + body if tables_first else body + rows)


def go_program(directory: Path, *flags: str, modules: dict[str, str], replaced: str = "", cgo: bool = False) -> Path:
    """A program that imports ``modules`` (versions by path) and has the directives ``replaced`` in its go.mod. It is
    built in ``directory`` without a network: a module proxy of files stands there, with one module more, LINE."""
    assert GO
    proxy, source = directory / "proxy", directory / "source"
    source.mkdir(parents=True)
    for path, version in (*modules.items(), LINE):
        _publish(proxy, path, version)
    imports = "".join(f'import _ "{path}"\n' for path in (*modules, *(["runtime/cgo"] if cgo else [])))
    requires = "".join(f"require {path} {version}\n" for path, version in modules.items())
    (source / "go.mod").write_text(f"module example.com/ship\n\ngo 1.21\n\n{requires}{replaced}")
    (source / "main.go").write_text(f"package main\n\n{imports}\nfunc main() {{}}\n")
    environment = {
        "HOME": str(Path.home()),
        "PATH": "/usr/bin:/bin",
        "GOPROXY": f"file://{proxy}",
        "GOMODCACHE": str(directory / "cache"),
        "GONOSUMDB": "*",
        "GOFLAGS": "-mod=mod -modcacherw -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": str(int(cgo)),
    }
    subprocess.run([GO, "build", *flags, "-o", "../ship", "."], cwd=source, env=environment, check=True)
    return directory / "ship"


def _publish(proxy: Path, path: str, version: str) -> None:
    directory = proxy / path / "@v"
    directory.mkdir(parents=True, exist_ok=True)
    manifest = f"module {path}\n"
    (directory / f"{version}.info").write_text(f'{{"Version": "{version}"}}')
    (directory / f"{version}.mod").write_text(manifest)
    with zipfile.ZipFile(directory / f"{version}.zip", "w") as archive:
        archive.writestr(f"{path}@{version}/go.mod", manifest)
        archive.writestr(f"{path}@{version}/library.go", f"package {path.rpartition('/')[2]}\n")
