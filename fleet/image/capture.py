"""Which few files of a layer are read, and what is kept of them: texts, first lines of scripts, ELF facts."""

from __future__ import annotations

import re
from array import array
from dataclasses import replace
from itertools import islice

from fleet.image import elf
from fleet.image.entries import Component, ElfFacts
from fleet.image.java_archive import ARCHIVES, read_java_archive
from fleet.image.limits import MEBIBYTE, Budget, Limits
from fleet.image.packages.extracts import MOST_BYTES, Extract, extract_for
from fleet.image.progress import Progress
from fleet.image.stream import ByteStream
from fleet.image.tar import Member
from fleet.oci.errors import TooLarge

_SHEBANG_BYTES = 256
_SMALL_BYTES = 64 << 10
_ARCHIVE_HEADS = (b"PK", b"#!")  # a script in front makes an archive executable
_COMPONENT_BYTES = 100  # in memory, without its texts

# Whole paths, for what stands in one place only.
_SYSTEM_FILES = frozenset(
    (
        "etc/alpine-release",
        "etc/apk/world",
        "etc/group",
        "etc/ld.so.conf",
        "etc/os-release",
        "etc/passwd",
        "lib/apk/db/installed",
        "usr/lib/apk/db/installed",
        "usr/lib/os-release",
        "var/lib/apt/extended_states",
        "var/lib/dpkg/status",
        "var/lib/rpmmanifest/container-manifest-2",
    )
)
_SYSTEM_DIRECTORIES = ("etc/ld", "var/lib/dpkg/")
_IN_SYSTEM_DIRECTORIES = re.compile(
    r"var/lib/dpkg/(?:status\.d/[^/]+|info/[^/]+\.list)|etc/(?:ld\.so\.conf\.d/[^/]+|ld-musl-[^/]+\.path)"
).fullmatch
# By name, for what may stand anywhere.
_LOCKFILES = frozenset(
    ("Pipfile.lock", "poetry.lock", "uv.lock", "package-lock.json", ".package-lock.json", "Gemfile.lock")
)
_PROJECT_FILES = frozenset(
    (
        "pyvenv.cfg",
        "pyproject.toml",
        "Pipfile",
        "manage.py",
        "wsgi.py",
        "asgi.py",
        "package.json",
        "go.mod",
        "Gemfile",
        "Cargo.toml",
    )
)
_METADATA_FILES = frozenset(
    (
        "METADATA",
        "PKG-INFO",
        "RECORD",
        "entry_points.txt",
        "direct_url.json",
        "WHEEL",
        "top_level.txt",
        "installed-files.txt",
    )
)
_METADATA_DIRECTORIES = (".dist-info", ".egg-info", ".egg/EGG-INFO")
_SUFFIXES = (".txt", ".pth", ".gemspec", ".egg-info")
# Scripts that containers start with, by what people call them: what they start in turn has to be known.
_ENTRY_SCRIPT = re.compile(r"\S*entrypoint\S*|(?:start|run|boot|launch|serve|init)[\w-]*(?:\.(?:sh|bash))?").fullmatch
_ENTRY_SCRIPT_BYTES = 16 << 10


def wanted_text(path: str, size: int) -> bool:
    """Whether a later step reads the content of a file of ``size`` bytes at ``path`` (no leading slash)."""
    directory, _, name = path.rpartition("/")
    if name in _PROJECT_FILES:
        return size <= _SMALL_BYTES
    if name in _LOCKFILES:
        return size <= 8 * MEBIBYTE
    if name in _METADATA_FILES:
        return directory.endswith(_METADATA_DIRECTORIES) and size <= 2 * MEBIBYTE
    if name.endswith(".deps.json") or (name == "installed.json" and directory.endswith("composer")):
        return size <= 4 * MEBIBYTE
    if name.endswith(_SUFFIXES):
        return size <= _SMALL_BYTES and _is_wanted_suffix(directory, name)
    return path in _SYSTEM_FILES or (path.startswith(_SYSTEM_DIRECTORIES) and bool(_IN_SYSTEM_DIRECTORIES(path)))


def _is_wanted_suffix(directory: str, name: str) -> bool:
    if name.endswith(".txt"):
        return name.startswith("requirements")
    if name.endswith(".gemspec"):
        return directory.endswith(("specifications", "specifications/default"))
    return directory.endswith(("site-packages", "dist-packages"))


def is_entry_script(path: str, size: int) -> bool:
    """Whether a script of ``size`` bytes may be what containers start with, so that its text is kept."""
    return size <= _ENTRY_SCRIPT_BYTES and _ENTRY_SCRIPT(path[path.rfind("/") + 1 :]) is not None


