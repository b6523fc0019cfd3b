"""Images that were made to do harm, or badly: what a whole scan says of them, and that it writes nothing to disk."""

from __future__ import annotations

import gzip
import json
import os
import sys
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import zstandard

from fleet.image.layer import index_layer
from fleet.image.limits import GIBIBYTE, Limits
from fleet.models import Analysis, Finding, Layer, Scan, Service, Snapshot
from fleet.sample.build import BuiltImage, Bytes, Document, sha256
from tests.fakes.faulty import FaultyRegistry
from tests.fakes.pushable import BASE, RawLayer, day, image, raw_layer
from tests.faults.conftest import Scanned
from tests.image.archives import END, archive, block, directory, hardlink, member, pax, symlink

pytestmark = pytest.mark.once

Status = Scan.Status
REFUSED = "was not read to its end: "


def stored(tar: bytes) -> RawLayer:
    return RawLayer(gzip.compress(tar, mtime=0), sha256(tar))


def push(server: FaultyRegistry, *layers: RawLayer) -> None:
    """The newest image of the only repository, on top of a good base."""
    server.push("team/app", "2.0", image(day(9), layers=(BASE, *layers)))


def push_documents(server: FaultyRegistry, *, manifest: bytes | None = None, config: bytes | None = None) -> None:
    """An image whose documents are what they are said to be by digest and size, and still wrong."""
    built = image(day(9))
    blob = built.config if config is None else Bytes(config)
    body = json.loads(built.document.body)
    body["config"] |= {"digest": blob.digest, "size": blob.size_bytes}
    raw = json.dumps(body).encode() if manifest is None else manifest
    server.push("team/app", "2.0", BuiltImage(Document(built.document.media_type, raw), blob, built.layers))


def refusal(scanned: Scanned) -> str:
    """What people read of the one bad tag. The good ones are there."""
    found = scanned()
    assert found.status == Status.PARTIAL
    ((tag, sentence),) = found.errors
    assert tag == "2.0"
    assert {"1.0", "1.1"} <= set(Snapshot.objects.values_list("tag", flat=True))
    return sentence


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Callable[[Limits], None]:
    """Lower limits for layers, so that a test need not make what is over the real ones."""

    def to(limits: Limits) -> None:
        monkeypatch.setattr("fleet.scanning.layers.index_layer", partial(index_layer, limits=limits))

    return to


def ten_gibibytes(compress: Callable[[bytes], bytes]) -> bytes:
    header = block(b"zeros", size_field=(124, b"\x80" + (10 * GIBIBYTE).to_bytes(11, "big")))
    return compress(header) + compress(bytes(64 << 20)) * 160


