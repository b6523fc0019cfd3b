"""Scans of images on disk: layouts and saved archives are services like those of any registry."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fleet import scanning
from fleet.models import Finding, Registry, Scan, Service, Snapshot
from fleet.oci.sources.layout import INDEX
from fleet.sample.build import BuiltImage, sha256
from tests.fakes.pushable import PushableRegistry, day, image, layer

pytestmark = pytest.mark.django_db

OLD, NEW = image(day(0)), image(day(7), app=b"x" * 9000)
WINDOWS = image(base=layer({"Windows/System32/ntdll.dll": b"w" * 3000}))
NAME = "org.opencontainers.image.ref.name"
Members = dict[str, bytes]


def layout_members(images: Mapping[str, BuiltImage], **annotations: str) -> Members:
    """An OCI layout's files; the images by tag."""
    rows = []
    members = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    for tag, built in images.items():
        for blob in built.blobs:
            members[f"blobs/sha256/{blob.digest.removeprefix('sha256:')}"] = b"".join(blob.chunks())
        members[f"blobs/sha256/{built.digest.removeprefix('sha256:')}"] = built.document.body
        said = {NAME: tag} | {key: value.format(tag=tag) for key, value in annotations.items()}
        row = {"mediaType": built.document.media_type, "digest": built.digest, "size": len(built.document.body)}
        rows.append(row | {"annotations": said})
    return members | {INDEX: json.dumps({"schemaVersion": 2, "manifests": rows}).encode()}


def saved_members(images: Mapping[str, BuiltImage]) -> Members:
    """What ``docker save`` wrote for years: plain layers and a manifest.json; the images by whole name."""
    members: Members = {}
    rows = []
    for name, built in images.items():
        config = f"{built.config.digest.removeprefix('sha256:')}.json"
        layers = [f"{blob.digest.removeprefix('sha256:')}/layer.tar" for blob in built.layers]
        members[config] = built.config.content
        for path, blob in zip(layers, built.layers, strict=True):
            members[path] = gzip.decompress(b"".join(blob.chunks()))
        rows.append({"Config": config, "RepoTags": [name], "Layers": layers})
    return members | {"manifest.json": json.dumps(rows).encode()}


def write_directory(path: Path, members: Members) -> None:
    for name, body in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(body)


def write_archive(path: Path, members: Members, *, changed: int = 0) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, body in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    if changed:
        os.utime(path, (changed, changed))
    return path


def scan(kind: str, path: Path | str) -> Scan:
    registry, _ = Registry.objects.get_or_create(name=kind, defaults={"kind": kind, "url": str(path)})
    return scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND))


def told(done: Scan) -> list[str]:
    return list(done.errors.values_list("message", flat=True))


def put_layout(path: Path) -> Path:
    write_directory(path / "team" / "app", layout_members({"1.0": OLD, "1.1": NEW}))
    return path


def put_oci_archive(path: Path) -> Path:
    names = {"io.containerd.image.name": "docker.io/team/app:{tag}"}
    write_archive(path / "app.tar", layout_members({"1.0": OLD, "1.1": NEW}, **names))
    return path


def put_saved_archives(path: Path) -> Path:
    write_archive(path / "old.tar", saved_members({"team/app:1.0": OLD}))
    write_archive(path / "new.tar", saved_members({"docker.io/team/app:1.1": NEW}))
    return path


@pytest.mark.parametrize(
    ("kind", "put"), [("layout", put_layout), ("archive", put_oci_archive), ("archive", put_saved_archives)]
)
def test_the_same_images_on_disk_give_the_same_service(kind: str, put: Callable[[Path], Path], tmp_path: Path) -> None:
    with PushableRegistry({"team/app": {"1.0": OLD, "1.1": NEW}}) as server:
        registry = Registry.objects.create(name="Hub", url=server.url)
        scanning.run_scan(scanning.start(registry, Scan.Trigger.COMMAND))
        asked = _facts(registry)
    Service.objects.all().delete()
    done = scan(kind, put(tmp_path))
    assert (done.status, told(done)) == (Scan.Status.DONE, [])
    found = _facts(done.registry)
    if put is put_saved_archives:
        # Layers are kept plain, so that what a pull would move is sampled.
        compressed, estimated = asked.pop("compressed"), found.pop("compressed")
        assert compressed / 2 < estimated < compressed * 2
    assert found == asked


