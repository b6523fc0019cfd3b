"""The entries of a layer in columns: a layer of a million files takes 70 MB so, and five times that as objects."""

from __future__ import annotations

import operator
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import get_args, overload

from fleet.image.entries import Entry, Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
SEPARATOR = "\0"  # no path holds it

# Names and links are kept together for so many entries, and taken apart when these are looked at.
CHUNK = 1024

# A tar archive goes through a directory at a time. One that comes back after so many others is kept twice.
_DIRECTORIES_AT_HAND = 1 << 16
_CODES = {kind: code for code, kind in enumerate(KINDS)}
_new_entry = partial(tuple.__new__, Entry)
_Row = tuple[str, Kind, int, int, int, int, str, int]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Entries(Sequence[Entry]):
    """Entries that are made when they are looked at, each time anew. Made to be read in order: looking up a single one
    takes apart its chunk.

    Every array has an item for each entry. ``kinds`` are positions in KINDS, ``parents`` positions in ``directories``,
    which end with their slash. ``names`` is what stands after it and ``links`` the targets: texts of CHUNK entries
    each, with SEPARATOR between them, or nothing at all where all of them are empty."""

    kinds: array[int]
    sizes_bytes: array[int]
    compressed_bytes: array[int]
    modes: array[int]
    uids: array[int]
    gids: array[int]
    fingerprints: array[int]
    parents: array[int]
    directories: Sequence[str]
    names: Sequence[str]
    links: Sequence[str]

    def __len__(self) -> int:
        return len(self.kinds)

    def __iter__(self) -> Iterator[Entry]:
        return chain.from_iterable(map(self._chunk, range(len(self.names))))

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Entry, ...]: ...

    def __getitem__(self, index: int | slice) -> Entry | tuple[Entry, ...]:
        if isinstance(index, slice):
            return tuple(self)[index]
        position = range(len(self))[index]
        return tuple(self._chunk(position // CHUNK))[position % CHUNK]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # as a list: compared by what it holds

    def __repr__(self) -> str:
        return f"<{len(self)} entries>"

    def whole_links(self) -> Iterator[str]:
        """The ``links`` with those that are empty written out."""
        for number, links in enumerate(self.links):
            yield links or SEPARATOR * (min(CHUNK, len(self) - number * CHUNK) - 1)

    def _chunk(self, number: int) -> Iterator[Entry]:
        part = slice(number * CHUNK, (number + 1) * CHUNK)
        directories, names, links = self.directories, self.names[number], self.links[number]
        parents = self.parents[part]
        rows = zip(
            map(operator.add, map(directories.__getitem__, parents), _apart(names, len(parents))),
            map(KINDS.__getitem__, self.kinds[part]),
            self.sizes_bytes[part],
            self.compressed_bytes[part],
            self.modes[part],
            self.uids[part],
            self.gids[part],
            _apart(links, len(parents)),
            self.fingerprints[part],
            strict=True,
        )
        return map(_new_entry, rows)


def _apart(chunk: str, count: int) -> Iterable[str]:
    return chunk.split(SEPARATOR) if chunk else repeat("", count)


class EntriesWriter:
    """Entries put down one by one: as rows at first, and a chunk of rows at a time in columns."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self._kinds = array("B")
        self._sizes = array("q")
        self._modes = array("H")
        self._uids = array("q")
        self._gids = array("q")
        self._fingerprints = array("Q")
        self._parents = array("I")
        self._directories: list[str] = []
        self._at_hand: dict[str, int] = {}
        self._names: list[str] = []
        self._links: list[str] = []

    def add(
        self, path: str, kind: Kind, size_bytes: int, mode: int, uid: int, gid: int, link: str, fingerprint: int
    ) -> None:
        self._rows.append((path, kind, size_bytes, mode, uid, gid, link, fingerprint))
        if len(self._rows) == CHUNK:
            self._end_chunk()

    def finish(self, compressed_bytes: array[int]) -> Entries:
        """All that was put down, each with its share of the blob. Nothing can be added after it."""
        if self._rows:
            self._end_chunk()
        return Entries(
            kinds=self._kinds,
            sizes_bytes=self._sizes,
            compressed_bytes=compressed_bytes,
            modes=self._modes,
            uids=self._uids,
            gids=self._gids,
            fingerprints=self._fingerprints,
            parents=self._parents,
            directories=self._directories,
            names=self._names,
            links=self._links,
        )

    def _end_chunk(self) -> None:
        paths, kinds, sizes, modes, uids, gids, links, fingerprints = zip(*self._rows, strict=True)
        self._rows.clear()
        self._kinds.extend(map(_CODES.__getitem__, kinds))
        self._sizes.extend(sizes)
        self._modes.extend(modes)
        self._uids.extend(uids)
        self._gids.extend(gids)
        self._fingerprints.extend(fingerprints)
        cuts = [path.rfind("/") + 1 for path in paths]
        self._parents.extend(self._directory(path[:cut]) for path, cut in zip(paths, cuts, strict=True))
        self._names += in_chunks([path[cut:] for path, cut in zip(paths, cuts, strict=True)])
        self._links += in_chunks(links)

    def _directory(self, directory: str) -> int:
        """The number of a directory among those that were put down."""
        number = self._at_hand.get(directory)
        if number is None:
            if len(self._at_hand) >= _DIRECTORIES_AT_HAND:
                self._at_hand.clear()
            number = self._at_hand[directory] = len(self._directories)
            self._directories.append(directory)
        return number


def in_chunks(texts: Sequence[str]) -> list[str]:
    """A text for each entry as ``Entries`` keep them."""
    chunks = (texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK))
    return [SEPARATOR.join(chunk) if any(chunk) else "" for chunk in chunks]


def in_columns(entries: Iterable[Entry]) -> Entries:
    """The same entries in columns."""
    if isinstance(entries, Entries):
        return entries
    writer = EntriesWriter()
    shares = array("q")
    for path, kind, size_bytes, compressed_bytes, mode, uid, gid, link, fingerprint in entries:
        writer.add(path, kind, size_bytes, mode, uid, gid, link, fingerprint)
        shares.append(compressed_bytes)
    return writer.finish(shares)
