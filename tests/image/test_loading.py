import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fleet.image.entries import LayerIndex
from fleet.image.loading import assemble, load_image, resolve_image
from fleet.image.platforms import weigh_platforms
from fleet.oci.errors import CorruptLayer, DigestMismatch, InvalidResponse, NotFound, TooLarge, UnsupportedMediaType
from fleet.oci.manifest import Descriptor, Platform
from tests.image.archives import GZIP, archive, in_chunks, member, sha256

AMD64 = Platform("linux", "amd64")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


class Shelf:
    """A source that keeps everything in memory and counts what it is asked for."""

    name = "registry.test/app"

    def __init__(self, *, stores_compressed: bool = True) -> None:
        self.stores_compressed = stores_compressed
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[Descriptor, bytes]] = {}
        self.asked: list[str] = []
        self.said: dict[str, object] = {}

    def put(self, body: bytes, media_type: str) -> dict[str, object]:
        self.blobs[sha256(body)] = body
        return {"mediaType": media_type, "digest": sha256(body), "size": len(body)}

    def publish(self, document: dict[str, object], *tags: str) -> dict[str, object]:
        body = json.dumps({"schemaVersion": 2, **document}).encode()
        media_type = str(document["mediaType"])
        descriptor = Descriptor(media_type, sha256(body), len(body))
        self.manifests |= dict.fromkeys((descriptor.digest, *tags), (descriptor, body))
        return {"mediaType": media_type, "digest": descriptor.digest, "size": len(body)}

    def image(self, *layers: bytes, tags: tuple[str, ...] = ("latest",), **more: object) -> dict[str, object]:
        said = {"os": "linux", "architecture": "amd64", "config": {"Cmd": ["/app"]}} | self.said
        config = json.dumps(said).encode()
        document = {
            "mediaType": MANIFEST,
            "config": self.put(config, CONFIG),
            "layers": [self.put(blob, GZIP) for blob in layers],
        }
        return self.publish(document | more, *tags)

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]:
        if reference not in self.manifests:
            raise NotFound(f"There is no {reference}. Look at the tags.")
        return self.manifests[reference]

    def head(self, reference: str) -> Descriptor:
        return self.manifest(reference)[0]

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        self.asked.append(descriptor.digest)
        if descriptor.digest not in self.blobs:
            raise NotFound(f"There is no {descriptor.digest}.")
        return in_chunks(self.blobs[descriptor.digest])

    def close(self) -> None:
        pass


LOWER = gzip.compress(archive(member("a", b"1" * 1000), member("b", b"2")))
UPPER = gzip.compress(archive(member(".wh.b"), member("a", b"3" * 500)))


def test_an_image_is_loaded_whole():
    shelf = Shelf()
    shelf.image(LOWER, UPPER)
    seen: list[int] = []
    image = load_image(shelf, "latest", AMD64, progress=seen.append)
    assert {path: node.layer for path, node in image.tree.nodes.items()} == {"a": 1}
    assert [layer.digest for layer in image.layers] == [sha256(LOWER), sha256(UPPER)]
    assert image.sizes.unpacked_bytes == 1501
    assert image.sizes.compressed_bytes == len(LOWER) + len(UPPER) + image.manifest.config.size_bytes
    assert image.reference == f"registry.test/app@{image.descriptor.digest}"
    assert (image.config.cmd, image.compressed_estimated) == (("/app",), False)
    assert sum(seen) == len(LOWER) + len(UPPER)


def test_layers_that_are_known_or_repeated_are_not_read_again():
    shelf = Shelf()
    shelf.image(LOWER, UPPER, UPPER)
    first = load_image(shelf, "latest", AMD64)
    assert sorted(shelf.asked[1:]) == sorted([sha256(LOWER), sha256(UPPER)])
    shelf.asked.clear()
    known = {layer.digest: layer for layer in first.layers}
    again = load_image(shelf, "latest", AMD64, known=lambda layer: known.get(layer.digest))
    assert (again, shelf.asked) == (first, [first.manifest.config.digest])


