"""Our reading of ELF files against pyelftools, on the programs of the machine."""

import itertools
import random
import struct
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from fleet.image.elf import HEAD_BYTES, MAGIC, needed_ranges, read_elf
from fleet.image.entries import ElfFacts
from tests.image.programs import read_needed


def programs() -> list[Path]:
    found = []
    for root in ("/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/sbin"):
        for path in sorted(Path(root).glob("*")):
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 20_000_000:
                with path.open("rb") as file:
                    if file.read(4) == MAGIC:
                        found.append(path)
    return random.Random(7).sample(found, min(60, len(found)))


PROGRAMS = programs()


def by_pyelftools(path: Path) -> ElfFacts:
    with path.open("rb") as file:
        elf = ELFFile(file)
        interpreter = next((s.get_interp_name() for s in elf.iter_segments("PT_INTERP")), "")
        dynamic = next((s for s in elf.iter_segments() if isinstance(s, DynamicSegment)), None)
        tags = list(dynamic.iter_tags()) if dynamic else []

        def values(tag: str, name: str) -> tuple[str, ...]:
            return tuple(getattr(t, name) for t in tags if t.entry.d_tag == tag)

        needed, runpath, rpath = (
            values("DT_NEEDED", "needed"),
            values("DT_RUNPATH", "runpath"),
            values("DT_RPATH", "rpath"),
        )
        return ElfFacts(
            machine={"EM_X86_64": "x86_64", "EM_386": "i386", "EM_AARCH64": "aarch64"}[elf["e_machine"]],
            interpreter=interpreter,
            needed=needed,
            soname=next(iter(values("DT_SONAME", "soname")), ""),
            search_paths=tuple(":".join(runpath or rpath).split(":")) if runpath or rpath else (),
            glibc=highest(elf, ".gnu.version_r"),
            static=not interpreter and not needed,
            stripped=elf.get_section_by_name(".symtab") is None,
            go_build_info=elf.get_section_by_name(".go.buildinfo") is not None,
            inherited_search=bool(rpath) and not runpath,
            provided_glibc=highest(elf, ".gnu.version_d"),
        )


def highest(elf: ELFFile, section: str) -> tuple[int, int] | None:
    table = elf.get_section_by_name(section)
    if table is None:
        return None
    names = []
    for _, auxiliary in table.iter_versions():
        all_names = [aux.name for aux in auxiliary]
        names += all_names if section.endswith("_r") else all_names[:1]
    numbers = [name[6:].split(".") for name in names if name.startswith("GLIBC_") and name[6].isdigit()]
    return max(((int(major), int(minor)) for major, minor, *_ in numbers), default=None)


@pytest.mark.parametrize("path", PROGRAMS, ids=str)
def test_the_facts_are_those_of_pyelftools_even_from_the_needed_parts_alone(path):
    content = path.read_bytes()
    facts = read_elf(content)
    assert facts == by_pyelftools(path)
    ranges = needed_ranges(content[:HEAD_BYTES], len(content))
    program = read_needed(content)
    assert program is not None
    assert program.facts == facts
    assert all(start < stop <= len(content) for start, stop in ranges)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ranges))


@pytest.mark.skipif(not PROGRAMS, reason="this machine has no ELF programs")
def test_most_of_a_large_program_is_not_kept():
    path = max(PROGRAMS, key=lambda path: path.stat().st_size)
    size = path.stat().st_size
    ranges = needed_ranges(path.read_bytes()[:HEAD_BYTES], size)
    assert sum(stop - start for start, stop in ranges) < size / 2


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/bin/sh\n" * 20, MAGIC + b"\x09" * 100])
def test_what_is_no_elf_file_has_no_facts(content):
    assert read_elf(content) is None
    assert needed_ranges(content, len(content)) == ()


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_no_reason_to_fail_or_to_grow(seed):
    chance = random.Random(seed)
    content = bytearray(Path("/bin/sh").resolve().read_bytes()[:200_000])
    for _ in range(chance.choice([1, 10, 1000])):
        at = chance.choice([chance.randrange(64), chance.randrange(1000), chance.randrange(len(content))])
        content[at] = chance.choice([0, 255, chance.randrange(256)])
    facts = read_elf(bytes(content[: chance.randrange(len(content))]))
    assert facts is None or len(facts.needed) <= 512
    assert all(stop <= 1 << 40 for _, stop in needed_ranges(bytes(content[:HEAD_BYTES]), 1 << 40))


def test_hostile_headers_do_not_make_us_keep_a_huge_file():
    header = bytearray(Path("/bin/sh").resolve().read_bytes()[:HEAD_BYTES])
    struct.pack_into("<H", header, 56, 60)
    for number in range(60):
        struct.pack_into("<IIQQQQQQ", header, 64 + 56 * number, 1, 6, number << 33, 0, 0, 1 << 33, 1 << 33, 0)
    kept = sum(stop - start for start, stop in needed_ranges(bytes(header), 1 << 50))
    assert kept <= 48 << 20


def test_big_endian_and_32_bit_headers_are_read():
    header = struct.pack(">4sBBB9xHHIIIIIHHHHHH", MAGIC, 1, 2, 1, 2, 20, 1, 0, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    segment = struct.pack(">IIIIIIII", 3, 84, 0, 0, 14, 14, 4, 1)
    facts = read_elf(header + segment + b"/lib/ld.so.1\0\0")
    assert facts is not None
    assert (facts.machine, facts.interpreter, facts.static) == ("ppc", "/lib/ld.so.1", False)
