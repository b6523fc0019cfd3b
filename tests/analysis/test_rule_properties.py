"""Whatever is in an image: no byte is claimed twice, and findings add up to what can be reclaimed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.analysis.analyse import analyse
from fleet.analysis.claims import claim_all
from fleet.analysis.rules import RULES
from fleet.analysis.rules.rule import survey
from fleet.image.entries import ElfFacts
from fleet.image.loading import LoadedImage
from fleet.image.packages import read_packages
from fleet.image.sizes import NOTHING
from tests.analysis.images import make_image

PATHS = st.sampled_from(
    [
        "app/.env", "app/server", "app/src/a.ts", "app/dist/a.js", "app/a.css.map", "app/video.mp4", "app/copy.bin",
        "app/other/copy.bin", "app/.git/pack", "root/.cache/pip/x", "root/.netrc", "tmp/x", "usr/bin/tool~", "app/x.py",
        "usr/lib/libx.a", "usr/lib/debug/x", "usr/share/man/man1/x", "var/lib/apt/lists/x", "usr/share/doc/x/LICENSE",
        "usr/lib/python3/dist-packages/x/tests/test_x.py", "app/node_modules/x/test/a.js", "usr/local/go/bin/go",
    ]
)  # fmt: skip
PROGRAMS = st.builds(
    ElfFacts,
    machine=st.just("x86_64"),
    debug_bytes=st.integers(0, 3_000_000),
    debug_compressed_bytes=st.integers(0, 3_000_000),
)
CONTENTS = st.one_of(
    st.integers(0, 9_000_000), st.tuples(st.just(9000), st.integers(0, 2)), PROGRAMS, st.none(), st.just("=> app/x.py")
)
IMAGES = st.lists(st.dictionaries(PATHS, CONTENTS, min_size=1, max_size=12), min_size=1, max_size=4).map(
    lambda layers: make_image(*layers, cmd=("/app/server",))
)


@given(IMAGES)
@settings(max_examples=150, deadline=None)
def test_a_version_is_claimed_once_and_by_no_more_than_it_has(image: LoadedImage) -> None:
    facts = survey(image.tree, image.config, read_packages(image.tree))
    claims = [claim for _, claims in claim_all(facts, RULES) for claim in claims]
    assert len({claim.version for claim in claims}) == len(claims)
    for claim in claims:
        assert 0 <= claim.sizes.unpacked_bytes <= claim.entry.size_bytes
        assert 0 <= claim.sizes.compressed_bytes <= claim.entry.compressed_bytes


@given(IMAGES)
@settings(max_examples=150, deadline=None)
def test_findings_add_up_to_what_can_be_reclaimed(image: LoadedImage) -> None:
    facts = survey(image.tree, image.config, read_packages(image.tree))
    # A finding that weighs nothing unpacked is not shown, nor counted.
    by_layer: dict[tuple[str, int], list[object]] = {}
    for rule, claims in claim_all(facts, RULES):
        for claim in claims:
            by_layer.setdefault((rule.name, claim.layer), []).append(claim.sizes)
    totals = [sum(sizes, NOTHING) for sizes in by_layer.values()]  # type: ignore[arg-type]
    expected = sum((total for total in totals if total.unpacked_bytes > 0), NOTHING)
    analysis = analyse(image)
    assert analysis.reclaimable == expected
    assert analysis.reclaimable.unpacked_bytes <= image.sizes.unpacked_bytes
    assert analysis.reclaimable.compressed_bytes <= sum(layer.compressed_bytes for layer in image.layers)