def _facts(registry: Registry) -> dict[str, object]:
    service = Service.objects.select_related("snapshot").get(registry=registry)
    return {
        "repository": service.repository,
        "tags": sorted(Snapshot.objects.filter(service=service).values_list("tag", "taken_at")),
        "newest": service.snapshot.tag,
        "runtime": service.runtime,
        "unpacked": service.unpacked_bytes,
        "compressed": service.compressed_bytes,
        "findings": [
            (finding.rule, finding.paths, finding.unpacked_bytes)
            for finding in Finding.objects.filter(analysis__image=service.snapshot.image)
        ],
        "modes": sorted(service.suggestions.values_list("mode", flat=True)),
    }


@pytest.mark.parametrize(("kind", "put", "layers"), [("layout", put_layout, 2), ("archive", put_saved_archives, 3)])
def test_a_second_scan_finds_nothing_new(kind: str, put: Callable[[Path], Path], layers: int, tmp_path: Path) -> None:
    """Plain layers have to be read for every tag, others for the newest alone."""
    put(tmp_path)
    first = scan(kind, tmp_path)
    assert (first.snapshots, first.layers_indexed) == (2, layers)
    again = scan(kind, tmp_path)
    assert (again.status, again.snapshots, again.layers_indexed) == (Scan.Status.DONE, 0, 0)


def test_a_file_is_an_endpoint_of_what_it_holds(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "all", saved_members({"one:1": OLD, "localhost:5000/Team/Two:2": NEW}))
    done = scan("archive", f"file://{path}")
    assert told(done) == []
    assert list(Service.objects.order_by("repository").values_list("repository", "snapshot__tag")) == [
        ("localhost-5000/team/two", "2"),
        ("one", "1"),
    ]


