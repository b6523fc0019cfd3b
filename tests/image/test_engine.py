"""The tree and the sizes are those of a real engine."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping

import docker
import pytest

from fleet.image.entries import Entry
from fleet.image.filetree import Node, apply_layers
from tests.image.archives import (
    END,
    archive,
    block,
    directory,
    hardlink,
    index,
    member,
    padded,
    pax,
    sha256,
    symlink,
)

pytestmark = pytest.mark.engine

# What the engine itself puts into a container.
_ENGINES_OWN = (".dockerenv", "dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab")

LAYERS = [
    archive(
        directory("usr"),
        directory("usr/bin", mode=0o711),
        member("usr/bin/tool", b"x" * 1000, mode=0o4755, uid=7, gid=8),
        symlink("bin", "usr/bin"),
        symlink("sbin", "usr/bin"),
        directory("a"),
        member("a/one", b"1" * 11),
        member("a/two", b"2" * 22),
        hardlink("a/linked", "a/one"),
        hardlink("a/again", "a/one"),
        directory("opaque"),
        member("opaque/old", b"o" * 33),
        directory("opaque/deep"),
        member("opaque/deep/old", b"o" * 44),
        directory("becomes-file"),
        member("becomes-file/child", b"c" * 55),
        member("becomes-directory", b"f" * 66),
        member("fifo", type=tarfile.FIFOTYPE),
        member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        symlink("dangling", "no/where/ü"),
        member("implicit/directory/file", b"i" * 77),
        member("gone/here", b"g" * 88),
        member("caf\udce9", b"not UTF-8"),
    ),
    archive(
        member("opaque/new-before", b"n" * 12),
        member("opaque/.wh..wh..opq"),
        member("opaque/new-after", b"n" * 13),
        member("a/.wh.one"),
        member("a/two", b"2" * 22, mode=0o600),
        member("becomes-file", b"now a file"),
        directory("becomes-directory"),
        member("becomes-directory/child", b"c"),
        directory("usr", mode=0o700, uid=5),
        member("bin/placed", b"through a symlink?"),
        member(".wh.gone"),
        member("\N{SNOWMAN}/" + "long" * 50, b"pax"),
        form=tarfile.PAX_FORMAT,
    ),
    archive(
        member("gone/again", b"back"),
        directory("usr", mode=0o700, uid=5),
        directory("usr/bin", mode=0o711),
        member("usr/bin/.wh.tool"),
        member("usr/bin/tool", b"new"),
        member(".wh.fifo"),
        member(".wh.never-there"),
    ),
    pax(
        {
            b"GNU.sparse.major": b"1",
            b"GNU.sparse.minor": b"0",
            b"GNU.sparse.name": b"s",
            b"GNU.sparse.realsize": b"99999",
        }
    )
    + block(b"GNUSparseFile.0/s", size=1024)
    + padded(b"1\n0\n512\n")
    + b"s" * 512
    + END,
]


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient) -> Iterator[docker.models.images.Image]:
    (image,) = engine.images.load(saved_image(LAYERS))
    yield image
    engine.images.remove(image.id, force=True)


def saved_image(layers: list[bytes]) -> bytes:
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/none"]},
        "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
        "history": [{"created_by": f"layer {number}"} for number in range(len(layers))],
    }
    files = {"config.json": json.dumps(config).encode()}
    files |= {f"{number}/layer.tar": layer for number, layer in enumerate(layers)}
    manifest = [{"Config": "config.json", "RepoTags": None, "Layers": [f"{n}/layer.tar" for n in range(len(layers))]}]
    return archive(
        *(member(name, body) for name, body in files.items()), member("manifest.json", json.dumps(manifest).encode())
    )


def test_the_tree_is_what_the_engine_exports(engine, image):
    container = engine.containers.create(image.id)
    try:
        exported = listing(b"".join(container.export()))
    finally:
        container.remove()
    tree = apply_layers([index(layer) for layer in LAYERS])
    found = {path: facts(node.entry, tree.nodes) for path, node in tree.nodes.items()}
    assert {path: facts for path, facts in exported.items() if path in found} == found
    assert {path for path in exported if path not in found} == {
        "implicit",
        "implicit/directory",
        "gone",
        "bin",
        "\N{SNOWMAN}",
    }


Facts = tuple[str, int, int, int, int]


def facts(entry: Entry, nodes: Mapping[str, Node]) -> Facts:
    """Which of its names a file is listed under first is the archiver's choice."""
    file = nodes[entry.link].entry if entry.kind == "hardlink" else entry
    return file.kind, file.size_bytes, file.mode, file.uid, file.gid


def listing(exported: bytes) -> dict[str, Facts]:
    kinds = {
        tarfile.SYMTYPE: "symlink",
        tarfile.CHRTYPE: "device",
        tarfile.FIFOTYPE: "fifo",
        tarfile.DIRTYPE: "directory",
    }
    found = {}
    with tarfile.open(fileobj=io.BytesIO(exported)) as tar:
        for item in tar:
            if item.name != "etc" and not item.name.startswith(_ENGINES_OWN):
                file = tar.getmember(item.linkname) if item.islnk() else item
                size = len(item.linkname.encode()) if item.issym() else file.size
                found[item.name] = (kinds.get(file.type, "file"), size, file.mode & 0o7777, file.uid, file.gid)
    return found


def test_layers_weigh_what_the_engine_says(image):
    sizes = [layer["Size"] for layer in reversed(image.history())]
    assert sizes == [index(layer).unpacked_bytes for layer in LAYERS]
