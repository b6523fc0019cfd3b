"""The crates that ``cargo auditable`` notes in a program, put there by binutils."""

from __future__ import annotations

import json
import random
import subprocess
import zlib
from pathlib import Path

import pytest

from fleet.image.elf import Program
from fleet.image.entries import Component
from fleet.image.limits import Limits
from tests.image.archives import archive, index, layer, member
from tests.image.programs import Part, elf_of, read_needed

CRATES = [
    {"name": "adler", "version": "0.2.3", "source": "registry"},
    {"name": "cc", "version": "1.0.90", "source": "crates.io", "kind": "build"},
    {"name": "ship", "version": "0.1.0", "source": "local", "dependencies": [0, 1], "root": True},
    {"name": "miniz_oxide", "version": "0.4.3", "source": "git", "kind": "runtime", "dependencies": [0]},
]
COMPONENTS = (
    Component("cargo", "ship", "0.1.0"),
    Component("cargo", "adler", "0.2.3"),
    Component("cargo", "miniz_oxide", "0.4.3"),
)
AUDIT = zlib.compress(json.dumps({"packages": CRATES}).encode())


def read(content: bytes) -> Program:
    program = read_needed(content)
    assert program is not None
    return program


def holding(section: bytes) -> bytes:
    return elf_of(Part(".dep-v0", section), tables_first=False)


def compile_and_run(directory: Path, *options: str) -> Path:
    functions = "".join(f"int function_{n}(int x) {{ return x * {n}; }}\n" for n in range(3000))
    (directory / "ship.c").write_text(f"{functions}int main(void) {{ return 0; }}\n")
    subprocess.run(["gcc", "-O0", *options, "-o", "ship", "ship.c"], cwd=directory, check=True)
    return directory / "ship"


@pytest.mark.parametrize("options", [(), ("-g3",), ("-s",)], ids=" ".join)
def test_crates_are_read_from_a_section_added_behind_all_others(tmp_path, options):
    program = compile_and_run(tmp_path, *options)
    (tmp_path / "audit").write_bytes(AUDIT)
    subprocess.run(["objcopy", "--add-section", ".dep-v0=audit", "ship"], cwd=tmp_path, check=True)
    assert read(program.read_bytes()).components == COMPONENTS


def test_crates_are_read_from_where_the_linker_puts_them(tmp_path):
    (tmp_path / "audit").write_bytes(AUDIT)
    (tmp_path / "audit.s").write_text('.section .dep-v0,"",@progbits\n.incbin "audit"\n.section .note.GNU-stack,""\n')
    program = compile_and_run(tmp_path, "-g3", "audit.s")
    found = layer(member("usr/bin/ship", program.read_bytes(), mode=0o755), member("usr/bin/text", AUDIT))
    assert found.components == {"usr/bin/ship": COMPONENTS}
    assert found.elf["usr/bin/ship"].debug_bytes > 50_000


def test_crates_are_read_from_between_much_debugging_and_many_symbols():
    parts = [Part(".text", bytes(100), 6), Part(".debug_info", bytes(9_000_000)), Part(".dep-v0", AUDIT)]
    content = elf_of(*parts, Part(".strtab", bytes(3_000_000)), tables_first=False)
    assert read(content).components == COMPONENTS


@pytest.mark.parametrize(
    "section",
    [
        b"",
        b"no zlib",
        AUDIT[:-20],
        zlib.compress(b"no JSON"),
        zlib.compress(b"[" * 200_000),
        zlib.compress(b"[]"),
        zlib.compress(b'{"packages": 5}'),
        zlib.compress(b'{"packages": [5, {}, {"name": 5, "version": "1"}, {"name": "x", "version": null}]}'),
    ],
)
def test_damaged_notes_name_nothing(section):
    assert read(holding(section)).components == ()


def test_of_odd_notes_what_is_a_crate_is_read():
    crates = [5, {"name": "x"}, CRATES[0], {"name": "later", "version": "1", "kind": "of-the-future"}, CRATES[2]]
    found = read(holding(zlib.compress(json.dumps({"format": 9, "packages": crates}).encode()))).components
    assert [each.name for each in found] == ["ship", "adler"]


def test_notes_that_inflate_without_end_are_left_alone():
    packages = ",".join(['{"name": "x", "version": "1"}'] * 400_000)
    assert read(holding(zlib.compress(f'{{"packages": [{packages}]}}'.encode()))).components == ()


def test_notes_of_all_programs_of_a_layer_are_bounded_together():
    tar = archive(*(member(f"bin/{number}", holding(AUDIT)) for number in range(5)))
    assert list(index(tar, limits=Limits(inner_bytes=700)).components) == ["bin/0", "bin/1"]


def test_the_number_of_crates_is_bounded():
    crates = [{"name": f"crate-{number}", "version": "1"} for number in range(20_000)]
    assert len(read(holding(zlib.compress(json.dumps({"packages": crates}).encode()))).components) == 10_000


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_is_no_reason_to_fail(seed):
    chance = random.Random(seed)
    content = bytearray(holding(AUDIT))
    places = [at for at, byte in enumerate(content) if byte]
    for _ in range(chance.choice([1, 5, 50])):
        content[chance.choice(places)] = chance.randrange(256)
    program = read_needed(bytes(content))
    assert program is None or len(program.components) <= 3