def test_the_archive_that_was_written_last_has_the_tag(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.tar", saved_members({"app:1": NEW}), changed=2_000_000_000)
    write_archive(tmp_path / "b.tar", saved_members({"app:1": OLD}), changed=1_000_000_000)
    scan("archive", tmp_path)
    assert Snapshot.objects.get().unpacked_bytes == sum(map(len, _files(NEW)))
    write_archive(tmp_path / "b.tar", saved_members({"app:1": OLD}), changed=2_100_000_000)
    scan("archive", tmp_path)
    assert [snapshot.unpacked_bytes for snapshot in Snapshot.objects.order_by("pk")] == [
        sum(map(len, _files(NEW))),
        sum(map(len, _files(OLD))),
    ]


def _files(built: BuiltImage) -> list[bytes]:
    found = []
    for blob in built.layers:
        with tarfile.open(fileobj=io.BytesIO(b"".join(blob.chunks()))) as archive:
            found += [archive.extractfile(member).read() for member in archive if member.isreg()]  # type: ignore[union-attr]
    return found


def test_a_damaged_archive_is_named_and_nothing_is_taken_for_gone(tmp_path: Path) -> None:
    put_saved_archives(tmp_path)
    scan("archive", tmp_path)
    whole = (tmp_path / "new.tar").read_bytes()
    (tmp_path / "new.tar").write_bytes(whole[: len(whole) // 2])
    done = scan("archive", tmp_path)
    assert done.status == Scan.Status.FAILED
    assert "new.tar is no tar, or a damaged one" in done.message
    assert Service.objects.get().gone_at is None
    (tmp_path / "new.tar").unlink()
    assert scan("archive", tmp_path).status == Scan.Status.DONE


def test_an_image_whose_layer_is_not_what_its_config_says_is_not_judged(tmp_path: Path) -> None:
    """The blob is whole, yet it inflates to something else than was built: no engine runs such an image."""
    body = OLD.config.content.replace(OLD.layers[1].diff_id.encode(), OLD.layers[0].diff_id.encode())
    members = layout_members({"1.0": OLD})
    manifest = OLD.document.body.replace(OLD.config.digest.encode(), sha256(body).encode())
    members[f"blobs/sha256/{sha256(body).removeprefix('sha256:')}"] = body
    members[f"blobs/sha256/{sha256(manifest).removeprefix('sha256:')}"] = manifest
    members[INDEX] = members[INDEX].replace(OLD.digest.encode(), sha256(manifest).encode())
    write_directory(tmp_path / "app", members)
    done = scan("layout", tmp_path)
    (message,) = told(done) or [(done.status, done.message, done.snapshots, done.layers_indexed)]
    assert f"inflates to {OLD.layers[1].diff_id}, where its config says {OLD.layers[0].diff_id}" in message
    assert Snapshot.objects.get().tag == "1.0"
    assert not Finding.objects.exists()


def test_what_cannot_be_read_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    """An image for another platform, a foreign layer that is not here, an index of nothing but a cache."""
    write_directory(tmp_path / "app", layout_members({"1.0": NEW}))
    write_directory(tmp_path / "arm", layout_members({"1.0": image(platform="linux/arm64")}))
    write_directory(tmp_path / "windows", _without_foreign_layer())
    write_directory(tmp_path / "cache", _cache())
    done = scan("layout", tmp_path)
    assert done.status == Scan.Status.PARTIAL
    messages = "\n".join(told(done))
    assert "is an image for linux/arm64, not for linux/amd64" in messages
    assert WINDOWS.layers[0].digest.removeprefix("sha256:") in messages
    assert "is a BuildKit cache, not a container image" in messages
    assert Service.objects.get(repository="app").runtime == "python"
    snapshot = Snapshot.objects.get(service__repository="windows")
    assert snapshot.compressed_bytes == WINDOWS.compressed_bytes - WINDOWS.layers[0].size_bytes


def _without_foreign_layer() -> Members:
    """The base is a foreign layer, which a registry need not hold."""
    row = json.loads(WINDOWS.document.body)
    row["layers"][0] |= {
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "urls": ["https://127.0.0.1:1/layer"],
    }
    body = json.dumps(row).encode()
    members = layout_members({"1.0": WINDOWS})
    del members[f"blobs/sha256/{WINDOWS.layers[0].digest.removeprefix('sha256:')}"]
    members[f"blobs/sha256/{sha256(body).removeprefix('sha256:')}"] = body
    index = json.loads(members[INDEX])
    index["manifests"][0] |= {"digest": sha256(body), "size": len(body)}
    return members | {INDEX: json.dumps(index).encode()}


def _cache() -> Members:
    """What BuildKit exports as a cache: an index of layers and a config of its own."""
    media_type = "application/vnd.oci.image.index.v1+json"
    rows = [{"mediaType": "application/vnd.buildkit.cacheconfig.v0", "digest": sha256(b"{}"), "size": 2}]
    inner = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": rows}).encode()
    row = {"mediaType": media_type, "digest": sha256(inner), "size": len(inner), "annotations": {NAME: "cache"}}
    return {
        f"blobs/sha256/{sha256(inner).removeprefix('sha256:')}": inner,
        INDEX: json.dumps({"schemaVersion": 2, "manifests": [row]}).encode(),
    }


@pytest.mark.parametrize(("kind", "sentence"), [("layout", "holds no OCI layout"), ("archive", "holds no saved image")])
def test_an_empty_directory_fails_with_what_to_do(kind: str, sentence: str, tmp_path: Path) -> None:
    done = scan(kind, tmp_path)
    assert done.status == Scan.Status.FAILED
    assert sentence in done.message
