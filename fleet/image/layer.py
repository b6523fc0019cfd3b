"""One pass over a layer's blob: its files, what each weighs in it, and the few contents that later steps read.

The blob is never held or written anywhere: chunks go in, are hashed, inflated in small steps and read as tar.
Spec: https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from __future__ import annotations

import hashlib
import operator
from array import array
from collections.abc import Iterable, Iterator

from fleet.image.capture import Captures
from fleet.image.columns import Entries, EntriesWriter
from fleet.image.entries import Kind, LayerIndex
from fleet.image.estimate import estimate
from fleet.image.hashing import Hashing, Piece
from fleet.image.inflate import inflate, sniff
from fleet.image.limits import DEFAULT_LIMITS, Limits
from fleet.image.progress import Progress
from fleet.image.stream import ByteStream
from fleet.image.tar import Member, read_tar
from fleet.oci.digests import is_digest
from fleet.oci.errors import CorruptLayer, DigestMismatch, TooLarge

_WHITEOUT = ".wh."
_AUFS = ".wh..wh."
_OPAQUE = ".wh..wh..opq"
_LARGEST_SUM_BYTES = 1 << 60
# Copies of smaller files are worth no finding.
_FINGERPRINTED_BYTES = 1 << 10


def index_layer(
    chunks: Iterable[bytes],
    *,
    digest: str,
    media_type: str,
    stores_compressed: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> LayerIndex:
    """Read a layer from the ``chunks`` of its blob as stored: gzip, zstd or plain tar, by its bytes.

    A file's ``compressed_bytes`` is its part of the blob, header included; the shares of all entries add up to the
    blob less what stands for no entry (end of archive, the root directory). With ``stores_compressed`` False a plain
    tar comes from an engine, and the figures are estimates of what a push would make of it.

    ``digest`` may be "" when none is known; it is computed then. Raises CorruptLayer, TooLarge, and DigestMismatch
    when the whole blob was read and is another one.
    """
    where = f"Layer {digest or '(without a digest)'}"
    algorithm = digest.partition(":")[0] if is_digest(digest) else "sha256"
    blob, contents = hashlib.new(algorithm), hashlib.sha256()
    progress = Progress()
    reading = _Reading(limits)
    try:
        with Hashing() as hashing:
            compression, stored = sniff(hashing.passing(_bounded(chunks, limits), blob))
            estimated = compression == "none" and not stores_compressed
            pieces: Iterator[Piece] = (
                estimate(stored, progress)
                if estimated
                else inflate(compression, stored, progress, hashing.blocks(), limits)
            )
            reading.read(ByteStream(hashing.passing(pieces, contents)))
            hashing.finish()
    except CorruptLayer as error:
        raise CorruptLayer(f"{where} cannot be read: {error}. Push the image again.") from error
    except TooLarge as error:
        raise TooLarge(f"{where} was not read to its end: {error}. No software needs that; check the image.") from error
    found = f"{algorithm}:{blob.hexdigest()}"
    if digest and found != digest:
        raise DigestMismatch(f"{where} has the bytes of {found}. The stored copy is damaged: push the image again.")
    reading.captures.weigh_debug(progress)
    return LayerIndex(
        digest=found,
        diff_id=f"sha256:{contents.hexdigest()}",
        media_type=media_type,
        compressed_bytes=progress.stored_bytes,
        unpacked_bytes=reading.unpacked_bytes,
        entries=reading.entries(progress),
        texts=reading.captures.texts,
        elf=reading.captures.elf,
        shebangs=reading.captures.shebangs,
        compressed_estimated=estimated,
        ignored_entries=reading.ignored,
        components=reading.captures.components,
    )


def _bounded(chunks: Iterable[bytes], limits: Limits) -> Iterator[bytes]:
    stored_bytes = 0
    for chunk in chunks:
        stored_bytes += len(chunk)
        if stored_bytes > limits.stored_bytes:
            raise TooLarge(f"it has more than {limits.stored_bytes} stored bytes")
        yield chunk


class _Reading:
    """The entries of an archive while it passes; their shares of the blob are known once it has passed."""

    def __init__(self, limits: Limits) -> None:
        self.captures = Captures(limits)
        self.unpacked_bytes = 0
        self.ignored = 0
        self._limits = limits
        self._names_bytes = 0
        self._entries = EntriesWriter()
        self._spans = array("q")

    def read(self, stream: ByteStream) -> None:
        # Those that are ignored count too: they take their time.
        for count, member in enumerate(read_tar(stream, self._limits), 1):
            if count > self._limits.entries:
                raise TooLarge(f"it has more than {self._limits.entries} entries")
            self._add(member, stream)
        if not stream.offset:
            raise CorruptLayer("it holds nothing")
        if self.unpacked_bytes > _LARGEST_SUM_BYTES:
            raise TooLarge("its files claim more than an exbibyte")
        stream.drain()

    def _add(self, member: Member, stream: ByteStream) -> None:
        name, kind, size_bytes, mode, uid, gid, link, begin, end, stored_bytes, sparse = member
        path = entry_path(name)
        # A character is four bytes at most, so only what is long needs to be measured.
        if path is None or (4 * (len(path) + len(link)) > self._limits.path_bytes and self._are_too_long(path, link)):
            self.ignored += 1
            return
        if _WHITEOUT in path:
            kind, path = _meaning(path, kind)
        if kind is None or (not path and kind != "opaque"):
            return
        self._names_bytes += len(path) + len(link)
        if self._names_bytes > self._limits.names_bytes:
            raise TooLarge(f"its paths alone have more than {self._limits.names_bytes} bytes")
        fingerprint = 0
        if kind == "file":
            self.captures.forget(path)
            if stored_bytes and not sparse:
                fingerprint = self._look(path, member, stream)
        elif kind == "hardlink":
            link = entry_path(link) or ""
        elif kind != "symlink":
            size_bytes = 0
        self.unpacked_bytes += size_bytes
        self._entries.add(path, kind, size_bytes, mode, uid, gid, link, fingerprint)
        self._spans.append(begin)
        self._spans.append(end)

    def _look(self, path: str, member: Member, stream: ByteStream) -> int:
        """Capture what is wanted of a file's content; its fingerprint, or 0 for one that is too small."""
        if member.stored_bytes < _FINGERPRINTED_BYTES:
            self.captures.look(path, member, stream)
            return 0
        stream.watch(member.stored_bytes)
        self.captures.look(path, member, stream)
        return stream.fingerprint()

    def _are_too_long(self, *paths: str) -> bool:
        return any(len(path.encode(errors="surrogateescape")) > self._limits.path_bytes for path in paths)

    def entries(self, progress: Progress) -> Entries:
        """The entries with their shares; to be called once."""
        positions = progress.stored_positions(self._spans)
        return self._entries.finish(array("q", map(operator.sub, positions[1::2], positions[::2])))


def entry_path(name: str) -> str | None:
    """A member's name as a path below the root, "" for the root itself, None when it would leave the root."""
    path = name.removeprefix("./").strip("/")
    if "//" not in path and "/." not in path and not path.startswith("."):
        return path
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return None if ".." in parts else "/".join(parts)


def _meaning(path: str, kind: Kind | None) -> tuple[Kind | None, str]:
    """Whiteouts by their names: what an entry really is, and of which path. No kind means: not for the tree."""
    directory, _, name = path.rpartition("/")
    if name == _OPAQUE:
        return "opaque", directory
    # What aufs kept for itself, and names that hide nothing: "." and ".." must never wipe a parent.
    if path.startswith(_AUFS) or f"/{_AUFS}" in path or name in (_WHITEOUT, ".wh..", ".wh..."):
        return None, path
    if name.startswith(_WHITEOUT):
        hidden = name.removeprefix(_WHITEOUT)
        return "whiteout", f"{directory}/{hidden}" if directory else hidden
    return kind, path