class TestBombs:
    @pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
    def test_ten_gibibytes_in_a_few_mebibytes(
        self, server: FaultyRegistry, scanned: Scanned, compress: Callable[[bytes], bytes]
    ) -> None:
        """With the real limits."""
        bomb = ten_gibibytes(compress)
        assert len(bomb) < 11 << 20
        push(server, RawLayer(bomb, sha256(b"never known")))
        started = time.monotonic()
        sentence = refusal(scanned)
        assert time.monotonic() - started < 30
        assert sentence.startswith(f"Layer {sha256(bomb)} {REFUSED}it inflates to more than ")
        assert sentence.endswith(" stored ones. No software needs that; check the image.")
        assert Layer.objects.get(digest=sha256(bomb)).index is None

    def test_a_zstd_window_of_two_gibibytes(self, server: FaultyRegistry, scanned: Scanned) -> None:
        parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=31)
        stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        blob = stream.compress(archive(member("a", bytes(1 << 20)))) + stream.flush()
        push(server, RawLayer(blob, sha256(b"never known")))
        assert refusal(scanned) == (
            f"Layer {sha256(blob)} {REFUSED}its zstd stream asks for a window of more than 134217728 bytes. "
            "No software needs that; check the image."
        )

    def test_five_million_files(
        self, server: FaultyRegistry, scanned: Scanned, limited: Callable[[Limits], None]
    ) -> None:
        limited(Limits(entries=50_000))
        pack = zlib.compressobj(1, wbits=31)
        piece = b"".join(block(b"usr/share/files/%04d" % number) for number in range(5000))
        blob = b"".join(pack.compress(piece) for _ in range(20)) + pack.flush()
        push(server, RawLayer(blob, sha256(b"never known")))
        assert refusal(scanned).endswith(
            f"{REFUSED}it has more than 50000 entries. No software needs that; check the image."
        )

    def test_a_header_of_two_gibibytes(self, server: FaultyRegistry, scanned: Scanned) -> None:
        push(server, stored(block(b"x", flag=b"x", size=2 << 30) + bytes(10_000)))
        assert refusal(scanned).endswith(
            f"{REFUSED}it has an extended tar header of 2147483648 bytes. No software needs that; check the image."
        )

    def test_headers_in_their_thousands(
        self, server: FaultyRegistry, scanned: Scanned, limited: Callable[[Limits], None]
    ) -> None:
        limited(Limits(extended_headers_bytes=100_000))
        push(server, stored(pax({b"comment": b"x" * 9000}) * 20 + block(b"a") + END))
        assert refusal(scanned).endswith(
            f"{REFUSED}it has more than 100000 bytes of extended tar headers. No software needs that; check the image."
        )

    def test_a_layer_that_claims_more_than_figures_hold(self, server: FaultyRegistry, scanned: Scanned) -> None:
        manifest = json.loads(image(day(9)).document.body)
        for part in manifest["layers"]:
            part["size"] = 2**63 - 1
        push_documents(server, manifest=json.dumps(manifest).encode())
        assert refusal(scanned) == "The manifest claims layers of more than an exbibyte. Push the image again."

    def test_ten_thousand_layers(self, server: FaultyRegistry, scanned: Scanned, haste: Callable[..., None]) -> None:
        haste(manifest_bytes=4 << 20)
        manifest = json.loads(image(day(9)).document.body)
        manifest["layers"] *= 5000
        push_documents(server, manifest=json.dumps(manifest).encode())
        assert refusal(scanned) == (
            "The manifest lists 10000 layers; 1000 are the most that is read. No builder writes such a one."
        )

    def test_one_layer_a_thousand_times(
        self, server: FaultyRegistry, scanned: Scanned, haste: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Read once, but counted each time: all together would fill the memory."""
        haste(manifest_bytes=4 << 20)
        monkeypatch.setattr("fleet.image.loading.DEFAULT_LIMITS", Limits(image_entries=5000))
        built = image(day(9))
        manifest, config = json.loads(built.document.body), json.loads(built.config.content)
        manifest["layers"] *= 500
        config["rootfs"]["diff_ids"] *= 500
        blob = Bytes(json.dumps(config).encode())
        manifest["config"] |= {"digest": blob.digest, "size": blob.size_bytes}
        body = Document(built.document.media_type, json.dumps(manifest).encode())
        server.push("team/app", "2.0", BuiltImage(body, blob, built.layers))
        assert refusal(scanned).endswith("; 5000 are the most that is read. No software needs that; check the image.")
        blobs = server.asked("GET", "/blobs/")
        assert len(blobs) == len(set(blobs))


class TestDocuments:
    @pytest.mark.parametrize("body", [b"<html></html>", b"\xff\xfe\xfd", b"{", b""])
    def test_a_manifest_that_is_no_json(self, server: FaultyRegistry, scanned: Scanned, body: bytes) -> None:
        push_documents(server, manifest=body)
        assert refusal(scanned) == "The manifest is no valid JSON. Check that the URL is that of a registry."

    @pytest.mark.parametrize("body", [b'{"a":' * 10_000, b"[" * 60_000], ids=["objects", "lists"])
    def test_documents_that_are_too_deep(self, server: FaultyRegistry, scanned: Scanned, body: bytes) -> None:
        deep = "is nested more than 64 levels deep, as no image is. It was not read further."
        push_documents(server, manifest=body)
        assert refusal(scanned) == f"The manifest {deep}"
        push_documents(server, config=body)
        assert refusal(scanned) == f"The image config {deep}"

    def test_a_config_with_a_huge_history_is_read(self, server: FaultyRegistry, scanned: Scanned) -> None:
        config = json.loads(image(day(9)).config.content)
        config["history"] = [{"created_by": f"RUN step {number} " + "x" * 60} for number in range(60_000)]
        push_documents(server, config=json.dumps(config).encode())
        started = time.monotonic()
        found = scanned()
        assert time.monotonic() - started < 30
        assert (found.status, found.errors) == (Status.DONE, ())

    def test_a_config_beyond_the_limit_is_not_fetched(self, server: FaultyRegistry, scanned: Scanned) -> None:
        push_documents(server, config=b'{"history": []' + b" " * (9 << 20) + b"}")
        sentence = refusal(scanned)
        assert "config" in sentence
        assert found_bytes() < 1 << 20

    def test_a_manifest_that_is_an_index_as_well(self, server: FaultyRegistry, scanned: Scanned) -> None:
        manifest = {**json.loads(image(day(9)).document.body), "manifests": []}
        push_documents(server, manifest=json.dumps(manifest).encode())
        assert refusal(scanned) == "The manifest is an image and an index at once. Push the image again."

    def test_texts_that_a_terminal_would_obey(self, server: FaultyRegistry, scanned: Scanned) -> None:
        config = json.loads(image(day(9)).config.content)
        config["config"]["Labels"] = {"org.opencontainers.image.title": "\x1b]0;owned\x07\r\n\u202e app"}
        config["architecture"] = "\x1b[31m"
        push_documents(server, config=json.dumps(config).encode())
        assert scanned().status in (Status.DONE, Status.PARTIAL)


def found_bytes() -> int:
    return Scan.objects.latest("pk").received_bytes


class TestLayers:
    def test_a_media_type_that_lies(self, server: FaultyRegistry, scanned: Scanned) -> None:
        """The bytes are believed: a plain tar and a zstd stream that call themselves gzip."""
        tar = archive(member("opt/plain", b"p" * 3000))
        other = archive(member("opt/zstd", b"z" * 4000))
        push(server, RawLayer(tar, sha256(tar)), RawLayer(zstandard.compress(other), sha256(other)))
        found = scanned()
        assert (found.status, found.errors) == (Status.DONE, ())
        kept = dict(Layer.objects.values_list("digest", "unpacked_bytes"))
        assert (kept[sha256(tar)], kept[sha256(zstandard.compress(other))]) == (3000, 4000)

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"<!doctype html>" + b" " * 2000, "there is no tar header where one must be"),
            (gzip.compress(b"\x7fELF" + b"\1" * 5000), "there is no tar header where one must be"),
            (gzip.compress(archive(member("a", b"x" * 50_000)))[:-30], "its gzip stream is cut short"),
            (gzip.compress(archive(member("a", b"x" * 5000))[:3000]), "its tar archive is cut short"),
            (b"", "it holds nothing"),
        ],
        ids=["a web page", "a program", "cut gzip", "cut tar", "nothing"],
    )
    def test_what_is_no_layer(self, server: FaultyRegistry, scanned: Scanned, content: bytes, reason: str) -> None:
        push(server, RawLayer(content, sha256(content)))
        sentence = refusal(scanned)
        assert sentence.startswith(f"Layer {sha256(content)} cannot be read: {reason}")
        assert sentence.endswith(". Push the image again.")

    def test_names_that_are_no_text_are_weighed(self, server: FaultyRegistry, scanned: Scanned) -> None:
        push(server, raw_layer({"root/.cache/pip/na\udcffme": b"1" * 9000, "opt/\udc80\udc81": b"2" * 100}))
        found = scanned()
        assert (found.status, found.errors) == (Status.DONE, ())
        assert any("root/.cache/pip" in path for finding in Finding.objects.all() for path in finding.paths)

    def test_paths_that_no_kernel_takes_are_left_out(self, server: FaultyRegistry, scanned: Scanned) -> None:
        push(server, raw_layer({"d/" * 2100 + "x": b"1" * 5000, "opt/ok": b"2" * 100}))
        found = scanned()
        assert (found.status, found.errors) == (Status.DONE, ())
        assert Layer.objects.get(unpacked_bytes=100).entries == 1

    def test_symlinks_in_a_circle(self, server: FaultyRegistry, scanned: Scanned) -> None:
        circle = [symlink("usr/bin/python3", "python3.11"), symlink("usr/bin/python3.11", "/usr/bin/python3")]
        tar = archive(*circle, symlink("usr/lib/a", "../lib/a"), symlink("app", "app/app"), symlink("lib", "/lib/lib"))
        push(server, stored(tar))
        found = scanned()
        assert (found.status, found.errors) == (Status.DONE, ())
        assert Analysis.objects.count() == 1

    def test_hard_links_in_a_circle(self, server: FaultyRegistry, scanned: Scanned) -> None:
        push(server, stored(archive(hardlink("a", "b"), hardlink("b", "a"), hardlink("c", "c"), hardlink("d", "gone"))))
        found = scanned()
        assert (found.status, found.errors) == (Status.DONE, ())


WRITING = frozenset(("os.mkdir", "os.symlink", "os.link", "os.rename", "os.remove", "os.chmod", "os.chown", "os.mknod"))
_written: list[str] = []
_watching = False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if not _watching:
        return
    if event in WRITING:
        _written.append(f"{event} {arguments[0]!r}")
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        _written.append(f"open {arguments[0]!r}")


@pytest.fixture
def written() -> Iterator[list[str]]:
    """Every attempt of this process to change a file, as the interpreter reports it."""
    global _watching
    if not getattr(sys, "_plimsoll_watched", False):
        sys.addaudithook(_watch)
        sys._plimsoll_watched = True  # type: ignore[attr-defined]
    _written.clear()
    _watching = True
    yield _written
    _watching = False


def test_nothing_of_a_layer_is_ever_written_to_disk(
    server: FaultyRegistry,
    scanned: Scanned,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: list[str],
) -> None:
    """Names that would leave the root, absolute ones, links out of it, devices, and files that are programs."""
    here = tmp_path / "empty"
    here.mkdir()
    monkeypatch.chdir(here)
    target = tmp_path / "target"
    written.clear()
    names = [
        "../../x",
        "../target/x",
        "/etc/passwd",
        str(target / "owned"),
        "a/../../../x",
        "./..",
        "~/.ssh/id",
        "C:\\x",
    ]
    tar = archive(
        *(member(name, b"owned\n", mode=0o4755) for name in names),
        symlink("etc", str(target)),
        member("etc/owned", b"through the link"),
        hardlink("shadow", "/etc/shadow"),
        directory("/absolute"),
        member("dev/mem", type=tarfile.CHRTYPE),
        form=tarfile.PAX_FORMAT,
    )
    push(server, stored(tar))
    found = scanned()
    assert (found.status, found.errors) == (Status.DONE, ())
    assert Service.objects.get().unpacked_bytes is not None
    assert written == []
    assert list(here.iterdir()) == []
    assert not target.exists()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["empty"]
