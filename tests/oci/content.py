"""Content that tests push around."""

from __future__ import annotations

import hashlib
import http.client
import json
from dataclasses import dataclass

from fleet.oci.answer import Limits
from fleet.oci.manifest import Descriptor
from fleet.oci.media_types import DOCKER_CONFIG, DOCKER_LAYER_GZIP, DOCKER_MANIFEST
from tests.servers import DebianRegistry

# Waits that a test can afford.
HASTY = Limits(read_seconds=0.5, connect_seconds=1, backoff_seconds=0.001, patience_seconds=2)


def sha256(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@dataclass(frozen=True)
class Sample:
    """A small image: manifest, config and one layer of arbitrary bytes."""

    config: bytes
    layer: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        return sha256(self.manifest)

    @property
    def layer_descriptor(self) -> Descriptor:
        return Descriptor(DOCKER_LAYER_GZIP, sha256(self.layer), len(self.layer))


def make_sample(layer: bytes = b"layer " * 1000) -> Sample:
    config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [sha256(layer)]}}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {"mediaType": DOCKER_CONFIG, "size": len(config), "digest": sha256(config)},
        "layers": [{"mediaType": DOCKER_LAYER_GZIP, "size": len(layer), "digest": sha256(layer)}],
    }
    return Sample(config, layer, json.dumps(manifest).encode())


def push(registry: DebianRegistry, repository: str, tag: str, sample: Sample) -> None:
    """Uploads an image without any of our own code."""
    for blob in (sample.config, sample.layer):
        location = _send(registry, "POST", f"/v2/{repository}/blobs/uploads/")
        path = location.partition(registry.host)[2]
        _send(registry, "PUT", f"{path}&digest={sha256(blob)}", blob)
    _send(registry, "PUT", f"/v2/{repository}/manifests/{tag}", sample.manifest, DOCKER_MANIFEST)


def _send(
    registry: DebianRegistry, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream"
) -> str:
    connection = http.client.HTTPConnection(registry.host, timeout=10)
    connection.request(method, path, body, {"Content-Type": kind, "Content-Length": str(len(body))})
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status < 300, (method, path, response.status)
    return response.getheader("Location", "")
