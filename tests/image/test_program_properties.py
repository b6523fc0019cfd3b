"""Whatever stands in a program or an archive, a layer is read to its end and every other file of it is there."""

from __future__ import annotations

import json
import zipfile
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.image.entries import Component
from tests.image.archives import layer, member
from tests.image.programs import Part, elf_of
from tests.image.test_go_build_info import in_place, with_pointers
from tests.image.test_java_archive import GUAVA, manifest
from tests.image.test_zip_stream import zipped

CRATES = zlib.compress(json.dumps({"packages": [{"name": "ship", "version": "1"}]}).encode())
JAR = zipped({**manifest(Implementation_Title="shop"), **GUAVA, "C.class": b"c" * 300}, seekable=False)
ORIGINALS = (
    elf_of(Part(".go.buildinfo", in_place(), 3), fill=64),
    with_pointers(),
    elf_of(Part(".text", bytes(90), 6), Part(".dep-v0", CRATES), tables_first=False, fill=64),
    zipped({"lib/a-1.jar": JAR, "lib/b-2.jar": JAR, **manifest()}, method=zipfile.ZIP_STORED),
    zipped({"lib/a-1.jar": JAR, "lib/b-2.jar": JAR, **manifest()}, seekable=False),
)
CHANGES = st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=4)), max_size=12)


@settings(max_examples=300, deadline=None)
@given(original=st.sampled_from(ORIGINALS), changes=CHANGES, kept=st.floats(0.01, 1))
def test_damaged_programs_and_archives_never_stop_a_layer(original, changes, kept):
    content = bytearray(original)
    for place, replacement in changes:
        at = int(place * len(content))
        content[at : at + len(replacement)] = replacement
    damaged = bytes(content[: int(kept * len(content))])
    found = layer(member("bin/a.jar", damaged, mode=0o755), member("etc/passwd", b"root:x:0:0"))
    assert [entry.path for entry in found.entries] == ["bin/a.jar", "etc/passwd"]
    assert found.texts["etc/passwd"] == b"root:x:0:0"
    facts = found.elf.get("bin/a.jar")
    assert facts is None or 0 <= facts.debug_bytes <= len(damaged)
    assert all(isinstance(each, Component) for each in found.components.get("bin/a.jar", ()))


@settings(max_examples=200, deadline=None)
@given(
    start=st.sampled_from([b"", b"\x7fELF\x02\x01", b"\x7fELF\x01\x02", b"PK\x03\x04", b"#!"]),
    rest=st.binary(max_size=600),
)
def test_random_bytes_never_stop_a_layer(start, rest):
    found = layer(member("bin/a.jar", start + rest, mode=0o755), member("etc/passwd", b"root:x:0:0"))
    assert found.texts["etc/passwd"] == b"root:x:0:0"
