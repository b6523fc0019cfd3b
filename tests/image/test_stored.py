import time

import pytest
import zstandard

from fleet.image.entries import ElfFacts, Entry, LayerIndex
from fleet.image.stored import StaleIndex, dump_index, load_index
from tests.image.archives import hardlink, layer, member, symlink

FULL = LayerIndex(
    digest="sha256:1",
    diff_id="sha256:2",
    media_type="tar",
    compressed_bytes=3,
    unpacked_bytes=4,
    entries=(
        Entry("caf\udce9/ü", "file", 1 << 50, 2, 0o4755, 3_000_000, 4),
        Entry("l", "symlink", 3, 1, 0o777, link="x\udcffy"),
    ),
    texts={"etc/passwd": bytes(range(256)), "\udce9": b""},
    elf={"p": ElfFacts("x86_64", "/lib/ld", ("a", "b"), "s", ("$ORIGIN",), (2, 36), True, False, True, True, (2, 40))},
    shebangs={"s": "#!/bin/sh \udcff"},
    compressed_estimated=True,
    ignored_entries=7,
)


@pytest.mark.parametrize("index", [FULL, layer(), layer(member("a", b"1"), hardlink("b", "a"), symlink("c", "a"))])
def test_what_was_stored_is_loaded_again_exactly(index):
    loaded = load_index(dump_index(index))
    assert loaded == index
    assert all(type(entry) is Entry for entry in loaded.entries)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"plimsoll-layer-index 999\nrubbish",
        dump_index(FULL)[:-20],
        dump_index(FULL).partition(b"\n")[0] + b"\n" + zstandard.compress(b"[]"),
        dump_index(FULL).partition(b"\n")[0] + b"\n" + zstandard.compress(b"{}"),
    ],
)
def test_anything_else_asks_for_a_new_scan(blob):
    with pytest.raises(StaleIndex, match="Scan its service again"):
        load_index(blob)


def test_a_large_layer_is_small_and_loads_fast():
    entries = tuple(
        Entry(
            f"usr/lib/node_modules/package-{n // 100}/dist/module-{n}.js", "file", n * 37 % 9000, n * 13 % 4000, 0o644
        )
        for n in range(50_000)
    )
    blob = dump_index(LayerIndex("d", "i", "m", 1, 2, entries))
    assert len(blob) < 10 * len(entries)
    start = time.process_time()
    assert len(load_index(blob).entries) == len(entries)
    assert time.process_time() - start < 1
