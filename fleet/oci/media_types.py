"""Media types, and what a manifest holds by their word.

Specs: https://github.com/opencontainers/image-spec/blob/main/media-types.md,
https://github.com/distribution/distribution/blob/main/docs/content/spec/manifest-v2-2.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.oci.wording import shown

if TYPE_CHECKING:
    from fleet.oci.manifest import Index, Manifest

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
OCI_EMPTY = "application/vnd.oci.empty.v1+json"

SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

PLAIN_LAYERS = (DOCKER_LAYER_TAR, OCI_LAYER_TAR)

# Sent whole with every request for a manifest: without it an old registry converts to schema1.
ACCEPT = ", ".join((OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST))

REFERENCE_TYPE = "vnd.docker.reference.type"
REFERENCE_DIGEST = "vnd.docker.reference.digest"
ATTESTATION_MANIFEST = "attestation-manifest"
IN_TOTO = "application/vnd.in-toto+json"

_OCI_FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar"
# By how the type begins, since most carry a version: the longest that fits holds.
_ARTIFACTS = {
    "application/vnd.cncf.helm.": "a Helm chart",
    "application/vnd.buildkit.cacheconfig.": "a BuildKit cache",
    "application/vnd.wasm.": "a WebAssembly module",
    "application/vnd.module.wasm.": "a WebAssembly module",
    "application/wasm": "a WebAssembly module",
    IN_TOTO: "an attestation",
    "application/vnd.docker.attestation.": "an attestation",
    "application/vnd.dsse.envelope.": "an attestation",
    "application/vnd.dev.cosign.artifact.att.": "an attestation",
    "application/vnd.dev.cosign.simplesigning.": "a signature",
    "application/vnd.dev.cosign.artifact.sig.": "a signature",
    "application/vnd.dev.sigstore.bundle": "a signature",
    "application/vnd.cncf.notary.": "a signature",
    "application/vnd.dev.cosign.artifact.sbom.": "an SBOM",
    "application/vnd.cyclonedx": "an SBOM",
    "application/spdx+json": "an SBOM",
    "text/spdx": "an SBOM",
    "application/vnd.syft+json": "an SBOM",
    "application/sarif+json": "a scanner's report",
    "application/vnd.aquasec.trivy.": "a vulnerability database",
    "application/vnd.docker.plugin.": "a Docker Engine plugin",
    "application/vnd.docker.compose.": "a Compose application",
    "application/vnd.docker.ai.": "a machine learning model",
    "application/vnd.cncf.model.": "a machine learning model",
    "application/vnd.sylabs.sif.": "a Singularity image",
    "application/vnd.cncf.flux.": "a Flux bundle",
    "application/vnd.cncf.openpolicyagent.": "a policy bundle",
}
_LONGEST_FIRST = sorted(_ARTIFACTS, key=len, reverse=True)


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


def artifact_name(media_type: str) -> str | None:
    """What content of this type is, as a noun phrase; None for the types of images and for those that nobody knows."""
    found = next((prefix for prefix in _LONGEST_FIRST if media_type.startswith(prefix)), None)
    if found is None and without_parameters(media_type).endswith("+wasm"):
        return "a WebAssembly module"
    return _ARTIFACTS[found] if found else None


def describe_artifact(manifest: Manifest) -> str | None:
    """What a manifest holds when it is no container image, as a noun phrase ("a Helm chart"); None for an image."""
    layers = [layer.media_type for layer in manifest.layers]
    for media_type in (manifest.artifact_type, manifest.config.media_type, *layers):
        if named := artifact_name(media_type):
            return named
    if manifest.artifact_type and not is_image_config(manifest.artifact_type):
        return f"an artifact of type {shown(manifest.artifact_type)}"
    if not is_image_config(manifest.config.media_type):
        return f"an artifact of type {shown(manifest.config.media_type) or 'unknown'}"
    if layers and not any(is_layer(name) for name in layers):
        return f"an artifact of type {shown(layers[0])}"
    return None


def describe_index(index: Index) -> str:
    """What an index without any image holds, as a noun phrase: "a BuildKit cache", "attestations alone"."""
    for media_type in (index.artifact_type, *(item.artifact_type for item in index.manifests)):
        if media_type and not is_image_config(media_type):
            return artifact_name(media_type) or f"an artifact of type {shown(media_type)}"
    kinds = [item.media_type for item in index.manifests]
    if named := next(filter(None, map(artifact_name, kinds)), None):
        return named
    if not kinds:
        return "an empty index"
    if any(map(is_schema1, kinds)):
        return "an index of legacy schema 1 images"
    if any(map(is_index, kinds)):
        return "an index of further indexes"
    if all(map(is_image_manifest, kinds)):
        return "an index of attestations alone"
    return f"an index of {shown(next(kind for kind in kinds if not is_image_manifest(kind))) or 'unknown content'}"
