"""What changed between two images, file by file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.analysis.growth import Cause, Growth
from fleet.image.entries import LayerIndex
from fleet.image.filetree import apply_layers
from fleet.image.loading import LoadedImage
from fleet.image.sizes import NOTHING, Sizes
from fleet.oci.manifest import HistoryEntry
from tests.analysis.comparing import KB, MB, compare, image, package, told

BASE = {"bin/sh": 100 * KB, "etc/os-release": 1 * KB}


def cause(growth: Growth, part: str) -> Cause:
    (found,) = [each for each in growth.causes if part in each.label]
    return found


def loaded(like: LoadedImage, layers: tuple[LayerIndex, ...]) -> LoadedImage:
    """The same image with other layers."""
    sizes = [layer.compressed_bytes for layer in layers]
    descriptors = [replace(each, size_bytes=size) for each, size in zip(like.manifest.layers, sizes, strict=True)]
    return replace(
        like, layers=layers, tree=apply_layers(layers), manifest=replace(like.manifest, layers=tuple(descriptors))
    )


def test_the_same_image_did_not_grow() -> None:
    same = image(BASE, {"app/main.py": 5 * KB})
    assert compare(same, same) == Growth(by_files=True)


def test_a_new_file_is_the_cause_with_the_step_that_brought_it() -> None:
    before = image(BASE, {"app/main.py": (KB, 1)}, steps=["ADD rootfs", "COPY main.py"])
    after = image(
        BASE, {"app/main.py": (KB, 1), "app/model.bin": 9 * MB}, steps=["ADD rootfs", "COPY . /app # buildkit"]
    )
    growth = compare(before, after)
    assert growth.causes[0] == Cause("files", "added", "/app/model.bin", Sizes(9 * MB, 3 * MB), "COPY . /app")
    assert growth.by_files


def test_shared_layers_are_no_change_even_where_files_are_hidden_now() -> None:
    before = image({"opt/huge.bin": 50 * MB}, {"a": KB})
    after = image({"opt/huge.bin": 50 * MB}, {"a": KB}, {"opt/huge.bin": None})
    growth = compare(before, after)
    assert growth.delta.unpacked_bytes == 0
    assert not [each for each in growth.causes if "huge" in each.label]


def test_a_layer_that_an_image_holds_once_more_is_growth() -> None:
    layer = {"data/file": 5 * MB}
    growth = compare(image(BASE, layer), image(BASE, layer, layer))
    assert growth.delta.unpacked_bytes == 5 * MB
    assert cause(growth, "data/file").delta.unpacked_bytes == 5 * MB


def test_a_package_of_another_version_is_one_cause_with_both_versions() -> None:
    before = image(BASE, {"usr/lib/chromium/chrome": 100 * MB, "usr/bin/x": KB})
    after = image(BASE, {"usr/lib/chromium/chrome": 150 * MB, "usr/bin/x": KB})
    path = "usr/lib/chromium/chrome"
    growth = compare(before, after, [package("chromium", "120", path)], [package("chromium", "121", path)])
    assert growth.causes[0] == Cause(
        "package", "changed", "chromium 120 → 121", Sizes(50 * MB, 150 * MB // 3 - 100 * MB // 3), "Debian package"
    )
    (change,) = growth.packages
    assert (change.name, change.before, change.after, change.delta.unpacked_bytes) == (
        "chromium",
        "120",
        "121",
        50 * MB,
    )


def test_packages_that_came_and_went_are_told_apart() -> None:
    before = image(BASE, {"usr/bin/gcc": 30 * MB})
    after = image(BASE, {"usr/bin/clang": 90 * MB})
    growth = compare(before, after, [package("gcc", "12", "usr/bin/gcc")], [package("clang", "16", "usr/bin/clang")])
    assert told(growth)[:2] == [("added", "clang 16", 90 * MB), ("removed", "gcc 12", -30 * MB)]


def test_many_small_packages_are_one_cause_that_says_where_they_are() -> None:
    files = {f"app/node_modules/lib{n}/index.js": 10 * KB + n for n in range(38)}
    packages = [package(f"lib{n}", "1.0", f"app/node_modules/lib{n}/index.js", ecosystem="npm") for n in range(38)]
    growth = compare(image(BASE), image(BASE, files), (), packages)
    first = growth.causes[0]
    assert (first.kind, first.change, first.label) == ("package", "added", "38 npm packages under /app/node_modules")
    assert first.detail == "above all lib37 1.0; lib36 1.0; lib35 1.0"
    assert len(growth.packages) == 38


def test_the_large_ones_of_many_have_a_name_and_the_others_are_counted() -> None:
    files = {f"usr/lib/small{n}": 20 * KB for n in range(30)} | {"usr/lib/large": 40 * MB}
    packages = [package(path.rpartition("/")[2], "1", path) for path in files]
    growth = compare(image(BASE), image(BASE, files), (), packages)
    assert told(growth)[:2] == [("added", "large 1", 40 * MB), ("added", "30 other Debian packages", 600 * KB)]


def test_system_packages_are_nowhere_in_particular() -> None:
    files = {f"usr/share/p{n}": 50 * KB for n in range(40)}
    growth = compare(image(), image(files), (), [package(path[-3:], "1", path) for path in files])
    assert growth.causes[0].label == "40 Debian packages"


def test_growth_and_loss_that_cancel_are_both_named() -> None:
    files = {f"usr/lib/small{n}": 1 * KB for n in range(30)}
    packages = [package(f"small{n}", "1", f"usr/lib/small{n}") for n in range(30)]
    growth = compare(
        image({"opt/firefox": 49 * MB}), image({"opt/chromium": 49 * MB}, files),
        [package("firefox", "1", "opt/firefox")], [package("chromium", "1", "opt/chromium"), *packages],
    )  # fmt: skip
    assert {label for _, label, _ in told(growth)[:2]} == {"chromium 1", "firefox 1"}


def test_many_small_files_are_told_by_their_directory() -> None:
    files = {f"usr/share/fonts/{n}.ttf": 10 * KB for n in range(200)}
    growth = compare(image(BASE), image(BASE, files | {"app/x": 15 * KB}))
    assert told(growth)[0] == ("added", "200 files under /usr/share/fonts", 2 * MB)


def test_the_most_specific_directory_is_named() -> None:
    files = {"var/lib/app/deep/er/big.db": 80 * MB, "var/lib/other": KB}
    assert told(compare(image(BASE), image(BASE, files)))[0] == ("added", "/var/lib/app/deep/er/big.db", 80 * MB)


def test_hidden_bytes_are_told_with_the_step_that_brought_them() -> None:
    steps = ["ADD rootfs", "RUN apt-get update", "RUN rm -rf /var/cache"]
    after = image(BASE, {"var/cache/lists.db": 20 * MB}, {"var/cache/lists.db": None}, steps=steps)
    growth = compare(image(BASE), after)
    first = growth.causes[0]
    assert (first.kind, first.label) == ("hidden", "/var/cache/lists.db, hidden by a later layer")
    assert first.detail == "RUN apt-get update"


def test_files_stored_again_for_their_mode_are_growth() -> None:
    before = image({"app/big": (9 * MB, 5)})
    after = image({"app/big": (9 * MB, 5)}, {"app/big": (9 * MB, 6)})
    assert told(compare(before, after))[0] == ("changed", "/app/big", 9 * MB)


def test_what_did_not_change_in_a_layer_made_anew_is_no_cause() -> None:
    files = {f"app/lib/{n}": (100 * KB, n + 1) for n in range(20)}
    growth = compare(image(BASE, files), image(BASE, files | {"app/new": (50 * KB, 99)}))
    assert told(growth) == [("added", "/app/new", 50 * KB)]


def test_the_same_size_with_other_content_is_a_change() -> None:
    before, after = image({"app/a": (MB, 1)}), image({"app/a": (MB, 2)})
    growth = compare(before, after)
    assert growth.delta == NOTHING
    assert growth.moved_files == 0


def test_what_moved_to_another_directory_is_no_growth() -> None:
    before = image(BASE, {f"app/v1/{n}": (MB, n + 1) for n in range(9)})
    after = image(BASE, {f"app/v2/{n}": (MB, n + 1) for n in range(9)} | {"app/new": (5 * KB, 77)})
    growth = compare(before, after)
    assert growth.moved_files == 9
    assert told(growth) == [("added", "/app/new", 5 * KB)]


def test_what_is_no_file_is_accounted_for() -> None:
    before, after = image(BASE, config_bytes=500), image(BASE, config_bytes=2_600)
    growth = compare(before, after)
    assert growth.causes == (Cause("rest", "changed", "Image config", Sizes(0, 2_100)),)


def test_shares_that_moved_within_a_blob_are_not_lost() -> None:
    before = image(BASE, {"app/a": (MB, 1)})
    anew = image(BASE, {"app/a": (MB, 1), "app/b": (1, 2)})
    (shared, own) = anew.layers
    dearer = tuple(e._replace(compressed_bytes=400_000) if e.path == "app/a" else e for e in own.entries)
    layer = replace(own, entries=dearer, compressed_bytes=own.compressed_bytes + 400_000 - 333_333)
    after = loaded(anew, (shared, layer))
    growth = compare(before, after)
    assert growth.causes[0].label == "Files that did not change, compressed anew"
    assert growth.causes[0].delta == Sizes(0, 400_000 - 333_333)


def test_foreign_layers_are_in_no_pull() -> None:
    after = image(BASE, {"windows": 9 * MB})
    foreign = replace(after.manifest.layers[1], media_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    after = replace(after, manifest=replace(after.manifest, layers=(after.manifest.layers[0], foreign)))
    growth = compare(image(BASE), after)
    assert growth.delta == Sizes(9 * MB, 0)
    assert growth.causes[0].delta == Sizes(9 * MB, 0)


def test_nothing_from_an_image_drives_a_terminal_or_leaks() -> None:
    steps = ["RUN |1 TOKEN=hunter2 /bin/sh -c make"]
    after = image({"a\x1b[2J": 9 * MB, "b" * 4_000: 8 * MB}, steps=steps)
    evil = [package("p\x07", "1\x1b", "b" * 4_000)]
    for each in compare(image(), after, (), evil).causes:
        text = each.label + each.detail
        assert text.isprintable()
        assert "hunter2" not in text
        assert len(each.label) <= 200
        assert len(each.detail) <= 300


def test_a_package_that_is_only_hidden_frees_nothing() -> None:
    base = {"usr/bin/gcc": 30 * MB}
    growth = compare(image(base), image(base, {"usr/bin/gcc": None}), [package("gcc", "12", "usr/bin/gcc")])
    (change,) = growth.packages
    assert (change.before, change.after, change.delta) == ("12", "", NOTHING)


def test_paths_may_be_as_deep_as_an_image_makes_them() -> None:
    deep = "/".join("d" for _ in range(2_000)) + "/file"
    assert compare(image(BASE), image(BASE, {deep: MB})).delta.unpacked_bytes == MB


@pytest.mark.parametrize("count", [0, 1, 3])
def test_history_that_does_not_fit_leaves_the_step_out(count: int) -> None:
    before, after = image(BASE), image(BASE, {"app/x": MB})
    config = replace(after.config, history=tuple(HistoryEntry("RUN x") for _ in range(count)))
    assert compare(before, replace(after, config=config)).causes[0].detail == "Layer 1"
