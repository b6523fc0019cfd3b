"""The modules of Go programs, against ``go version -m`` where Go is there, and from bytes made by hand everywhere."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import pytest

from fleet.image.elf import HEAD_BYTES, Program, needed_ranges, read_elf
from fleet.image.elf_sections import read_sections
from fleet.image.elf_tables import Content, read_shape
from fleet.image.entries import Component
from fleet.image.limits import Limits
from tests.image.archives import archive, index, layer, member
from tests.image.programs import GO, Part, elf_of, go_program, read_needed

MODULES = {"example.com/rope": "v1.2.3", "example.com/knots/v2": "v2.0.1", "example.com/sail": "v0.0.9"}
FRAME = bytes(range(16))
LIST = (
    b"path\texample.com/ship/cmd\nmod\texample.com/ship\t(devel)\t\n"
    b"dep\texample.com/rope\tv1.2.3\th1:x=\ndep\texample.com/sail\tv0.0.9\n=>\texample.com/fork\tv1.0.0\th1:y=\n"
    b"dep\texample.com/hull\tv0.1.0\n=>\t../hull\t(devel)\t\nbuild\tCGO_ENABLED=0\n"
)
COMPONENTS = (
    Component("go", "example.com/ship", "(devel)"),
    Component("go", "example.com/rope", "v1.2.3"),
    Component("go", "example.com/fork", "v1.0.0"),
    Component("go", "example.com/hull", "(devel)"),
    Component("go", "stdlib", "go1.17.3"),
)


def read(content: bytes) -> Program:
    program = read_needed(content)
    assert program is not None
    return program


def counted(text: bytes) -> bytes:
    size = len(text)
    return bytes((size & 0x7F | 0x80, size >> 7)) + text


def in_place(version: bytes = b"go1.17.3", modules: bytes = LIST) -> bytes:
    info = b"\xff Go buildinf:\x08\x02" + bytes(16) + counted(version) + counted(FRAME + modules + FRAME)
    return info + bytes(500)


def with_pointers(order: str = "<", word: str = "Q") -> bytes:
    """As Go before 1.18 linked: the section holds the addresses of strings in the data, whose bytes are constants."""
    version, modules = b"go1.17.3", FRAME + LIST + FRAME

    def laid_out(header: bytes, strings: bytes) -> bytes:
        constants = Part(".rodata", version + modules, 2)
        return elf_of(constants, Part(".go.buildinfo", header.ljust(32, b"\0"), 3), Part(".data", strings, 3))

    pair = struct.Struct(f"{order}2{word}")
    at = addresses(laid_out(b"", bytes(2 * pair.size)))
    strings = pair.pack(at[b".rodata"], len(version)) + pair.pack(at[b".rodata"] + len(version), len(modules))
    flags = bytes((pair.size // 2, int(order == ">")))
    return laid_out(b"\xff Go buildinf:" + flags + pair.pack(at[b".data"], at[b".data"] + pair.size), strings)


def addresses(program: bytes) -> dict[bytes, int]:
    shape = read_shape(program)
    assert shape is not None
    return {section.name: section.address for section in read_sections(shape, Content([(0, program)]))}


@pytest.mark.parametrize("tables_first", [True, False])
@pytest.mark.parametrize("name", [".go.buildinfo", ".data"])
def test_modules_in_place_are_read_wherever_the_linker_put_its_tables(name, tables_first):
    constants = Part(".rodata", bytes(100), 2)
    program = read(elf_of(constants, Part(name, in_place(), 3), tables_first=tables_first))
    assert program.components == COMPONENTS
    assert program.facts.go_build_info is (name == ".go.buildinfo")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("word", "IQ")
def test_modules_that_older_linkers_point_to_are_read(order, word):
    assert read(with_pointers(order, word)).components == COMPONENTS


def test_constants_of_a_program_are_kept_for_old_linkers_alone():
    constants = Part(".rodata", bytes(200_000), 2)

    def kept(info: Part) -> int:
        content = elf_of(constants, info)
        return sum(stop - start for start, stop in needed_ranges(content[:HEAD_BYTES], len(content)))

    old, new = kept(Part(".go.buildinfo", bytes(32), 3)), kept(Part(".go.buildinfo", in_place(), 3))
    assert old - new > -2000
    assert old >= 200_000


def test_a_program_of_go_without_modules_names_its_library_alone():
    content = elf_of(Part(".go.buildinfo", in_place(b"go1.22.0 X:boringcrypto", b""), 3))
    assert read(content).components == (Component("go", "stdlib", "go1.22.0"),)


@pytest.mark.parametrize(
    "info",
    [
        b"\xff Go buildinf:",
        b"\xff Go buildinf:\x08\x02" + bytes(16) + b"\xff" * 12,
        b"\xff Go buildinf:\x08\x02" + bytes(16) + b"\xff\xff\xff\x7f",
        b"\xff Go buildinf:\x03\x00" + bytes(16),
        b"\xff Go buildinf:\x08\x00" + b"\xff" * 16,
        b"something else" + bytes(40),
    ],
)
def test_damaged_information_names_nothing(info):
    assert read(elf_of(Part(".go.buildinfo", info, 3))).components == ()


@pytest.mark.parametrize("seed", range(60))
def test_damage_anywhere_is_no_reason_to_fail(seed):
    chance = random.Random(seed)
    content = bytearray(chance.choice([with_pointers(), elf_of(Part(".go.buildinfo", in_place(), 3))]))
    places = [at for at, byte in enumerate(content) if byte]
    for _ in range(chance.choice([1, 5, 50])):
        content[chance.choice(places)] = chance.randrange(256)
    cut = bytes(content[: chance.randrange(64, len(content))])
    for damaged in (bytes(content), cut):
        program = read_needed(damaged)
        assert program is None or len(program.components) < 10


def test_components_of_a_layer_are_kept_by_path_and_bounded_together():
    program = elf_of(Part(".go.buildinfo", in_place(), 3))
    found = layer(member("bin/a", program), member("bin/b", b"text"), member("bin/c", program), member("bin/c", b"new"))
    assert found.components == {"bin/a": COMPONENTS}
    bounded = index(archive(member("bin/a", program), member("bin/b", program)), limits=Limits(components_bytes=900))
    assert list(bounded.components) == ["bin/a"]
    assert list(bounded.elf) == ["bin/a", "bin/b"]


REPLACED = "replace example.com/sail => ../sail\nreplace example.com/rope => example.com/line v1.0.0\n"
BUILDS = [((), ""), (("-ldflags=-s -w",), ""), (("-buildmode=pie",), ""), ((), REPLACED)] if GO else []


@pytest.mark.parametrize(("flags", "replaced"), BUILDS)
def test_go_itself_names_the_same_modules(tmp_path, flags, replaced):
    (tmp_path / "sail").mkdir()
    (tmp_path / "sail" / "go.mod").write_text("module example.com/sail\n")
    (tmp_path / "sail" / "library.go").write_text("package sail\n")
    path = go_program(tmp_path, *flags, modules=MODULES, replaced=replaced)
    program = read(path.read_bytes())
    assert program.components == by_go(path)
    rope = "example.com/line" if replaced else "example.com/rope"
    names = {each.name for each in program.components}
    assert names == {"example.com/ship", rope, "example.com/knots/v2", "example.com/sail", "stdlib"}
    assert program.facts == read_elf(path.read_bytes())


@pytest.mark.parametrize("linker", ["internal", "external"] if GO else [])
def test_programs_that_link_c_keep_their_libraries_and_modules(tmp_path, linker):
    path = go_program(tmp_path, f"-ldflags=-linkmode={linker}", modules=MODULES, cgo=True)
    program = read(path.read_bytes())
    assert program.components == by_go(path)
    assert program.facts == read_elf(path.read_bytes())
    assert "libc.so.6" in program.facts.needed
    assert program.facts.glibc is not None


@pytest.mark.parametrize("content", [with_pointers(), with_pointers(">")] if GO else [])
def test_go_reads_what_we_made_by_hand_as_we_do(tmp_path, content):
    path = tmp_path / "old"
    path.write_bytes(content)
    path.chmod(0o755)
    assert read(content).components == by_go(path)


def by_go(path: Path) -> tuple[Component, ...]:
    assert GO
    printed = subprocess.run([GO, "version", "-m", path], capture_output=True, text=True, check=True).stdout
    first, *lines = printed.splitlines()
    found: list[tuple[str, str]] = []
    for _, kind, *fields in (line.split("\t") for line in lines):
        if kind == "=>":
            name = found[-1][0] if fields[0].startswith(".") else fields[0]
            found[-1] = name, fields[1]
        elif kind in ("mod", "dep"):
            found.append((fields[0], fields[1]))
    found.append(("stdlib", first.rpartition(": ")[2]))
    return tuple(Component("go", name, version) for name, version in found)
