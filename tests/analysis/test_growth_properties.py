"""Random pairs of images: the causes add up to the byte and say what matters, whatever changed."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.analysis.growth import grow
from fleet.analysis.growth.explaining import MOST_CAUSES, TOP, explain, most_specific
from fleet.analysis.growth.hierarchy import Group, Hierarchy
from fleet.image.loading import LoadedImage
from fleet.image.packages.package import Package
from tests.analysis.comparing import compare, image, package
from tests.analysis.images import Content

NAMES = st.sampled_from(["a", "b", "c", "usr", "lib", "app", "x.so"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
SIZES = st.one_of(st.integers(0, 9), st.integers(0, 10**4), st.integers(10**6, 10**9))
CONTENTS: st.SearchStrategy[Content] = st.one_of(
    SIZES, st.tuples(SIZES, st.integers(1, 3)), st.none(), PATHS.map("=> {}".format), PATHS.map("-> {}".format)
)
LAYERS = st.dictionaries(PATHS, CONTENTS, max_size=12)
ECOSYSTEMS = st.sampled_from(["deb", "npm", "pypi"])
PACKAGES = st.lists(
    st.builds(
        lambda ecosystem, name, version, paths: package(name, version, *paths, ecosystem=ecosystem),
        ECOSYSTEMS, st.sampled_from("pqrst"), st.sampled_from("12"), st.lists(PATHS, max_size=3),
    ),
    max_size=8,
)  # fmt: skip


@st.composite
def pairs(draw: st.DrawFn) -> tuple[LoadedImage, LoadedImage]:
    """Two images that may share layers at the start, each with some of its own."""
    shared = draw(st.lists(LAYERS, max_size=2))
    before, after = (image(*shared, *draw(st.lists(LAYERS, max_size=3))) for _ in range(2))
    return before, after


@settings(max_examples=150, deadline=None)
@given(pairs(), PACKAGES, PACKAGES)
def test_sums_are_exact_and_the_first_five_explain_them(
    images: tuple[LoadedImage, LoadedImage], old: list[Package], new: list[Package]
) -> None:
    before, after = images
    growth = compare(before, after, old, new)
    assert grow(before, after, tuple(old), tuple(new)) == growth
    there, back = growth.delta, grow(after, before, tuple(new), tuple(old)).delta
    assert (there.unpacked_bytes, there.compressed_bytes) == (-back.unpacked_bytes, -back.compressed_bytes)


AMOUNTS = st.one_of(st.integers(-50, 50), st.integers(-(10**8), 10**8))
CHANGES = st.lists(st.tuples(st.lists(NAMES, max_size=4), AMOUNTS, AMOUNTS), max_size=80)


def built(changes: list[tuple[list[str], int, int]]) -> Hierarchy:
    hierarchy = Hierarchy()
    groups: dict[tuple[str, ...], Group] = {(): hierarchy.root}
    for number, (path, unpacked_bytes, compressed_bytes) in enumerate(changes):
        for depth in range(len(path)):
            key = tuple(path[: depth + 1])
            if key not in groups:
                groups[key] = hierarchy.add(groups[key[:-1]], "files", "/".join(key))
        hierarchy.add_change(groups[tuple(path)], "files", str(number), unpacked_bytes, compressed_bytes)
    return hierarchy


@settings(max_examples=150, deadline=None)
@given(CHANGES)
def test_the_first_five_stand_for_nine_tenths_of_all_changes_as_well(changes: list[tuple[list[str], int, int]]) -> None:
    hierarchy = built(changes)
    hierarchy.weigh()
    parts = most_specific(hierarchy)
    assert len(parts) <= MOST_CAUSES
    weights = (
        ([part.gross_unpacked for part in parts], sum(abs(change[1]) for change in changes)),
        ([part.gross_compressed for part in parts], sum(abs(change[2]) for change in changes)),
    )
    for gross, whole in weights:
        assert sum(gross) == whole
        assert 10 * sum(gross[:TOP]) >= 9 * sum(gross)
    causes = explain(built(changes))
    assert sum(cause.delta.unpacked_bytes for cause in causes) == sum(change[1] for change in changes)


def test_large_images_are_compared_at_once() -> None:
    """40,000 files each, all of them in layers made anew, half of them changed."""
    before = {f"usr/lib/d{n % 400}/s{n % 7}/f{n}": (1_000 + n, n + 1) for n in range(40_000)}
    after = {path: (size + n % 2, key + n % 2 * 10**9) for n, (path, (size, key)) in enumerate(before.items())}
    names = list(before)
    packages = [package(f"p{n}", "1", *names[n * 50 : n * 50 + 50]) for n in range(400)]
    old, new = image(before), image(after)
    started = time.process_time()
    growth = grow(old, new, packages, packages)
    assert time.process_time() - started < 2
    assert growth.delta.unpacked_bytes == 20_000
