"""The images that every registry of the matrix holds: each way to store a layer, each kind of manifest."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import zstandard

from fleet.oci.manifest import HistoryEntry, ImageConfig, Platform
from fleet.sample.build import BuiltImage, Bytes, Dialect, Document, Published, build_image, sha256
from fleet.sample.index import BuiltIndex, attested, build_index
from fleet.sample.tar import File, tar_pieces, whiteout, with_parents
from tests.fakes.pushable import BASE, artifact, day, image

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
PLAIN = "application/vnd.oci.image.layer.v1.tar"
DOCKER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64", "v8")

SITE = "usr/local/lib/python3.11/site-packages"
STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10

Package: gcc
Status: install ok installed
Architecture: amd64
Version: 4:12.2.0-3

"""
STEPS = (
    "/bin/sh -c apt-get update && apt-get install -y gcc",
    "RUN pip install django==5.2",
    "COPY . /app",
)


@dataclass(frozen=True, slots=True)
class StoredLayer(Bytes):
    """``tar`` is what it inflates to."""

    media_type: str
    tar: bytes

    @property
    def diff_id(self) -> str:
        return sha256(self.tar)


def stored(files: Sequence[File], media_type: str) -> StoredLayer:
    tar = b"".join(bytes(piece.raw) for piece in tar_pieces(with_parents(files)))
    if media_type.endswith("gzip"):
        return StoredLayer(gzip.compress(tar, mtime=0), media_type, tar)
    if media_type == ZSTD:
        return StoredLayer(zstandard.ZstdCompressor().compress(tar), media_type, tar)
    return StoredLayer(tar, media_type, tar)


def _base() -> list[File]:
    return [
        File("etc/os-release", b'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME="bookworm"\n'),
        File("usr/local/bin/python3.11", _noise("python", 60_000), mode=0o755),
        File("usr/bin/gcc", _noise("gcc", 40_000), mode=0o755),
        File("usr/share/doc/gcc/changelog", b"* A change.\n" * 2_000),
        File("var/lib/dpkg/status", STATUS.encode()),
        File("var/lib/dpkg/info/gcc.list", b"/usr/bin/gcc\n/usr/share/doc/gcc/changelog\n"),
        File("var/cache/apt/archives/gcc_12.deb", _noise("deb", 30_000)),
        File("var/lib/apt/lists/deb.debian.org_Packages", b"Package: a\n" * 4_000),
    ]


def _dependencies() -> list[File]:
    record = b"django/__init__.py,,\ndjango/core.py,,\ndjango-5.2.dist-info/METADATA,,\n"
    return [
        File(f"{SITE}/django/__init__.py", b"VERSION = (5, 2)\n"),
        File(f"{SITE}/django/core.py", b"def run():\n    pass\n" * 1_000),
        File(f"{SITE}/django/__pycache__/core.cpython-311.pyc", _noise("pyc", 9_000)),
        File(f"{SITE}/django-5.2.dist-info/METADATA", b"Metadata-Version: 2.1\nName: Django\nVersion: 5.2\n"),
        File(f"{SITE}/django-5.2.dist-info/RECORD", record),
        File("root/.cache/pip/http/django.whl", _noise("wheel", 25_000)),
    ]


def _app(release: str) -> list[File]:
    return [
        File("app/main.py", f"print('{release}')\n".encode()),
        File("app/.git/objects/pack/pack-1.pack", _noise("pack", 12_000)),
        # Of the layers below: one file deleted, one written again.
        whiteout("usr/share/doc/gcc/changelog"),
        File(f"{SITE}/django/__init__.py", b"VERSION = (5, 2, 1)\n"),
    ]


def _noise(seed: str, size_bytes: int) -> bytes:
    """The same bytes every time, which do not compress."""
    return random.Random(seed).randbytes(size_bytes)


def make_image(
    release: str,
    kinds: Sequence[str],
    *,
    created: int,
    dialect: Dialect = "oci",
    platform: Platform = AMD64,
) -> BuiltImage:
    """A Django image of three layers that are stored in these ways."""
    layers = [stored(files, kind) for files, kind in zip((_base(), _dependencies(), _app(release)), kinds, strict=True)]
    config = ImageConfig(
        platform=platform,
        created=day(created),
        env=("PATH=/usr/local/bin:/usr/bin:/bin", "PYTHON_VERSION=3.11.9"),
        cmd=("python3.11", "/app/main.py"),
        working_dir="/app",
        labels={"org.opencontainers.image.vendor": "Shop team"},
        history=tuple(HistoryEntry(step, created=day(created)) for step in STEPS),
    )
    built = build_image(config, layers, dialect=dialect)  # type: ignore[arg-type]
    row = json.loads(built.document.body)
    for descriptor, layer in zip(row["layers"], layers, strict=True):
        descriptor["mediaType"] = layer.media_type
    return BuiltImage(Document(built.document.media_type, json.dumps(row).encode()), built.config, built.layers)


@cache
def images() -> Mapping[str, Mapping[str, BuiltImage | BuiltIndex]]:
    """By repository and tag. The tags of a repository share layers, some of them compressed in another way."""
    shop = {
        "1.0": make_image("1.0", [DOCKER_GZIP] * 3, created=0, dialect="docker"),
        "1.1": make_image("1.1", [GZIP, ZSTD, PLAIN], created=7),
    }
    amd64 = make_image("2.0", [GZIP] * 3, created=14)
    arm64 = make_image("2.0", [GZIP] * 3, created=14, platform=ARM64)
    return {"team/shop": shop, "team/many": {"2.0": _with_attestation(amd64, arm64)}}


@cache
def contents() -> Mapping[str, Mapping[str, Published]]:
    """The images, and a chart, which is none."""
    return {**images(), "charts/shop": {"0.1.0": artifact()}}


def bases() -> dict[str, dict[str, BuiltImage]]:
    """The slim base that fits the images, as Docker Hub would name it."""
    return {"library/python": {"3.11-slim-bookworm": image(layers=[BASE])}}


def newest(repository: str) -> BuiltImage:
    """The image that a scan for linux/amd64 takes."""
    return of_amd64(list(images()[repository].values())[-1])


def of_amd64(published: BuiltImage | BuiltIndex) -> BuiltImage:
    if isinstance(published, BuiltImage):
        return published
    return next(member for member in published.members if isinstance(member, BuiltImage))


def _with_attestation(amd64: BuiltImage, arm64: BuiltImage) -> BuiltIndex:
    """Two platforms, and the provenance of the first as BuildKit adds it."""
    platforms = build_index({AMD64: amd64, ARM64: arm64})
    proven = attested(amd64, AMD64)
    row = json.loads(platforms.document.body)
    row["manifests"].append(json.loads(proven.document.body)["manifests"][1])
    document = Document(platforms.document.media_type, json.dumps(row).encode())
    return BuiltIndex(document, (*platforms.members, proven.members[1]))
