"""Debian 12 as its packages lay it out: files, dpkg's database, apt's leftovers.

``bookworm.txt`` says what each package holds; dpkg's side is deb822(5) and dpkg-query(1).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from fleet.sample.elf import LOADER, Program, elf_file
from fleet.sample.filler import Matter
from fleet.sample.tar import File, directory, symlink
from fleet.sample.trees import blob, seed_of, shares, text

LIBRARIES = "usr/lib/x86_64-linux-gnu"
MATTERS: Mapping[str, Matter] = {"t": "text", "m": "machine", "p": "packed"}
LANGUAGES = (
    "af", "ar", "be", "bg", "ca", "cs", "da", "de", "el", "eo", "es", "et", "eu", "fi", "fr", "ga", "gl", "he", "hr",
    "hu", "id", "it", "ja", "ko", "lt", "lv", "ms", "nb", "nl", "pl", "pt", "ro", "ru",
)  # fmt: skip
# Areas that a slim image leaves out.
DOCUMENTATION = ("doc", "man", "info", "locale")
FILES_PER_AREA = 36
ENDINGS = {"python": ".py", "perl": ".pm", "etc": ".conf", "/gconv": ".so", "vim": ".vim", "fonts": ".ttf"}
GLIBC_RELEASES = ("2.2.5", "2.3", "2.4", "2.14", "2.17", "2.25", "2.28", "2.33", "2.34", "2.36")
MERGED = re.compile(r"^(bin|sbin|lib|lib64)/")
APT_LISTS = "var/lib/apt/lists/deb.debian.org_debian{}_{}"


@dataclass(frozen=True, slots=True)
class ElfLine:
    path: str
    size_bytes: int
    glibc: str
    soname: str
    needed: tuple[str, ...]


@dataclass(slots=True)
class DebianPackage:
    """One package of the table. ``areas`` are (directory or kind, files, bytes, matter)."""

    group: str
    name: str
    version: str
    architecture: str
    section: str
    installed_kib: int
    depends: tuple[str, ...]
    elf: list[ElfLine] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    large: list[tuple[str, int, Matter]] = field(default_factory=list)
    areas: list[tuple[str, int, int, Matter]] = field(default_factory=list)

    @property
    def info_name(self) -> str:
        return f"{self.name}:amd64" if self.architecture == "same" else self.name


@cache
def packages() -> Mapping[str, DebianPackage]:
    """The whole table by name."""
    found: dict[str, DebianPackage] = {}
    for line in resources.files("fleet.sample").joinpath("bookworm.txt").read_text().splitlines():
        kind, *words = line.split(" ")
        match kind:
            case "=":
                group, name, version, architecture, section, kib, depends = words
                package = DebianPackage(
                    group, name, version, architecture, section, int(kib), tuple(filter(None, depends.split(",")))
                )
                found[name] = package
            case "e":
                path, size, glibc, soname, needed = words
                names = () if needed == "-" else tuple(needed.split(","))
                package.elf.append(ElfLine(path, int(size), glibc, "" if soname == "-" else soname, names))
            case "l":
                package.links.append((words[0], words[1]))
            case "f":
                package.large.append((words[0], int(words[1]), MATTERS[words[2]]))
            case "a":
                package.areas.append((words[0], int(words[1]), int(words[2]), MATTERS[words[3]]))
    return found


def group(name: str) -> tuple[str, ...]:
    return tuple(package.name for package in packages().values() if package.group == name)


def with_dependencies(names: Iterable[str], present: Iterable[str]) -> tuple[str, ...]:
    """``names`` and all they depend on, less what is there already; what the table lacks is left out."""
    table, there = packages(), set(present)
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in table and name not in there and name not in found:
            found[name] = None
            waiting.extend(table[name].depends)
    return tuple(sorted(found))


def base_system(slim: bool) -> Iterator[File]:
    """What debootstrap leaves: the essential packages on a merged /usr."""
    yield from _skeleton(slim)
    yield from installed(group("slim"), (), slim)


def installed(names: Sequence[str], present: Sequence[str], slim: bool) -> Iterator[File]:
    """The files of ``names`` and dpkg's database after they joined the packages that were ``present``."""
    table = packages()
    for name in names:
        files = list(_files(table[name], slim))
        yield from (file._replace(path=merged(file.path)) for file in files)
        yield from _info(table[name], files)
    yield text("var/lib/dpkg/status", "".join(_status(table[name]) for name in sorted({*present, *names})))
    yield blob("var/cache/ldconfig/aux-cache", 9_000 + 60 * len(names), "machine")
    yield blob("etc/ld.so.cache", 7_000 + 70 * (len(present) + len(names)), "text", head=b"glibc-ld.so.cache1.1")


