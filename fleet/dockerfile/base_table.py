"""Sizes of well-known bases for the moment when no registry can be asked, with what their file systems surely hold.

The figures of Debian slim and of distroless were measured; Python's are Debian's and an estimate of the interpreter,
Alpine's an estimate. A registry always knows better, so whoever shows these says that they come from a table and from
when.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from typing import Literal

from fleet.image.sizes import Sizes
from fleet.oci.manifest import ImageConfig, Platform

AS_OF = "2026-11"

_DEBIAN = Sizes(77_800_000, 30_100_000)
_PYTHON = Sizes(50_000_000, 18_000_000)
_GLIBC = {"bullseye": (2, 31), "bookworm": (2, 36), "trixie": (2, 41)}
_SUITES = "bullseye|bookworm|trixie"
_PYTHON_SLIM = re.compile(rf"python:(3\.(?:[89]|1\d))(?:\.\d+)?-slim(?:-({_SUITES}))?")
_DEBIAN_SLIM = re.compile(rf"debian:({_SUITES})-slim")

# What the official slim images install for the interpreter, and what Debian marks essential, by the name that the
# loader asks for. Libraries whose soname differs between releases are left out, so that they are copied.
_LIBRARIES_WORDS = (
    "libacl.so.1 libattr.so.1 libblkid.so.1 libbz2.so.1.0 libcap.so.2 libcom_err.so.2 libcrypt.so.1 libexpat.so.1 "
    "libgcc_s.so.1 liblz4.so.1 liblzma.so.5 libmount.so.1 libpam.so.0 libreadline.so.8 libselinux.so.1 "
    "libsmartcols.so.1 libsqlite3.so.0 libstdc++.so.6 libtinfo.so.6 libudev.so.1 libuuid.so.1 libxxhash.so.0 "
    "libz.so.1 libzstd.so.1 libncursesw.so.6"
)
_LIBRARIES = frozenset(_LIBRARIES_WORDS.split())
# Debian's own images have none of what the interpreter needs.
_DEBIAN_LIBRARIES = _LIBRARIES - {
    "libcom_err.so.2", "libexpat.so.1", "libncursesw.so.6", "libreadline.so.8", "libsqlite3.so.0"
}  # fmt: skip
_OF_SUITES = {suite: frozenset({"libssl.so.3", "libcrypto.so.3", "libffi.so.8"}) for suite in ("bookworm", "trixie")}
# Packages of a minimal Debian and of what those images add to it, as bookworm names them.
_PACKAGE_NAMES = (
    "adduser apt base-files base-passwd bash bsdutils ca-certificates coreutils dash debconf debian-archive-keyring "
    "debianutils diffutils dpkg e2fsprogs findutils gcc-12-base gpgv grep gzip hostname init-system-helpers "
    "libacl1 libapt-pkg6.0 libattr1 libaudit-common libaudit1 libblkid1 libbz2-1.0 libc-bin libc6 libcap-ng0 "
    "libcap2 libcom-err2 libcrypt1 libdb5.3 libdebconfclient0 libexpat1 libext2fs2 libffi8 libgcc-s1 "
    "libgcrypt20 libgdbm6 libgmp10 libgnutls30 libgpg-error0 libhogweed6 libidn2-0 liblz4-1 liblzma5 libmd0 "
    "libmount1 libncurses6 libncursesw6 libnettle8 libp11-kit0 libpam-modules libpam-modules-bin libpam-runtime "
    "libpam0g libpcre2-8-0 libreadline8 libseccomp2 libselinux1 libsemanage-common libsemanage2 libsepol2 "
    "libsmartcols1 libsqlite3-0 libss2 libssl3 libstdc++6 libsystemd0 libtasn1-6 libtinfo6 libudev1 libunistring2 "
    "libuuid1 libxxhash0 libzstd1 login logsave mawk mount ncurses-base ncurses-bin netbase openssl passwd perl-base "
    "readline-common sed sysvinit-utils tar tzdata usr-is-merged util-linux util-linux-extra zlib1g"
)
_PACKAGES = frozenset(_PACKAGE_NAMES.split())
_PYTHONS_PACKAGE_NAMES = (
    "ca-certificates e2fsprogs libcom-err2 libexpat1 libext2fs2 libgdbm6 libncurses6 libncursesw6 libreadline8 "
    "libsqlite3-0 libss2 libssl3 logsave netbase openssl readline-common"
)
_DEBIAN_PACKAGES = _PACKAGES - frozenset(_PYTHONS_PACKAGE_NAMES.split())
_PROGRAMS = frozenset({"sh", "dash", "bash", "env", "cat", "ls", "test", "sleep", "true", "false", "chown", "ldconfig"})


# What the loader finds of glibc and of musl themselves, on the two architectures that most bases are made for.
_GLIBC_WORDS = (
    "ld-linux-x86-64.so.2 ld-linux-aarch64.so.1 libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libutil.so.1 "
    "libresolv.so.2 libanl.so.1 libnss_dns.so.2 libnss_files.so.2"
)
_GLIBC_LIBRARIES = frozenset(_GLIBC_WORDS.split())
_MUSL_WORDS = "ld-musl-x86_64.so.1 libc.musl-x86_64.so.1 ld-musl-aarch64.so.1 libc.musl-aarch64.so.1"
_ALPINE_LIBRARIES = frozenset((*_MUSL_WORDS.split(), "libcrypto.so.3", "libssl.so.3", "libz.so.1"))
_ALPINE_PACKAGE_NAMES = (
    "alpine-baselayout alpine-keys apk-tools busybox ca-certificates-bundle libcrypto3 libssl3 musl musl-utils scanelf "
    "ssl_client zlib"
)
_ALPINE_PACKAGES = frozenset(_ALPINE_PACKAGE_NAMES.split())
# musl's of the releases whose libraries have these names.
_MUSL = {
    "3.18": (1, 2, 4),
    "3.19": (1, 2, 4),
    "3.20": (1, 2, 5),
    "3.21": (1, 2, 5),
    "3.22": (1, 2, 5),
    "3.23": (1, 2, 5),
}
_ALPINE_SIZES = Sizes(8_300_000, 3_800_000)

# Measured on trixie. Those on bookworm are no larger.
_DISTROLESS_SIZES = {
    "static": Sizes(2_500_000, 1_000_000),
    "base": Sizes(24_500_000, 9_800_000),
    "cc": Sizes(27_800_000, 11_000_000),
    "java-base": Sizes(35_000_000, 15_000_000),
    "nodejs24": Sizes(154_000_000, 56_000_000),
}
_TLS = frozenset({"libssl.so.3", "libcrypto.so.3"})
_CXX = frozenset({"libstdc++.so.6", "libgcc_s.so.1", "libgomp.so.1"})
_STATIC_DATA = frozenset(
    {"etc/passwd", "etc/group", "etc/nsswitch.conf", "etc/ssl/certs/ca-certificates.crt", "usr/share/zoneinfo", "tmp"}
)
_STATIC_PACKAGES = frozenset({"base-files", "netbase", "tzdata"})
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NO_PLATFORM = Platform("linux", "")
_NONROOT = ImageConfig(
    _NO_PLATFORM,
    user="65532",
    env=(_PATH, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"),
    working_dir="/home/nonroot",
)

_DISTROLESS = re.compile(r"gcr\.io/distroless/(static|base|cc|java-base|nodejs24)-debian(12|13):nonroot")
_SUITE_OF = {"12": "bookworm", "13": "trixie"}
_ALPINE = re.compile(r"alpine:(3\.\d{2})(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class KnownBase:
    """``minor`` is empty without Python; ``glibc`` is None where the tag names no release, and where ``libc`` is not
    glibc. ``programs`` are found by the search path, or are paths with a leading slash. ``data`` are paths that are
    surely there. ``config`` is how the base itself runs, where that matters; its platform says nothing."""

    sizes: Sizes
    minor: str
    suite: str
    glibc: tuple[int, int] | None
    libraries: frozenset[str] = _LIBRARIES
    programs: frozenset[str] = _PROGRAMS
    packages: frozenset[str] = _PACKAGES
    libc: Literal["glibc", "musl", "none"] = "glibc"
    musl: tuple[int, int, int] | None = None
    data: frozenset[str] = frozenset()
    config: ImageConfig | None = None

    def has_library(self, name: str) -> bool:
        """Whether the loader surely finds a library, the C library's own among them."""
        if name in self.libraries or (self.minor and name.startswith("libpython")):
            return True
        return self.libc == "glibc" and name in _GLIBC_LIBRARIES

    def has_program(self, word: str) -> bool:
        """Whether a word of a command is surely found; where the base has a shell, by its last part alone."""
        return word in self.programs or ("sh" in self.programs and posixpath.basename(word) in self.programs)


