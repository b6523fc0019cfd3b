import gzip
import json
from collections.abc import Iterator

import pytest

from fleet.image.entries import LayerIndex
from fleet.image.loading import assemble, load_image, resolve_image
from fleet.oci.errors import CorruptLayer, DigestMismatch, InvalidResponse, NotFound, UnsupportedMediaType
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
        config = json.dumps({"os": "linux", "architecture": "amd64", "config": {"Cmd": ["/app"]}}).encode()
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