def apt_lists() -> Iterator[File]:
    """What ``apt-get update`` downloads and nobody removes: compressed, since Debian's images say so."""
    for suite, size in (("_dists_bookworm", 18_600_000), ("_dists_bookworm-updates", 14_000)):
        yield blob(APT_LISTS.format(suite, "main_binary-amd64_Packages.lz4"), size)
        yield blob(APT_LISTS.format(suite, "InRelease"), 151_000, "text")
    yield blob(APT_LISTS.format("-security_dists_bookworm-security", "main_binary-amd64_Packages.lz4"), 540_000)
    yield File("var/lib/apt/lists/lock", mode=0o640)
    yield directory("var/lib/apt/lists/partial", 0o700)


def apt_archives(names: Sequence[str]) -> Iterator[File]:
    """The downloaded packages, which stay where the base does not clean up after apt."""
    for name in names:
        package = packages()[name]
        version = package.version.replace(":", "%3a")
        blob_bytes = package.installed_kib * 1024 * 27 // 100
        yield blob(f"var/cache/apt/archives/{name}_{version}_amd64.deb", blob_bytes, head=b"!<arch>\n")
    yield blob("var/cache/apt/pkgcache.bin", 38_000_000, "machine")
    yield blob("var/cache/apt/srcpkgcache.bin", 37_900_000, "machine")


def _skeleton(slim: bool) -> Iterator[File]:
    for name in ("bin", "sbin", "lib", "lib64"):
        yield symlink(name, f"usr/{name}")
    for path in ("boot", "dev", "home", "media", "mnt", "opt", "proc", "run", "srv", "sys", "usr/local/bin", "var/log"):
        yield directory(path)
    yield directory("root", 0o700)
    yield directory("tmp", 0o1777)
    yield directory("var/tmp", 0o1777)
    yield symlink("var/run", "/run")
    yield text("usr/lib/os-release", OS_RELEASE)
    yield symlink("etc/os-release", "../usr/lib/os-release")
    yield text("etc/debian_version", "12.11\n")
    yield text("etc/passwd", ACCOUNTS)
    yield text("etc/group", GROUPS)
    yield text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    yield text("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n")
    yield text("etc/ld.so.conf.d/libc.conf", "# libc default configuration\n/usr/local/lib\n")
    yield text("etc/ld.so.conf.d/x86_64-linux-gnu.conf", f"/usr/local/lib/x86_64-linux-gnu\n/{LIBRARIES}\n")
    yield text("etc/apt/sources.list.d/debian.sources", SOURCES)
    yield text("etc/apt/apt.conf.d/docker-clean", 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };\n')
    yield text("etc/apt/apt.conf.d/docker-gzip-indexes", 'Acquire::GzipIndexes "true";\n')
    yield symlink("usr/bin/awk", "mawk")
    if slim:
        yield text("etc/dpkg/dpkg.cfg.d/docker", SLIM_EXCLUDES)


def merged(path: str) -> str:
    """Where a path of a package lies on a merged /usr; dpkg keeps the name the package used."""
    return MERGED.sub(lambda found: f"usr/{found[1]}/", path)


def _files(package: DebianPackage, slim: bool) -> Iterator[File]:
    for line in package.elf:
        yield File(line.path, elf_file(_program(line), line.size_bytes, seed_of(line.path) % 64), _mode(line))
    yield from (symlink(path, target) for path, target in package.links)
    yield from (blob(path, size, matter) for path, size, matter in package.large if not slim or "/doc/" not in path)
    for area, count, size, matter in package.areas:
        if slim and area in DOCUMENTATION:
            continue
        yield from _area(package.name, area, min(count, FILES_PER_AREA), size, matter)
    yield blob(f"usr/share/doc/{package.name}/copyright", 1_400 + seed_of(package.name) % 9_000, "text")
    if package.name == "ca-certificates":
        yield blob("etc/ssl/certs/ca-certificates.crt", 213_777, "text", head=b"-----BEGIN CERTIFICATE-----\n")


