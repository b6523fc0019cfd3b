"""Layers to measure with, and images of one layer for those who read nothing else.

Everything is streamed to disk: what a measured process inherits of its parent's memory counts as its own.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.image.archives import END, GZIP, block, padded  # noqa: E402

CHUNK_BYTES = 256 << 10
DIRECTORIES = ("/usr/lib/python3.11", "/usr/lib/python3", "/usr/bin", "/usr/share/perl", "/usr/lib/x86_64-linux-gnu")
_FILES_IN_A_DIRECTORY = 12
_CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "config": {"Cmd": ["/bin/sh"]},
    "history": [{"created_by": "COPY . /"}],
}


class _Gzip(io.RawIOBase):
    """A file that tarfile writes to: gzip -6, as builders do."""

    def __init__(self, target: IO[bytes]) -> None:
        self.written = 0
        self._target = target
        self._deflate = zlib.compressobj(6, wbits=31)

    def write(self, content: bytes) -> int:  # type: ignore[override]
        self._target.write(self._deflate.compress(content))
        self.written += len(content)
        return len(content)

    def finish(self) -> None:
        self._target.write(self._deflate.flush())


def write_layer(target: Path, directories: Iterable[str], wanted_bytes: int) -> None:
    """A layer of the machine's own files below ``directories``, about ``wanted_bytes`` of them."""
    with target.open("wb") as file:
        gzip = _Gzip(file)
        with tarfile.open(fileobj=gzip, mode="w|") as tar:
            for path in (path for directory in directories for path in sorted(Path(directory).rglob("*"))):
                if gzip.written > wanted_bytes:
                    break
                tar.add(path, recursive=False, filter=_in_whole_seconds)
        gzip.finish()


def _in_whole_seconds(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """As engines write times, which spares the extended header that tarfile writes before every file otherwise."""
    info.mtime = int(info.mtime)
    return info


def write_small_files(target: Path, count: int) -> None:
    """A layer of ``count`` modules with paths as long as those below node_modules are."""
    pack = zlib.compressobj(1, wbits=31)
    with target.open("wb") as file:
        for number in range(count):
            package, body = number // _FILES_IN_A_DIRECTORY, b"module.exports = %d\n" % number * 3
            name = b"usr/lib/node_modules/package-%06d/dist/lib/module-%07d.js" % (package, number)
            file.write(pack.compress(block(name, size=len(body)) + padded(body)))
        file.write(pack.compress(END) + pack.flush())


def chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def sha256(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def unpacked(path: Path) -> Iterator[bytes]:
    inflate = zlib.decompressobj(31)
    return (inflate.decompress(chunk) for chunk in chunks(path))


def write_oci_archive(target: Path, blob: Path) -> None:
    """An image of the one layer ``blob``, tagged ``bench``, as an OCI image layout in a tar."""
    config = _config(blob)
    layer = {"mediaType": GZIP, "digest": f"sha256:{sha256(chunks(blob))}", "size": blob.stat().st_size}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [layer],
    }
    body = json.dumps(manifest).encode()
    named = _descriptor(manifest["mediaType"], body) | {"annotations": {"org.opencontainers.image.ref.name": "bench"}}
    index = {"schemaVersion": 2, "manifests": [named]}
    with tarfile.open(target, "w") as tar:
        _add(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _add(tar, "index.json", json.dumps(index).encode())
        # Syft makes no directory that the archive does not name.
        for directory in ("blobs", "blobs/sha256"):
            _add_directory(tar, directory)
        for content in (config, body):
            _add(tar, f"blobs/sha256/{sha256([content])}", content)
        tar.add(blob, f"blobs/sha256/{str(layer['digest']).partition(':')[2]}")


def write_docker_archive(target: Path, blob: Path) -> None:
    """The same image as ``docker save`` wrote it for years: its layer as a plain tar."""
    config = _config(blob)
    plain = target.with_suffix(".layer")
    with plain.open("wb") as file:
        file.writelines(unpacked(blob))
    name = sha256([config])
    manifest = [{"Config": f"{name}.json", "RepoTags": ["bench:latest"], "Layers": ["layer/layer.tar"]}]
    with tarfile.open(target, "w") as tar:
        _add(tar, f"{name}.json", config)
        _add(tar, "manifest.json", json.dumps(manifest).encode())
        tar.add(plain, "layer/layer.tar")
    plain.unlink()


def _config(blob: Path) -> bytes:
    diff_id = f"sha256:{sha256(unpacked(blob))}"
    return json.dumps(_CONFIG | {"rootfs": {"type": "layers", "diff_ids": [diff_id]}}).encode()


def _descriptor(media_type: str, body: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": f"sha256:{sha256([body])}", "size": len(body)}


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _add_directory(tar: tarfile.TarFile, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(info)