@pytest.mark.parametrize(("stores_compressed", "first"), [(True, (2, 3)), (False, (0,))])
def test_large_layers_are_read_first_where_two_are_read_at_once(stores_compressed, first):
    """Of four layers that two readers take from a queue, either may ask before the other."""
    shelf = Shelf(stores_compressed=stores_compressed)
    layers = [gzip.compress(archive(member("a", bytes(range(256)) * size)), 0) for size in (1, 99, 300, 200)]
    shelf.image(*layers)
    load_image(shelf, "latest", AMD64)
    asked = [layer for layer in shelf.asked if layer in map(sha256, layers)]
    assert asked[0] in [sha256(layers[position]) for position in first]


def test_an_index_is_followed_to_the_platform():
    shelf = Shelf()
    amd64 = shelf.image(LOWER, tags=()) | {"platform": {"os": "linux", "architecture": "amd64"}}
    other = shelf.image(UPPER, tags=()) | {"platform": {"os": "linux", "architecture": "arm64"}}
    shelf.publish({"mediaType": INDEX, "manifests": [other, amd64]}, "multi")
    resolved = resolve_image(shelf, "multi", AMD64)
    assert resolved.descriptor.digest == amd64["digest"]
    assert json.loads(resolved.manifest_body)["layers"][0]["digest"] == sha256(LOWER)
    with pytest.raises(NotFound, match="linux/amd64"):
        resolve_image(shelf, "multi", Platform("linux", "s390x"))


