"""What ``docker export`` says of a container's files, and the same of our tree, so that the two can be compared."""

from __future__ import annotations

import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

import xxhash

from fleet.image.filetree import FileTree

# What the engine itself puts into a container that it creates: the points where it mounts its own.
ENGINES_OWN = frozenset(
    {
        ".dockerenv",
        *("dev", "dev/console", "dev/pts", "dev/shm", "proc", "sys"),
        *("etc", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"),
    }
)
KINDS = {
    tarfile.SYMTYPE: "symlink",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "fifo",
    tarfile.DIRTYPE: "directory",
}
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """What a file is, whatever its name: ``target`` of a symlink alone, ``fingerprint`` of a file's content alone."""

    kind: str
    size_bytes: int
    mode: int
    uid: int
    gid: int
    target: str = ""
    fingerprint: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """``files`` by path; ``linked`` are the paths that are one file. Each of these has what the file has."""

    files: Mapping[str, File]
    linked: frozenset[frozenset[str]]

    @property
    def bytes_once(self) -> int:
        """What all the files weigh, each once however many names it has."""
        again = {path for group in self.linked for path in sorted(group)[1:]}
        return sum(file.size_bytes for path, file in self.files.items() if path not in again)


class _Chunks:
    """The engine's stream as a file that tarfile reads."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = b""

    def read(self, size: int) -> bytes:
        while len(self._left) < size and (chunk := next(self._chunks, b"")):
            self._left += chunk
        piece, self._left = self._left[:size], self._left[size:]
        return piece


def listing_of_export(chunks: Iterable[bytes]) -> Listing:
    files: dict[str, File] = {}
    names: dict[str, str] = {}
    with tarfile.open(fileobj=_Chunks(chunks), mode="r|") as tar:  # type: ignore[call-overload]
        for item in tar:
            if item.islnk():
                names[item.name] = names.get(item.linkname, item.linkname)
                files[item.name] = files[item.linkname]
            else:
                target = item.linkname if item.issym() else ""
                size_bytes = len(target.encode(errors="surrogateescape")) or item.size
                fingerprint = _fingerprint(tar.extractfile(item)) if item.isreg() else 0
                kind = KINDS.get(item.type, "file")
                files[item.name] = File(kind, size_bytes, item.mode & 0o7777, item.uid, item.gid, target, fingerprint)
    return Listing(files, _groups(names.items()))


def listing_of_tree(tree: FileTree) -> Listing:
    files: dict[str, File] = {}
    names: dict[str, str] = {}
    for path, node in tree.nodes.items():
        entry = node.entry
        if entry.kind == "hardlink":
            names[path] = entry.link
            entry = tree.nodes[entry.link].entry
        target = entry.link if entry.kind == "symlink" else ""
        files[path] = File(entry.kind, entry.size_bytes, entry.mode, entry.uid, entry.gid, target, entry.fingerprint)
    return Listing(files, _groups(names.items()))


def _groups(names: Iterable[tuple[str, str]]) -> frozenset[frozenset[str]]:
    """Paths that share a file, from (path, the name that it was listed under first)."""
    groups: dict[str, set[str]] = defaultdict(set)
    for path, first in names:
        groups[first] |= {first, path}
    return frozenset(map(frozenset, groups.values()))


def _fingerprint(content: IO[bytes] | None) -> int:
    digest = xxhash.xxh3_64()
    for chunk in _chunks_of(content):
        digest.update(chunk)
    return digest.intdigest()


def _chunks_of(content: IO[bytes] | None) -> Iterator[bytes]:
    while content is not None and (chunk := content.read(_CHUNK_BYTES)):
        yield chunk
