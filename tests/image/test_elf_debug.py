"""What strip(1) would take from a program, against strip itself."""

from __future__ import annotations

import random
import subprocess
import zlib
from pathlib import Path

import pytest

from fleet.image.elf import read_elf
from fleet.image.elf_sections import Section, debug_ranges
from fleet.image.elf_tables import read_shape
from tests.image.archives import entry, layer, member
from tests.image.programs import read_needed

SOURCE = "#include <stdio.h>\n" + "".join(
    f"struct pair{n} {{ int left; char *right; }};\n"
    f"int function_{n}(struct pair{n} *pair) {{ return printf(pair->right, pair->left + {n}); }}\n"
    for n in range(200)
)
BUILDS = [
    ("-g",),
    ("-g3", "-gz=zlib"),
    ("-g", "-shared", "-fPIC"),
    ("-g", "-static"),
    ("-O2",),
    ("-g", "-Wl,--build-id=none", "-no-pie"),
]


def build(directory: Path, *options: str) -> Path:
    source, program = directory / "program.c", directory / "program"
    main = "" if "-shared" in options or "-c" in options else "int main(void) { return 0; }\n"
    source.write_text(SOURCE + main)
    subprocess.run(["gcc", "-w", *options, "-o", program, source], check=True)
    return program


def stripped(program: Path) -> Path:
    bare = program.with_suffix(".stripped")
    subprocess.run(["strip", "-o", bare, program], check=True)
    return bare


@pytest.mark.parametrize("options", BUILDS, ids=" ".join)
def test_debug_bytes_are_what_strip_takes(tmp_path, options):
    program = build(tmp_path, *options)
    bare = stripped(program)
    facts = read_elf(program.read_bytes())
    assert facts is not None
    taken = program.stat().st_size - bare.stat().st_size
    # Beside them go the rows and names of the sections.
    assert 0 <= taken - facts.debug_bytes < 2000
    assert facts.debug_bytes > 5000


def test_nothing_is_left_to_strip_from_what_was_stripped(tmp_path):
    facts = read_elf(stripped(build(tmp_path, "-g")).read_bytes())
    assert facts is not None
    assert (facts.stripped, facts.debug_bytes) == (True, 0)


def test_objects_for_a_linker_and_kernel_modules_keep_their_symbols(tmp_path):
    facts = read_elf(build(tmp_path, "-g", "-c").read_bytes())
    assert facts is not None
    assert (facts.stripped, facts.debug_bytes) == (False, 0)


def test_the_share_of_the_blob_is_that_of_the_sections_alone(tmp_path):
    """Around them stand bytes that do not compress, so that a ratio for the whole file would be far off."""
    program = build(tmp_path, "-g3").read_bytes()
    noise = random.Random(3).randbytes(400_000)
    found = layer(member("noise", noise), member("bin/a", program), member("rest", noise), member("bin/b", program))
    read = read_needed(program)
    assert read is not None
    alone = len(zlib.compress(b"".join(program[start:stop] for start, stop in read.debug), 9))
    for path in ("bin/a", "bin/b"):
        share = found.elf[path].debug_compressed_bytes
        assert share == pytest.approx(alone, rel=0.1)
        assert share < entry(found, path).compressed_bytes


def test_of_a_program_that_a_layer_holds_twice_the_last_share_counts(tmp_path):
    program = build(tmp_path, "-g3")
    bare = stripped(program).read_bytes()
    # Between them stands what keeps their steps apart: an edge is known to within one.
    noise = random.Random(3).randbytes(100_000)
    other = (member("noise", noise), member("bin/b", program.read_bytes()), member("rest", noise))
    found = layer(member("bin/a", program.read_bytes()), *other, member("bin/a", bare))
    assert (found.elf["bin/a"].debug_bytes, found.elf["bin/a"].debug_compressed_bytes) == (0, 0)
    again = layer(member("bin/a", program.read_bytes()), *other, member("bin/a", program.read_bytes()))
    assert again.elf["bin/a"].debug_compressed_bytes > 0
    expected = found.elf["bin/b"].debug_compressed_bytes
    assert again.elf["bin/b"].debug_compressed_bytes == pytest.approx(expected, rel=0.05)


def test_sections_that_lie_about_their_place_never_weigh_more_than_the_file():
    shape = read_shape(Path("/bin/sh").resolve().read_bytes()[:64])
    assert shape is not None
    sections = [Section(b".debug_info", 1, 0, 0, 100 * n, 1 << 40, 0) for n in range(4000)]
    sections += [Section(b".debug_str", 1, 0, 0, 1 << 50, 10, 0), Section(b".debug_empty", 8, 0, 0, 0, 1000, 0)]
    assert debug_ranges(shape, sections, 5000) == ((0, 5000),)


def test_scattered_sections_are_kept_in_few_ranges():
    shape = read_shape(Path("/bin/sh").resolve().read_bytes()[:64])
    assert shape is not None
    sections = [Section(b".zdebug_info", 1, 0, 0, 100 * n, 10, 0) for n in range(4000)]
    assert len(debug_ranges(shape, sections, 1 << 20)) == 8


def test_sections_that_are_loaded_stay():
    shape = read_shape(Path("/bin/sh").resolve().read_bytes()[:64])
    assert shape is not None
    loaded = [Section(b".debug_gdb_scripts", 1, 2, 0, 100, 10, 0), Section(b".comment", 1, 0, 0, 200, 10, 0)]
    assert debug_ranges(shape, loaded, 1000) == ()