class Captures:
    """What was kept of one layer, by path; of a path that a layer holds twice, what its last version gave."""

    def __init__(self, limits: Limits) -> None:
        self.texts: dict[str, bytes] = {}
        self.shebangs: dict[str, str] = {}
        self.elf: dict[str, ElfFacts] = {}
        self.components: dict[str, tuple[Component, ...]] = {}
        self._limits = limits
        self._room_bytes = limits.texts_bytes
        self._budget = Budget(limits.inner_bytes, limits.entries)
        self._components_room_bytes = limits.components_bytes
        self._facts_bytes = 0
        self._kept: set[str] = set()
        self._debug: dict[str, array[int]] = {}

    def forget(self, path: str) -> None:
        """A newer version of the path is coming."""
        if path not in self._kept:
            return
        self._room_bytes += len(self.texts.pop(path, b""))
        self.shebangs.pop(path, None)
        self.elf.pop(path, None)
        self.components.pop(path, None)
        self._debug.pop(path, None)

    def look(self, path: str, member: Member, stream: ByteStream) -> None:
        """Keep what is wanted of a regular file whose content the stream stands at."""
        size = member.stored_bytes
        head = stream.peek(4)
        if head == elf.MAGIC:
            self._keep_elf(path, size, stream)
            return
        if head[:2] == b"#!" and member.mode & 0o111:
            line = stream.peek(min(size, _SHEBANG_BYTES)).partition(b"\n")[0]
            self._kept.add(path)
            self.shebangs[path] = line.decode(errors="surrogateescape").rstrip()
            self._count(len(line))
            if is_entry_script(path, size) and size <= self._room_bytes:
                self._keep_text(path, stream.take(size))
                return
        if head[:2] in _ARCHIVE_HEADS and path.endswith(ARCHIVES):
            self._keep_components(path, read_java_archive(path, size, stream, self._budget))
        elif (extract := extract_for(path, size)) is not None:
            self._keep_text(path, self._extracted(extract, size, stream))
        elif wanted_text(path, size) and size <= min(self._limits.text_bytes, self._room_bytes):
            self._keep_text(path, stream.take(size))

    def _keep_text(self, path: str, text: bytes) -> None:
        self._kept.add(path)
        self.texts[path] = text
        self._room_bytes -= len(text)

    def _extracted(self, extract: Extract, size: int, stream: ByteStream) -> bytes:
        """The lines that are kept of a database, as many as there is room for."""
        content = bytearray()
        while len(content) < size:
            content += stream.take(min(size - len(content), _SMALL_BYTES))
        lines, room_bytes = [], min(MOST_BYTES, self._room_bytes)
        for line in extract(content):
            room_bytes -= len(line) + 1
            if room_bytes < 0:
                break
            lines.append(line)
        return b"\n".join(lines)

    def _keep_elf(self, path: str, size: int, stream: ByteStream) -> None:
        begin = stream.offset
        parts = []
        for start, stop in elf.needed_ranges(stream.peek(min(size, elf.HEAD_BYTES)), size):
            stream.skip_to(begin + start)
            parts.append((start, stream.take(stop - start)))
        program = elf.read_program(parts, size, self._budget)
        if program is None:
            return
        facts = program.facts
        self._kept.add(path)
        self.elf[path] = facts
        self._count(sum(map(len, (*facts.needed, *facts.search_paths, facts.soname, facts.interpreter))))
        if program.debug:
            self._debug[path] = array("q", (begin + at for span in program.debug for at in span))
        self._keep_components(path, program.components)

    def _keep_components(self, path: str, components: tuple[Component, ...]) -> None:
        """Keep what a file was built from, all of it or nothing."""
        size_bytes = sum(_COMPONENT_BYTES + len(each.name) + len(each.version) for each in components)
        if components and size_bytes <= self._components_room_bytes:
            self._components_room_bytes -= size_bytes
            self._kept.add(path)
            self.components[path] = components

    def weigh_debug(self, progress: Progress) -> None:
        """Say what the debug sections of the layer's programs take of its blob, of which all has passed."""
        # Paths come in the order of the stream: a newer version of one is put behind all others.
        positions = iter(progress.stored_positions(at for spans in self._debug.values() for at in spans))
        shares = zip(positions, positions, strict=True)
        for path, spans in self._debug.items():
            share = sum(stop - start for start, stop in islice(shares, len(spans) // 2))
            self.elf[path] = replace(self.elf[path], debug_compressed_bytes=share)

    def _count(self, facts_bytes: int) -> None:
        """Facts about programs, unlike texts, cannot be left out: a suggestion would miss a library."""
        self._facts_bytes += facts_bytes
        if self._facts_bytes > self._limits.facts_bytes:
            raise TooLarge(
                f"its programs name more than {self._limits.facts_bytes} bytes of libraries and interpreters"
            )
