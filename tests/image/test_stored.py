import json
import random
import time
from dataclasses import replace

import pytest
import zstandard

from fleet.image.entries import Component, ElfFacts, Entry, LayerIndex
from fleet.image.stored import StaleIndex, dump_index, load_index
from tests.image.archives import hardlink, layer, member, symlink

FULL = LayerIndex(
    digest="sha256:1",
    diff_id="sha256:2",
    media_type="tar",
    compressed_bytes=3,
    unpacked_bytes=4,
    entries=(
        Entry("caf\udce9/ü", "file", 1 << 50, 2, 0o4755, 3_000_000, 4, fingerprint=(1 << 64) - 1),
        Entry("l", "symlink", 3, 1, 0o777, link="x\udcffy"),
    ),
    texts={"etc/passwd": bytes(range(256)), "\udce9": b""},
    elf={"p": ElfFacts("x86_64", "/lib/ld", ("a", "b"), "s", ("$ORIGIN",), (2, 36), True, False, True, True, (2, 40))},
    shebangs={"s": "#!/bin/sh \udcff"},
    components={"p": (Component("go", "m", "v1.2"), Component("java", "g:a", "3", "lib/a.jar!/b.jar", 7)), "q": ()},
    compressed_estimated=True,
    ignored_entries=7,
)


@pytest.mark.parametrize("index", [FULL, layer(), layer(member("a", b"1"), hardlink("b", "a"), symlink("c", "a"))])
def test_what_was_stored_is_loaded_again_exactly(index):
    loaded = load_index(dump_index(index))
    assert loaded == index
    assert all(type(entry) is Entry for entry in loaded.entries)


PREFIX = b"plimsoll-layer-index 3\n"


def stored(head: object, rest: bytes = b"", length: int | None = None) -> bytes:
    body = json.dumps(head).encode()
    said = len(body) if length is None else length
    return PREFIX + zstandard.compress(said.to_bytes(8, "little") + body + rest)


HEAD = {
    "digest": "d",
    "diff_id": "i",
    "media_type": "m",
    "compressed_bytes": 1,
    "unpacked_bytes": 1,
    "compressed_estimated": False,
    "ignored_entries": 0,
    "entries": 0,
    "paths": [0, 0, 0],
    "texts": {},
    "elf": {},
    "shebangs": {},
    "components": {},
}
# One entry: the root as its directory, "a", no link; then its columns.
ONE = {**HEAD, "entries": 1, "paths": [0, 1, 0]}
COLUMNS = bytes(1 + 8 + 8 + 2 + 8 + 8 + 8 + 4)


def test_the_parts_that_the_damaged_ones_are_made_of_are_sound():
    assert load_index(stored(HEAD)) == LayerIndex("d", "i", "m", 1, 1, ())
    assert load_index(stored(ONE, b"a" + COLUMNS)).entries == (Entry("a", "file", 0, 0, 0),)


DAMAGED = {
    "nothing": b"",
    "another version": b"plimsoll-layer-index 999\nrubbish",
    "cut short": dump_index(FULL)[:-20],
    "without its checksum": dump_index(FULL)[:-4],
    "no index": PREFIX + zstandard.compress(b"[]"),
    "a head that is none": stored([]),
    "a head without facts": stored({}),
    "a head of an exbibyte": stored(HEAD, length=1 << 60),
    "a head nested without end": PREFIX + zstandard.compress((200_000).to_bytes(8, "little") + b"[" * 200_000),
    "something after it": stored(HEAD, b"x"),
    "entries without number": stored({**ONE, "entries": 1 << 40}, b"a" + COLUMNS),
    "fewer than no entries": stored({**ONE, "entries": -1}, b"a" + COLUMNS),
    "half an entry": stored({**ONE, "entries": 0.5}, b"a" + COLUMNS),
    "more names than entries": stored({**ONE, "paths": [0, 3, 0]}, b"a\0b" + COLUMNS),
    "more links than entries": stored({**ONE, "paths": [0, 1, 1]}, b"a\0" + COLUMNS),
    "names that are no text": stored(ONE, b"\xff" + COLUMNS),
    "a kind that nobody knows": stored(ONE, b"a\x08" + COLUMNS[1:]),
    "a directory that is not there": stored(ONE, b"a" + COLUMNS[:-4] + b"\1\0\0\0"),
    "columns cut short": stored(ONE, b"a" + COLUMNS[:-1]),
    "a text of less than nothing": stored({**HEAD, "texts": {"a": -1}}),
    "a text larger than anything": stored({**HEAD, "texts": {"a": 1 << 40}}),
    "facts of another shape": stored({**HEAD, "elf": {"a": [1] * 50}}),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_anything_else_asks_for_a_new_scan(case):
    with pytest.raises(StaleIndex, match="Scan its service again"):
        load_index(DAMAGED[case])


def test_damage_at_any_place_is_noticed():
    blob = dump_index(replace(FULL, texts={"noise": random.Random(1).randbytes(5000)}))
    for place in range(len(PREFIX) + 6, len(blob), 7):
        with pytest.raises(StaleIndex):
            load_index(blob[:place] + bytes((blob[place] ^ 0x40,)) + blob[place + 1 :])


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