def _program(line: ElfLine) -> Program:
    executable = "/bin/" in f"/{line.path}" or "/sbin/" in f"/{line.path}"
    highest = tuple(int(part) for part in line.glibc.split("."))
    glibc = [f"GLIBC_{one}" for one in GLIBC_RELEASES if tuple(map(int, one.split(".")))[:2] <= highest]
    defines = [f"GLIBC_{one}" for one in GLIBC_RELEASES] if line.soname in ("libc.so.6", "libm.so.6") else []
    return Program(
        interpreter=LOADER if executable else "",
        needed=line.needed,
        soname=line.soname,
        glibc=[] if line.soname == "libc.so.6" else glibc[-3:],
        defines=[line.soname, *defines] if defines else [],
    )


def _mode(line: ElfLine) -> int:
    return 0o644 if line.soname and "ld-linux" not in line.path and "libc.so" not in line.path else 0o755


def _area(package: str, area: str, count: int, size: int, matter: Matter) -> Iterator[File]:
    for position, share in enumerate(shares(size, count, seed_of(package, area))):
        path = _area_path(package, area, position)
        yield blob(path, share, matter, mode=0o755 if posixpath.basename(area) in ("bin", "sbin") else 0o644)


def _area_path(package: str, area: str, position: int) -> str:
    stem = package.removeprefix("lib").removesuffix("-dev")
    match area:
        case "doc":
            names = ("changelog.Debian.gz", "changelog.gz", "NEWS.Debian.gz", "README.Debian")
            name = names[position] if position < len(names) else f"examples/{stem}-{position}"
            return f"usr/share/doc/{package}/{name}"
        case "man":
            return f"usr/share/man/man{1 + position % 8}/{stem}-{position}.{1 + position % 8}.gz"
        case "info":
            return f"usr/share/info/{stem}-{position}.info.gz"
        case "locale":
            language, turn = LANGUAGES[position % len(LANGUAGES)], position // len(LANGUAGES)
            return f"usr/share/locale/{language}/LC_MESSAGES/{stem}{turn or ''}.mo"
        case "include":
            return f"usr/include/{stem}/{stem}_{position}.h"
        case "static":
            return f"{LIBRARIES}/lib{stem}{position or ''}.a"
    return f"{area}/{stem}-{position}{_suffix(area)}"


def _suffix(area: str) -> str:
    return next((ending for word, ending in ENDINGS.items() if word in area), "")


def _info(package: DebianPackage, files: Sequence[File]) -> Iterator[File]:
    paths = {f"/{file.path}" for file in files}
    for path in list(paths):
        while (path := posixpath.dirname(path)) != "/":
            paths.add(path)
    yield text(f"var/lib/dpkg/info/{package.info_name}.list", "/.\n" + "\n".join(sorted(paths)) + "\n")
    sums = "".join(f"{seed_of(file.path):032x}  {file.path}\n" for file in files if file.kind == "file")
    yield text(f"var/lib/dpkg/info/{package.info_name}.md5sums", sums)


def _status(package: DebianPackage) -> str:
    architecture = "amd64" if package.architecture == "same" else package.architecture
    lines = [
        f"Package: {package.name}",
        "Status: install ok installed",
        f"Priority: {'required' if package.group == 'slim' else 'optional'}",
        f"Section: {package.section}",
        f"Installed-Size: {package.installed_kib}",
        f"Architecture: {architecture}",
        *(["Multi-Arch: same"] if package.architecture == "same" else []),
        f"Version: {package.version}",
        *([f"Depends: {', '.join(package.depends)}"] if package.depends else []),
        f"Description: {package.name} of Debian 12",
    ]
    return "\n".join(lines) + "\n\n"


OS_RELEASE = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
"""
ACCOUNTS = """root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
GROUPS = "root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nnogroup:x:65534:\n"
SOURCES = """Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
SLIM_EXCLUDES = """path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/info/*
"""
