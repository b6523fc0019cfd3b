import io

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from fleet.image.elf import read_elf
from fleet.sample.elf import LOADER, Program, elf_file
from fleet.sample.filler import pieces_of


def content(program: Program, size_bytes: int = 50_000) -> bytes:
    return b"".join(bytes(piece) for piece in pieces_of(elf_file(program, size_bytes)))


def test_a_file_has_exactly_the_size_that_was_asked_for():
    assert len(content(Program(needed=("libc.so.6",), soname="liba.so.1"), 123_457)) == 123_457


def test_our_reader_finds_what_the_loader_would_ask_for():
    program = Program(
        LOADER, ("libpq.so.5", "libc.so.6"), runpath="$ORIGIN/../lib", glibc=("GLIBC_2.2.5", "GLIBC_2.34")
    )
    facts = read_elf(content(program))
    assert facts is not None
    assert facts.interpreter == LOADER
    assert facts.needed == ("libpq.so.5", "libc.so.6")
    assert facts.search_paths == ("$ORIGIN/../lib",)
    assert facts.glibc == (2, 34)
    assert not facts.static
    assert facts.stripped


def test_pyelftools_agrees_on_names_and_versions():
    program = Program(needed=("libc.so.6",), soname="libx.so.1", glibc=("GLIBC_2.14",), defines=("libx.so.1", "X_1.0"))
    file = ELFFile(io.BytesIO(content(program)))
    dynamic = next(section for section in file.iter_sections() if isinstance(section, DynamicSection))
    tags = {tag.entry.d_tag: tag for tag in dynamic.iter_tags()}
    assert tags["DT_SONAME"].soname == "libx.so.1"
    needed = file.get_section_by_name(".gnu.version_r")
    assert [name.name for _, names in needed.iter_versions() for name in names] == ["GLIBC_2.14"]
    defined = file.get_section_by_name(".gnu.version_d")
    assert [name.name for _, names in defined.iter_versions() for name in names] == ["libx.so.1", "X_1.0"]


@pytest.mark.parametrize(("stripped", "go"), [(True, ""), (False, ""), (True, "go1.23.4")])
def test_symbols_and_build_information_are_seen(stripped, go):
    facts = read_elf(content(Program(stripped=stripped, go_version=go, go_module="example.com/x")))
    assert facts is not None
    assert facts.static
    assert facts.stripped is stripped
    assert facts.go_build_info is bool(go)
