"""Images made of dictionaries, one a layer, for rules to look at.

A number is a file of that size, ``"-> x"`` a symlink, ``"=> x"`` a hard link, ``"#!..."`` a script, ``None`` a
whiteout, a pair a file of that size and fingerprint, bytes a file whose text is kept, and ``ElfFacts`` a program of
1,000 bytes, or a million where it has debug sections. The compressed share is a third, so that the two kinds of size
cannot be confused.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from fleet.image.entries import ElfFacts, Entry, LayerIndex
from fleet.image.filetree import apply_layers
from fleet.image.loading import LoadedImage
from fleet.oci.manifest import Descriptor, HistoryEntry, ImageConfig, Manifest, Platform

Content = int | str | bytes | ElfFacts | tuple[int, int] | None
STATIC_ELF = ElfFacts("x86_64", static=True)


def _entry(path: str, content: Content) -> Entry:
    match content:
        case None:
            return Entry(path, "whiteout", 0, 0, 0)
        case int():
            return Entry(path, "file", content, content // 3, 0o644)
        case bytes():
            return Entry(path, "file", len(content), len(content) // 3, 0o644)
        case (size_bytes, fingerprint):
            return Entry(path, "file", size_bytes, size_bytes // 3, 0o644, fingerprint=fingerprint)
        case ElfFacts():
            size_bytes = 1_000_000 if content.debug_bytes else 1_000
            return Entry(path, "file", size_bytes, size_bytes // 3, 0o755)
    if content.startswith("-> "):
        return Entry(path, "symlink", len(content) - 3, 1, 0o777, link=content[3:])
    if content.startswith("=> "):
        return Entry(path, "hardlink", 0, 0, 0o644, link=content[3:])
    return Entry(path, "file", 100, 33, 0o755)


def make_layer(position: int, files: Mapping[str, Content]) -> LayerIndex:
    parents = {path[:i] for path in files for i, char in enumerate(path) if char == "/"} - files.keys()
    directories = [Entry(path, "directory", 0, 0, 0o755) for path in sorted(parents)]
    entries = (*directories, *(_entry(path, content) for path, content in files.items()))
    return LayerIndex(
        digest=f"sha256:{position:064x}",
        diff_id=f"sha256:{position + 1000:064x}",
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
        compressed_bytes=sum(entry.compressed_bytes for entry in entries) + 100,
        unpacked_bytes=sum(entry.size_bytes for entry in entries),
        entries=entries,
        texts={path: content for path, content in files.items() if isinstance(content, bytes)},
        elf={path: content for path, content in files.items() if isinstance(content, ElfFacts)},
        shebangs={p: content for p, content in files.items() if isinstance(content, str) and content[:2] == "#!"},
    )


def make_image(
    *layers: Mapping[str, Content],
    env: Iterable[str] = (),
    entrypoint: Sequence[str] | None = None,
    cmd: Sequence[str] | None = None,
    working_dir: str = "",
    history: Iterable[HistoryEntry] = (),
) -> LoadedImage:
    indexes = tuple(make_layer(position, files) for position, files in enumerate(layers))
    config = ImageConfig(
        platform=Platform("linux", "amd64"),
        created=datetime(2026, 1, 2, tzinfo=UTC),
        env=tuple(env),
        entrypoint=tuple(entrypoint) if entrypoint is not None else None,
        cmd=tuple(cmd) if cmd is not None else None,
        working_dir=working_dir,
        diff_ids=tuple(layer.diff_id for layer in indexes),
        history=tuple(history),
    )
    descriptor = Descriptor("application/vnd.oci.image.config.v1+json", f"sha256:{'c' * 64}", 500)
    manifest = Manifest(
        "application/vnd.oci.image.manifest.v1+json",
        descriptor,
        tuple(Descriptor(layer.media_type, layer.digest, layer.compressed_bytes) for layer in indexes),
    )
    return LoadedImage(
        name="registry.test/app",
        descriptor=Descriptor(manifest.media_type, f"sha256:{'d' * 64}", 700),
        manifest=manifest,
        config=config,
        layers=indexes,
        tree=apply_layers(indexes),
    )
