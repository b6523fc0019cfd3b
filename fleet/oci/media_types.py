"""Media types, and what a manifest holds by their word.

Specs: https://github.com/opencontainers/image-spec/blob/main/media-types.md,
https://github.com/distribution/distribution/blob/main/docs/content/spec/manifest-v2-2.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.oci.wording import shown

if TYPE_CHECKING:
    from fleet.oci.manifest import Manifest

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_TAR = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_LAYER_ZSTD = "application/vnd.docker.image.rootfs.diff.tar.zstd"
DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"

SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

PLAIN_LAYERS = (DOCKER_LAYER_TAR, OCI_LAYER_TAR)

# Sent whole with every request for a manifest: without it an old registry converts to schema1.
ACCEPT = ", ".join((OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST))

_OCI_FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar"
_ARTIFACTS = {
    "application/vnd.cncf.helm.config.v1+json": "a Helm chart",
    "application/vnd.buildkit.cacheconfig.v0": "a BuildKit cache",
    "application/vnd.wasm.config.v0+json": "a WebAssembly module",
    "application/vnd.in-toto+json": "an attestation",
    "application/vnd.dsse.envelope.v1+json": "an attestation",
    "application/vnd.dev.cosign.simplesigning.v1+json": "a signature",
    "application/vnd.dev.cosign.artifact.sig.v1+json": "a signature",
    "application/vnd.dev.sigstore.bundle.v0.3+json": "a signature",
    "application/vnd.cncf.notary.signature": "a signature",
    "application/vnd.cyclonedx": "an SBOM",
    "application/vnd.cyclonedx+json": "an SBOM",
    "application/vnd.cyclonedx+xml": "an SBOM",
    "application/spdx+json": "an SBOM",
    "text/spdx": "an SBOM",
    "text/spdx+json": "an SBOM",
    "application/vnd.syft+json": "an SBOM",
}


def without_parameters(content_type: str) -> str:
    """``application/json; charset=utf-8`` → ``application/json``."""
    return content_type.partition(";")[0].strip().lower()


def is_index(media_type: str) -> bool:
    return media_type in (OCI_INDEX, DOCKER_INDEX)


def is_image_manifest(media_type: str) -> bool:
    return media_type in (OCI_MANIFEST, DOCKER_MANIFEST)


def is_image_config(media_type: str) -> bool:
    return media_type in (OCI_CONFIG, DOCKER_CONFIG)


def is_schema1(media_type: str) -> bool:
    return media_type in (SCHEMA1, SCHEMA1_SIGNED)


def is_foreign_layer(media_type: str) -> bool:
    """A layer that the registry need not hold; its bytes are weighed apart."""
    return media_type == DOCKER_FOREIGN_LAYER or media_type.startswith(_OCI_FOREIGN_LAYER)


def is_layer(media_type: str) -> bool:
    """A tar of files, however compressed. By shape, since builders have coined many names for it."""
    return ".tar" in media_type or media_type.endswith("x-gtar")


def describe_artifact(manifest: Manifest) -> str | None:
    """What a manifest holds when it is no container image, as a noun phrase ("a Helm chart"); None for an image."""
    layers = [layer.media_type for layer in manifest.layers]
    named = next(
        (
            _ARTIFACTS[name]
            for name in (manifest.artifact_type, manifest.config.media_type, *layers)
            if name in _ARTIFACTS
        ),
        None,
    )
    if named:
        return named
    if not is_image_config(manifest.config.media_type):
        return f"an artifact of type {shown(manifest.artifact_type or manifest.config.media_type) or 'unknown'}"
    if layers and not any(is_layer(name) for name in layers):
        return f"an artifact of type {shown(manifest.artifact_type or layers[0])}"
    return None
