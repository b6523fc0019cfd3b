"""What one layer says about one path, and what one pass over a layer yields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from fleet.image.sizes import Sizes

Kind = Literal["file", "directory", "symlink", "hardlink", "whiteout", "opaque", "device", "fifo"]


class Entry(NamedTuple):
    """One tar entry.

    ``path`` has no leading slash; bytes that are not UTF-8 are kept with surrogateescape. For a whiteout it is the path
    that is hidden, for an opaque marker the directory that is emptied. ``size_bytes`` is what lstat reports (content of
    a file, length of a symlink's target, otherwise 0), which is what the engine adds up. ``compressed_bytes`` is the
    measured share of the stored blob. ``fingerprint`` is the XXH3-64 of a regular file's content, 0 where none was
    computed: files of one size and one fingerprint are taken for the same. A NamedTuple, since a layer has up to
    millions."""

    path: str
    kind: Kind
    size_bytes: int
    compressed_bytes: int
    mode: int
    uid: int = 0
    gid: int = 0
    link: str = ""
    fingerprint: int = 0


@dataclass(frozen=True, slots=True)
class ElfFacts:
    """What the dynamic loader will ask for. ``glibc`` is the highest GLIBC_x.y symbol version needed, as (x, y),
    ``provided_glibc`` the highest one that the file defines, as libc.so.6 does. ``inherited_search`` says that
    ``search_paths`` came from DT_RPATH, which holds for the libraries below as well, unlike DT_RUNPATH.
    ``debug_bytes`` is what strip(1) would take from the file: its symbol table and debug sections;
    ``debug_compressed_bytes`` the measured share of the stored blob that they take."""

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
    debug_bytes: int = 0
    debug_compressed_bytes: int = 0


class Component(NamedTuple):
    """A library that one file says it was built from or holds: a Go module, a Rust crate, a Java archive.

    ``ecosystem`` as in ``Package``. ``location`` is the path within the file, for what lies in an archive
    (``BOOT-INF/lib/guava-33.0.jar``; nested ones joined by ``!/``), else empty; ``size_bytes`` is its size there
    (0 where the file does not tell)."""

    ecosystem: str
    name: str
    version: str
    location: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class LayerIndex:
    """Everything we keep of a layer. ``compressed_bytes`` is the blob's length; ``unpacked_bytes`` the sum of its
    entries. ``texts`` holds the content of the few files that rules read, ``shebangs`` the first line of scripts, both
    by path; ``components`` what programs and archives say they hold. ``ignored_entries`` counts tar members that no
    engine would unpack (paths that leave the root or that no kernel takes). ``compressed_estimated`` is True when the
    source stores no compressed blob and the share is sampled instead of measured."""

    digest: str
    diff_id: str
    media_type: str
    compressed_bytes: int
    unpacked_bytes: int
    entries: Sequence[Entry]
    texts: Mapping[str, bytes] = field(default_factory=dict)
    elf: Mapping[str, ElfFacts] = field(default_factory=dict)
    shebangs: Mapping[str, str] = field(default_factory=dict)
    compressed_estimated: bool = False
    ignored_entries: int = 0
    components: Mapping[str, tuple[Component, ...]] = field(default_factory=dict)

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.unpacked_bytes, self.compressed_bytes)
