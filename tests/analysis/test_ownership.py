from dataclasses import replace

import pytest

from fleet.analysis.ownership import base_layer_count, layer_steps
from fleet.oci.manifest import HistoryEntry
from fleet.oci.provenance import Provenance
from tests.analysis.images import make_image

DEBIAN = HistoryEntry("/bin/sh -c #(nop) ADD file:1b1 in / ")
DEBUERREOTYPE = HistoryEntry("# debian.sh --arch 'amd64' out/ 'bookworm'", comment="debuerreotype 0.15")
IMPORT = HistoryEntry("", comment="Imported from -")
LEGACY_CMD = HistoryEntry('/bin/sh -c #(nop)  CMD ["bash"]', empty_layer=True)
CMD = HistoryEntry('CMD ["python3"]', empty_layer=True)
RUN = HistoryEntry("RUN /bin/sh -c make # buildkit")
COPY = HistoryEntry("COPY . /app # buildkit")
ENV = HistoryEntry("ENV A=b", empty_layer=True)
BAZEL = HistoryEntry("bazel build @base//:layer")


@pytest.mark.parametrize(
    ("history", "layers", "base"),
    [
        ([DEBIAN, LEGACY_CMD, ENV, RUN, RUN, CMD, COPY, RUN, CMD], 5, 3),
        ([DEBIAN, LEGACY_CMD, RUN, CMD], 2, 1),
        ([DEBIAN, LEGACY_CMD], 1, 0),
        ([DEBUERREOTYPE, RUN, COPY, CMD], 3, 1),
        ([IMPORT, RUN, COPY, CMD], 3, 1),
        ([IMPORT], 1, 0),
        ([BAZEL, BAZEL, BAZEL, COPY], 4, 3),
        ([BAZEL, BAZEL], 2, 0),
        ([RUN, COPY, CMD], 2, 0),
        # buildah: steps with content marked as empty, so nothing can be paired
        ([DEBIAN, CMD, HistoryEntry("RUN x", empty_layer=True), COPY], 3, 1),
        ([HistoryEntry(""), HistoryEntry("")], 2, 0),
        ([], 3, 0),
    ],
)
def test_the_base_ends_before_the_first_layer_of_ours(history: list[HistoryEntry], layers: int, base: int) -> None:
    image = make_image(*({f"file{n}": 1} for n in range(layers)), history=history)
    assert base_layer_count(image) == base


def test_steps_are_paired_only_where_their_number_fits() -> None:
    assert layer_steps([DEBIAN, CMD, COPY], 2) == (DEBIAN, COPY)
    assert layer_steps([DEBIAN, CMD, COPY], 3) is None


def test_what_the_builder_attested_holds_over_what_history_suggests() -> None:
    image = make_image(*({f"file{n}": 1} for n in range(3)), history=[DEBIAN, CMD, RUN, COPY])
    digests = tuple(layer.digest for layer in image.manifest.layers)
    assert base_layer_count(image) == 1
    assert base_layer_count(replace(image, provenance=Provenance(base_stacks=(digests[:2],)))) == 2
    assert base_layer_count(replace(image, provenance=Provenance(base_stacks=(digests[1:],)))) == 1
