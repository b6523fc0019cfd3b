"""What one layer says about one path, and what one pass over a layer yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from fleet.image.sizes import Sizes

Kind = Literal["file", "directory", "symlink", "hardlink", "whiteout", "opaque", "device", "fifo"]


class Entry(NamedTuple):
    """One tar entry.

    ``path`` has no leading slash; bytes that are not UTF-8 are kept with surrogateescape. For a whiteout it is the
    path that is hidden, for an opaque marker the directory that is emptied. ``size_bytes`` is what lstat reports
    (content of a file, length of a symlink's target, otherwise 0), which is what the engine adds up.
    ``compressed_bytes`` is the measured share of the stored blob. A NamedTuple, since a layer has up to millions.
    """

    path: str
    kind: Kind
    size_bytes: int
    compressed_bytes: int
    mode: int
    uid: int = 0
    gid: int = 0
    link: str = ""


@dataclass(frozen=True, slots=True)
class ElfFacts:
    """What the dynamic loader will ask for. ``glibc`` is the highest GLIBC_x.y symbol version needed, as (x, y),
    ``provided_glibc`` the highest one that the file defines, as libc.so.6 does. ``inherited_search`` says that
    ``search_paths`` came from DT_RPATH, which holds for the libraries below as well, unlike DT_RUNPATH."""

    machine: str
    interpreter: str = ""
    needed: tuple[str, ...] = ()
    soname: str = ""
    search_paths: tuple[str, ...] = ()
    glibc: tuple[int, int] | None = None
    static: bool = False
    stripped: bool = True
    go_build_info: bool = False
    inherited_search: bool = False
    provided_glibc: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class LayerIndex:
    """Everything we keep of a layer. ``compressed_bytes`` is the blob's length; ``unpacked_bytes`` the sum of its
    entries. ``texts`` holds the content of the few files that rules read, ``shebangs`` the first line of scripts,
    both by path. ``ignored_entries`` counts tar members that no engine would unpack (paths that leave the root or
    that no kernel takes). ``compressed_estimated`` is True when the source stores no compressed blob and the share is
    sampled instead of measured."""

    digest: str
    diff_id: str
    media_type: str
    compressed_bytes: int
    unpacked_bytes: int
    entries: tuple[Entry, ...]
    texts: Mapping[str, bytes] = field(default_factory=dict)
    elf: Mapping[str, ElfFacts] = field(default_factory=dict)
    shebangs: Mapping[str, str] = field(default_factory=dict)
    compressed_estimated: bool = False
    ignored_entries: int = 0

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.unpacked_bytes, self.compressed_bytes)
