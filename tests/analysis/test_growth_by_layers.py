"""What changed between two images of which only manifests and configs are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from fleet.analysis.growth import Cause, Growth, LayerChange, grow_by_layers, layer_changes
from fleet.image.sizes import Sizes
from fleet.oci.manifest import Descriptor, HistoryEntry, ImageConfig, Manifest, Platform
from tests.analysis.comparing import MB, check, image

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
NOP = "/bin/sh -c #(nop)"
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


@dataclass(frozen=True)
class Described:
    manifest: Manifest
    config: ImageConfig


def described(
    *layers: tuple[str, int], steps: tuple[str, ...] = (), diff_ids: tuple[str, ...] = (), media_type: str = LAYER,
    config_bytes: int = 1_000,
) -> Described:  # fmt: skip
    """``layers`` are digests and sizes."""
    config = ImageConfig(
        Platform("linux", "amd64"), diff_ids=diff_ids, history=tuple(HistoryEntry(step) for step in steps)
    )
    descriptors = tuple(Descriptor(media_type, digest, size) for digest, size in layers)
    return Described(Manifest("manifest", Descriptor("config", "c", config_bytes), descriptors), config)


def compare(before: Described, after: Described) -> Growth:
    growth = grow_by_layers(before, after)
    assert growth.delta == Sizes(0, after.manifest.compressed_bytes - before.manifest.compressed_bytes)
    assert not growth.by_files
    check(growth)
    return growth


def test_the_same_layers_are_no_growth() -> None:
    same = described(("a", 30 * MB), ("b", 5 * MB))
    assert compare(same, same) == Growth()


def test_a_layer_of_the_same_step_is_one_that_changed() -> None:
    steps = ("ADD rootfs", "/bin/sh -c apt-get install -y chromium")
    growth = compare(
        described(("a", 30 * MB), ("b", 50 * MB), steps=steps), described(("a", 30 * MB), ("c", 90 * MB), steps=steps)
    )
    assert growth.causes == (Cause("layer", "changed", "RUN apt-get install -y chromium", Sizes(0, 40 * MB)),)


@pytest.mark.parametrize(
    ("before", "after", "label"),
    [
        (f"{NOP} COPY dir:{'a' * 64} in /app ", f"{NOP} COPY dir:{'b' * 64} in /app ", "COPY … in /app"),
        ("RUN pip install django==5.1.4", "RUN pip install django==5.2", "RUN pip install django==5.2"),
    ],
)  # fmt: skip
def test_a_step_is_known_again_by_all_but_versions_and_checksums(before: str, after: str, label: str) -> None:
    growth = compare(described(("a", 30 * MB), steps=(before,)), described(("b", 40 * MB), steps=(after,)))
    assert growth.causes == (Cause("layer", "changed", label, Sizes(0, 10 * MB)),)


def test_layers_that_came_and_went_are_told_apart() -> None:
    growth = compare(
        described(("a", 30 * MB), ("b", 50 * MB), steps=("ADD rootfs", "RUN make")),
        described(("a", 30 * MB), ("c", 20 * MB), steps=("ADD rootfs", "COPY dist /app # buildkit")),
    )
    assert [(cause.change, cause.label, cause.delta.compressed_bytes) for cause in growth.causes] == [
        ("removed", "RUN make", -50 * MB), ("added", "COPY dist /app", 20 * MB),
    ]  # fmt: skip


def test_the_same_files_compressed_anew_are_the_same_layer() -> None:
    before = described(("a", 30 * MB), steps=("x",), diff_ids=("sha256:1",))
    after = described(("b", 28 * MB), ("c", MB), steps=("y", "x"), diff_ids=("sha256:1", "sha256:2"))
    assert layer_changes(before, after) == (LayerChange("y", 30 * MB, 28 * MB), LayerChange("x", None, MB))
    compare(before, after)


def test_every_layer_is_listed_with_the_one_it_replaced() -> None:
    before = described(("a", 3), ("b", 4), ("x", 7), steps=("1", "2", "3"))
    after = described(("a", 3), ("c", 6), steps=("1", "2"))
    changes = layer_changes(before, after)
    assert changes == (LayerChange("1", 3, 3, shared=True), LayerChange("2", 4, 6), LayerChange("3", 7, None))
    assert [change.delta_bytes for change in changes] == [0, 2, -7]


def test_a_blob_that_an_image_holds_twice_is_paired_once() -> None:
    growth = compare(described(("a", 5 * MB)), described(("a", 5 * MB), ("a", 5 * MB)))
    assert [(cause.change, cause.delta.compressed_bytes) for cause in growth.causes] == [("added", 5 * MB)]


def test_without_history_a_layer_is_its_position() -> None:
    growth = compare(described(("a", MB)), described(("a", MB), ("b", 2 * MB)))
    assert growth.causes[0].label == "Layer 1"


def test_the_config_is_part_of_a_pull() -> None:
    growth = compare(described(("a", MB)), described(("a", MB), config_bytes=3_500))
    assert growth.causes == (Cause("rest", "changed", "Image config", Sizes(0, 2_500)),)


def test_foreign_layers_are_not() -> None:
    assert compare(described(), described(("w", 900 * MB), media_type=FOREIGN)).causes == ()


def test_many_small_layers_are_counted() -> None:
    layers = [(f"small{n}", MB) for n in range(60)]
    growth = compare(described(), described(("large", 300 * MB), *layers))
    assert [cause.label for cause in growth.causes] == ["Layer 0", "60 other layers"]


def test_a_secret_in_a_step_is_not_told() -> None:
    step = "|1 API_TOKEN=hunter2 /bin/sh -c curl -H 'Authorization: Bearer hunter2abcdef' https://x"
    growth = compare(described(), described(("a", MB), steps=(step,)))
    assert "hunter2" not in growth.causes[0].label


def test_plain_layers_that_were_read_weigh_what_a_pull_is_estimated_to_move() -> None:
    read = image({"app/x": 9 * MB})
    layers = tuple(replace(layer, compressed_estimated=True) for layer in read.layers)
    plain = replace(read.manifest.layers[0], size_bytes=9 * MB)
    engine = replace(read, layers=layers, manifest=replace(read.manifest, layers=(plain,)))
    assert [change.after_bytes for change in layer_changes(described(), engine)] == [layers[0].compressed_bytes]
