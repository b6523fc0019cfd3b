import hashlib
from dataclasses import replace

import pytest

from fleet.analysis.ownership import Base, KnownBase, base_layer_count, chain_ids, find_base, layer_steps, said_bases
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

NAME, DIGEST = "docker.io/library/python:3.12", "sha256:" + "d" * 64
NAMED = {"org.opencontainers.image.base.name": NAME, "org.opencontainers.image.base.digest": DIGEST}
DEBIAN_12 = KnownBase("debian:12", "known")


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


def said(where: str, named: dict[str, str], image: LoadedImage | None = None) -> LoadedImage:
    """An image that names its base in one of the three places."""
    image = image or TestKnownBases.IMAGE
    if where == "label":
        return replace(image, config=replace(image.config, labels=named))
    if where == "annotation":
        return replace(image, manifest=replace(image.manifest, annotations=named))
    return replace(image, provenance=Provenance(base_digests=((NAME, DIGEST),)))


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
        known = {first: KnownBase("debian:12", "known"), second: KnownBase("corp/python:3.12", "shared")}
        assert find_base(self.IMAGE, known) == Base(2, "shared", "corp/python:3.12")

    def test_a_base_that_was_compressed_anew_is_recognised(self) -> None:
        layers = tuple(replace(layer, digest=f"sha256:{n:064d}") for n, layer in enumerate(self.IMAGE.manifest.layers))
        pushed = replace(self.IMAGE, manifest=replace(self.IMAGE.manifest, layers=layers))
        assert find_base(pushed, {self.chains()[0]: DEBIAN_12}) == Base(1, "known", "debian:12")

    def test_the_image_itself_is_not_its_base(self) -> None:
        assert find_base(self.IMAGE, {self.chains()[2]: KnownBase("itself", "shared")}) == Base()

    def test_a_stack_of_the_same_layers_in_another_order_is_none(self) -> None:
        first, second, _ = self.IMAGE.config.diff_ids
        assert find_base(self.IMAGE, dict.fromkeys(chain_ids([second, first]), DEBIAN_12)) == Base()

    def test_an_image_of_one_layer_has_no_base(self) -> None:
        image = make_image(self.FILES)
        assert find_base(image, {self.chains(image)[0]: DEBIAN_12}) == Base()

    def test_a_config_without_diff_ids_is_left_to_its_history(self) -> None:
        history = (HistoryEntry("ADD file:1 in /"), HistoryEntry("COPY a b"))
        image = make_image(self.FILES, {"app/z": 30}, history=history)
        nameless = replace(image, config=replace(image.config, diff_ids=()))
        assert find_base(nameless, {self.chains()[0]: DEBIAN_12}) == Base(1, "history")

    def test_what_the_builder_attested_goes_first(self) -> None:
        digests = tuple(layer.digest for layer in self.IMAGE.manifest.layers)
        attested = replace(self.IMAGE, provenance=Provenance(base_stacks=(digests[:1],)))
        first, second, _ = self.chains()
        assert find_base(attested, {second: KnownBase("python:3.12", "known")}) == Base(1, "attested")
        assert find_base(attested, {first: DEBIAN_12}) == Base(1, "attested", "debian:12")

    def test_the_layers_of_one_base_never_get_the_name_of_another(self) -> None:
        """A label is inherited: it names the base of the base."""
        inherited = said("label", NAMED)
        assert (
            find_base(inherited, {self.chains()[1]: KnownBase("corp/python:3.12", "shared")}).name == "corp/python:3.12"
        )

    @pytest.mark.parametrize("where", ["label", "annotation", "attested"])
    def test_a_digest_that_leads_to_the_base_gives_it_the_name_beside_it(self, where: str) -> None:
        found = find_base(said(where, NAMED), {self.chains()[0]: replace(DEBIAN_12, digests=frozenset({DIGEST}))})
        assert found == Base(1, "known", NAME)

    def test_a_digest_alone_may_lead_to_an_image_that_has_no_other_name(self) -> None:
        known = {self.chains()[1]: KnownBase("", "label", frozenset({DIGEST}))}
        assert find_base(said("label", NAMED), known) == Base(2, "label", NAME)

    @pytest.mark.parametrize("where", ["label", "annotation", "attested"])
    def test_a_name_alone_is_told_beside_the_count_of_history(self, where: str) -> None:
        history = (HistoryEntry("ADD file:1 in /"), HistoryEntry("CMD sh", empty_layer=True), HistoryEntry("COPY a b"))
        image = make_image(self.FILES, {"app/z": 30}, history=history)
        assert find_base(said(where, NAMED, image), {}) == Base(1, "history", NAME)

    def test_an_annotation_is_the_images_own_word_and_goes_before_an_inherited_label(self) -> None:
        both = said("annotation", NAMED, said("label", {"org.opencontainers.image.base.name": "debian:12"}))
        assert find_base(both, {}).name == NAME

    def test_what_is_said_is_read_whole_wherever_it_stands(self) -> None:
        for where in ("label", "annotation", "attested"):
            assert [(each.name, each.digest) for each in said_bases(said(where, NAMED)) if each.digest] == [
                (NAME, DIGEST)
            ]

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