def test_an_index_within_an_index_is_refused():
    shelf = Shelf()
    inner = shelf.publish({"mediaType": INDEX, "manifests": []}) | {
        "mediaType": MANIFEST,
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    shelf.publish({"mediaType": INDEX, "manifests": [inner]}, "odd")
    with pytest.raises(UnsupportedMediaType, match="index within an index"):
        resolve_image(shelf, "odd", AMD64)


def test_an_artifact_is_called_by_its_name():
    shelf = Shelf()
    chart = shelf.put(b"{}", "application/vnd.cncf.helm.config.v1+json")
    shelf.publish({"mediaType": MANIFEST, "config": chart, "layers": []}, "chart")
    with pytest.raises(UnsupportedMediaType, match="is a Helm chart, not a container image"):
        resolve_image(shelf, "chart", AMD64)


def test_an_index_without_images_is_called_by_its_name():
    shelf = Shelf()
    layer = shelf.put(LOWER, GZIP)
    cache = shelf.put(b"{}", "application/vnd.buildkit.cacheconfig.v0")
    shelf.publish({"mediaType": INDEX, "manifests": [layer, cache]}, "cache")
    with pytest.raises(UnsupportedMediaType, match=r"registry\.test/app@sha256:.* is a BuildKit cache, not a con"):
        resolve_image(shelf, "cache", AMD64)


def test_what_an_engine_keeps_plain_is_estimated():
    shelf = Shelf(stores_compressed=False)
    shelf.image(gzip.decompress(LOWER))
    image = load_image(shelf, "latest", AMD64)
    assert image.compressed_estimated
    assert image.sizes.compressed_bytes < 1000 + image.manifest.config.size_bytes
    assert image.sizes.compressed_bytes == image.layers[0].compressed_bytes + image.manifest.config.size_bytes


def test_a_known_estimate_is_not_taken_for_a_measurement():
    shelf = Shelf()
    shelf.image(LOWER)
    estimate = LayerIndex(sha256(LOWER), "", GZIP, 1, 1, (), compressed_estimated=True)
    assert load_image(shelf, "latest", AMD64, known=lambda layer: estimate).layers[0].entries


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_damaged_layer_fails_the_image_with_its_own_sentence(position):
    layers = [LOWER, UPPER, gzip.compress(archive(member("c")))]
    layers[position] = layers[position][:-20]
    shelf = Shelf()
    shelf.image(*layers)
    with pytest.raises(CorruptLayer, match=f"{sha256(layers[position])} cannot be read"):
        load_image(shelf, "latest", AMD64)


def test_a_layer_that_is_another_one_is_refused():
    shelf = Shelf()
    shelf.image(LOWER)
    shelf.blobs[sha256(LOWER)] = UPPER
    with pytest.raises(DigestMismatch):
        load_image(shelf, "latest", AMD64)


def test_an_image_is_not_assembled_from_too_few_layers():
    shelf = Shelf()
    shelf.image(LOWER, UPPER)
    with pytest.raises(InvalidResponse, match="2 layers, 0 were read"):
        assemble("app", resolve_image(shelf, "latest", AMD64), [])


def test_an_image_without_layers_is_an_image():
    shelf = Shelf()
    shelf.image()
    assert load_image(shelf, "latest", AMD64).sizes.unpacked_bytes == 0


@pytest.mark.parametrize("rootfs", [None, {}, {"type": "layers", "diff_ids": []}, {"type": "layers", "diff_ids": None}])
def test_a_config_that_names_no_contents_is_taken_as_it_is(rootfs):
    shelf = Shelf()
    shelf.said = {"rootfs": rootfs}
    shelf.image(LOWER, UPPER)
    assert len(load_image(shelf, "latest", AMD64).layers) == 2


def test_layers_that_inflate_to_what_the_config_says_are_the_image():
    shelf = Shelf()
    shelf.said = {"rootfs": {"type": "layers", "diff_ids": [sha256(gzip.decompress(blob)) for blob in (LOWER, UPPER)]}}
    shelf.image(LOWER, UPPER)
    assert len(load_image(shelf, "latest", AMD64).layers) == 2


def test_a_layer_that_inflates_to_something_else_is_no_part_of_the_image():
    shelf = Shelf()
    lower, upper = (sha256(gzip.decompress(blob)) for blob in (LOWER, UPPER))
    shelf.said = {"rootfs": {"type": "layers", "diff_ids": [lower, lower]}}
    shelf.image(LOWER, UPPER)
    with pytest.raises(DigestMismatch, match=f"Layer 2 of .* inflates to {upper}, where its config says {lower}"):
        load_image(shelf, "latest", AMD64)


def test_a_config_of_fewer_layers_is_no_config_of_this_image():
    shelf = Shelf()
    shelf.said = {"rootfs": {"type": "layers", "diff_ids": [sha256(gzip.decompress(LOWER))]}}
    shelf.image(LOWER, UPPER)
    with pytest.raises(InvalidResponse, match="has 2 layers where its config names 1"):
        load_image(shelf, "latest", AMD64)


def test_an_image_that_is_for_another_platform_is_not_found():
    shelf = Shelf()
    shelf.said = {"architecture": "arm64"}
    shelf.image(LOWER)
    with pytest.raises(NotFound, match="is an image for linux/arm64, not for linux/amd64"):
        resolve_image(shelf, "latest", AMD64)
    assert resolve_image(shelf, "latest", Platform("linux", "arm64")).config.platform.architecture == "arm64"


@pytest.mark.parametrize("said", [{"os": "", "architecture": ""}, {"os": None, "architecture": None}])
def test_an_image_that_names_no_platform_is_for_any(said):
    shelf = Shelf()
    shelf.said = said
    shelf.image(LOWER)
    assert resolve_image(shelf, "latest", AMD64).index is None


def test_the_word_of_an_index_holds_over_that_of_a_config():
    shelf = Shelf()
    shelf.said = {"architecture": "arm64"}
    only = shelf.image(LOWER, tags=())
    shelf.publish(
        {"mediaType": INDEX, "manifests": [only | {"platform": {"os": "linux", "architecture": "amd64"}}]}, "a"
    )
    shelf.publish({"mediaType": INDEX, "manifests": [only]}, "b")
    resolved = resolve_image(shelf, "a", AMD64)
    assert resolved.index is not None
    assert resolved.index.images[0].digest == resolved.descriptor.digest
    with pytest.raises(NotFound, match="linux/arm64"):
        resolve_image(shelf, "b", AMD64)


FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def _with_foreign_layer(shelf: Shelf, url: str) -> dict[str, object]:
    config = shelf.put(b'{"os":"linux","architecture":"amd64"}', CONFIG)
    foreign = shelf.put(LOWER, FOREIGN) | {"urls": [url]}
    shelf.publish({"mediaType": MANIFEST, "config": config, "layers": [foreign, shelf.put(UPPER, GZIP)]}, "latest")
    return foreign


def test_a_foreign_layer_that_the_registry_holds_is_read():
    shelf = Shelf()
    _with_foreign_layer(shelf, "https://somebody.example.com/layer")
    image = load_image(shelf, "latest", AMD64)
    assert len(image.layers) == 2
    assert image.manifest.foreign_bytes == len(LOWER)


def test_a_foreign_layer_is_never_fetched_from_the_address_that_it_names():
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        shelf = Shelf()
        foreign = _with_foreign_layer(shelf, f"http://127.0.0.1:{server.server_address[1]}/layer")
        del shelf.blobs[str(foreign["digest"])]
        with pytest.raises(NotFound, match=f"is foreign: {shelf.name} does not hold it") as caught:
            load_image(shelf, "latest", AMD64)
        server.shutdown()
    assert f"{len(LOWER)} bytes are weighed apart" in str(caught.value)
    assert asked == []


def test_any_other_layer_that_is_missing_is_told_by_its_source():
    shelf = Shelf()
    shelf.image(LOWER)
    del shelf.blobs[sha256(LOWER)]
    with pytest.raises(NotFound, match="There is no sha256"):
        load_image(shelf, "latest", AMD64)


def test_platforms_are_weighed_from_their_manifests():
    shelf = Shelf()
    rows = []
    for architecture, upper in (("amd64", UPPER), ("arm64", gzip.compress(archive(member("arm"))))):
        shelf.said = {"architecture": architecture}
        row = shelf.image(LOWER, upper, tags=())
        rows.append(row | {"platform": {"os": "linux", "architecture": architecture}})
    gone = rows[0] | {"digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "s390x"}}
    shelf.publish({"mediaType": INDEX, "manifests": [*rows, gone]}, "multi")
    weight = weigh_platforms(shelf, "multi")
    assert [each.platform for each in weight.platforms] == ["linux/amd64", "linux/arm64"]
    assert weight.shared_bytes == len(LOWER)
    assert weight.compressed_bytes == sum(each.compressed_bytes for each in weight.platforms) - len(LOWER)
    assert (weight.missing, weight.unpacked_bytes, shelf.asked) == (("linux/s390x",), None, [])


def test_where_layers_are_plain_the_platforms_are_read():
    shelf = Shelf(stores_compressed=False)
    lower, upper = gzip.decompress(LOWER), gzip.decompress(UPPER)
    rows = []
    for architecture, layers in (("amd64", (lower,)), ("arm64", (lower, upper))):
        shelf.said = {"architecture": architecture}
        rows.append(shelf.image(*layers, tags=()))
    shelf.publish({"mediaType": INDEX, "manifests": rows}, "multi")
    weight = weigh_platforms(shelf, "multi")
    assert [(each.platform, each.unpacked_bytes) for each in weight.platforms] == [
        ("linux/amd64", 1001),
        ("linux/arm64", 1501),
    ]
    assert weight.unpacked_bytes == 1501
    assert all(each.compressed_estimated for each in weight.platforms)
    assert weight.compressed_bytes < len(lower)


def test_an_index_of_very_many_images_is_not_walked():
    shelf = Shelf()
    row = shelf.image(LOWER, tags=())
    shelf.publish({"mediaType": INDEX, "manifests": [row] * 101}, "many")
    with pytest.raises(TooLarge, match="an index of 101 images"):
        weigh_platforms(shelf, "many")