def known_base(reference: str) -> KnownBase | None:
    """What the table says of a reference as Docker Hub writes it (``python:3.11-slim``), or None."""
    short = reference.removeprefix("docker.io/").removeprefix("library/").partition("@")[0]
    if found := _PYTHON_SLIM.fullmatch(short):
        minor, suite = found[1], found[2] or ""
        programs = _PROGRAMS | {"python", "python3", f"python{minor}", "pip", "pip3"}
        libraries = _LIBRARIES | _OF_SUITES.get(suite, frozenset())
        return KnownBase(_DEBIAN + _PYTHON, minor, suite, _GLIBC.get(suite), libraries, programs)
    if found := _DEBIAN_SLIM.fullmatch(short):
        config = ImageConfig(_NO_PLATFORM, env=(_PATH,), cmd=("bash",))
        return KnownBase(
            _DEBIAN, "", found[1], _GLIBC[found[1]], _DEBIAN_LIBRARIES, _PROGRAMS, _DEBIAN_PACKAGES, config=config
        )
    if found := _DISTROLESS.fullmatch(short):
        return _distroless(found[1], _SUITE_OF[found[2]])
    if (found := _ALPINE.fullmatch(short)) and found[1] in _MUSL:
        return _alpine(found[1])
    return None


def _distroless(kind: str, suite: str) -> KnownBase | None:
    """Nothing can be run in it but what is copied; a runtime's own program is not on the search path."""
    if kind == "nodejs24" and suite != "trixie":
        return None
    libraries, packages = frozenset[str](), _STATIC_PACKAGES
    if kind != "static":
        libraries, packages = _TLS, packages | {"libc6"}
    if kind in ("cc", "nodejs24"):
        libraries, packages = libraries | _CXX, packages | {"libstdc++6", "libgcc-s1", "libgomp1"}
    return KnownBase(
        _DISTROLESS_SIZES[kind],
        "",
        suite,
        None if kind == "static" else _GLIBC[suite],
        libraries,
        frozenset({"/nodejs/bin/node"} if kind == "nodejs24" else ()),
        packages,
        libc="none" if kind == "static" else "glibc",
        data=_STATIC_DATA,
        config=replace(_NONROOT, entrypoint=("/nodejs/bin/node",)) if kind == "nodejs24" else _NONROOT,
    )


def _alpine(version: str) -> KnownBase:
    return KnownBase(
        _ALPINE_SIZES,
        "",
        version,
        None,
        _ALPINE_LIBRARIES,
        _PROGRAMS - {"dash", "bash"} | {"busybox", "ash", "wget", "nc"},
        _ALPINE_PACKAGES,
        libc="musl",
        musl=_MUSL[version],
        data=frozenset({"etc/passwd", "etc/group", "etc/ssl/certs/ca-certificates.crt", "tmp"}),
        config=ImageConfig(_NO_PLATFORM, env=(_PATH,), cmd=("/bin/sh",)),
    )
