import hashlib
from dataclasses import replace

import pytest

from fleet.analysis.ownership import Base, base_layer_count, chain_ids, find_base, layer_steps
from fleet.image.loading import LoadedImage
from fleet.oci.manifest import HistoryEntry
from fleet.oci.provenance import Provenance
from tests.analysis.images import Content, make_image

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


class TestChains:
    """https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid"""

    def test_one_layer_is_its_own_chain(self) -> None:
        assert chain_ids(["sha256:a"]) == ("sha256:a",)

    def test_each_further_layer_is_hashed_onto_the_chain_below(self) -> None:
        second = f"sha256:{hashlib.sha256(b'sha256:a sha256:b').hexdigest()}"
        third = f"sha256:{hashlib.sha256(f'{second} sha256:c'.encode()).hexdigest()}"
        assert chain_ids(["sha256:a", "sha256:b", "sha256:c"]) == ("sha256:a", second, third)

    def test_no_layers_make_no_chain(self) -> None:
        assert chain_ids([]) == ()


class TestKnownBases:
    FILES: dict[str, Content] = {"etc/x": 10}
    IMAGE = make_image(FILES, {"usr/y": 20}, {"app/z": 30})

    def chains(self, image: LoadedImage | None = None) -> tuple[str, ...]:
        return chain_ids((image or self.IMAGE).config.diff_ids)

    def test_the_longest_known_stack_is_the_base(self) -> None:
        first, second, _ = self.chains()
        assert find_base(self.IMAGE, {first: "debian:12", second: "python:3.12"}) == Base(2, "known", "python:3.12")

    def test_a_base_that_was_compressed_anew_is_recognised(self) -> None:
        layers = tuple(replace(layer, digest=f"sha256:{n:064d}") for n, layer in enumerate(self.IMAGE.manifest.layers))
        pushed = replace(self.IMAGE, manifest=replace(self.IMAGE.manifest, layers=layers))
        assert find_base(pushed, {self.chains()[0]: "debian:12"}).layers == 1

    def test_the_image_itself_is_not_its_base(self) -> None:
        assert find_base(self.IMAGE, {self.chains()[2]: "itself"}) == Base()

    def test_what_the_builder_attested_goes_first(self) -> None:
        digests = tuple(layer.digest for layer in self.IMAGE.manifest.layers)
        attested = replace(self.IMAGE, provenance=Provenance(base_stacks=(digests[:1],)))
        assert find_base(attested, {self.chains()[1]: "python:3.12"}) == Base(1, "attested", "")

    @pytest.mark.parametrize("where", ["label", "annotation", "attested"])
    def test_its_name_is_what_the_builder_says(self, where: str) -> None:
        named = {"org.opencontainers.image.base.name": "docker.io/library/python:3.12"}
        image = self.IMAGE
        if where == "label":
            image = replace(image, config=replace(image.config, labels=named))
        elif where == "annotation":
            image = replace(image, manifest=replace(image.manifest, annotations=named))
        else:
            image = replace(image, provenance=Provenance(base_digests=(("docker.io/library/python:3.12", "sha256:a"),)))
        found = find_base(image, {self.chains()[0]: "hub/python:latest"})
        assert found == Base(1, "known", "docker.io/library/python:3.12")

    def test_of_several_attested_bases_none_is_taken_for_that_of_the_last_stage(self) -> None:
        bases = (("golang:1.26", "sha256:a"), ("debian:12", "sha256:b"))
        assert find_base(replace(self.IMAGE, provenance=Provenance(base_digests=bases)), {}).name == ""

    def test_a_name_is_made_fit_to_show(self) -> None:
        label = {"org.opencontainers.image.base.name": "x\x1b[31m" + "y" * 9000}
        name = find_base(replace(self.IMAGE, config=replace(self.IMAGE.config, labels=label)), {}).name
        assert "\x1b" not in name
        assert len(name) < 600

    def test_history_is_the_last_word_and_says_so(self) -> None:
        history = (HistoryEntry("ADD file:1 in /"), HistoryEntry("CMD sh", empty_layer=True), HistoryEntry("COPY a b"))
        image = make_image(self.FILES, {"app/z": 30}, history=history)
        assert find_base(image, {}) == Base(1, "history")
