"""Sizes of well-known bases for the moment when no registry can be asked, with what their file systems surely hold.

The figure of Debian slim was measured; Python's is that one and an estimate of the interpreter. A registry always
knows better, so whoever shows these says that they come from a table and from when.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleet.image.sizes import Sizes

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
_OF_SUITES = {suite: frozenset({"libssl.so.3", "libcrypto.so.3", "libffi.so.8"}) for suite in ("bookworm", "trixie")}
# Packages of a minimal Debian and of what those images add to it, as bookworm names them.
_PACKAGE_NAMES = (
    "adduser apt base-files base-passwd bash bsdutils ca-certificates coreutils dash debconf debian-archive- "
    "keyring debianutils diffutils dpkg e2fsprogs findutils gcc-12-base gpgv grep gzip hostname init-system- "
    "helpers libacl1 libapt-pkg6.0 libattr1 libaudit-common libaudit1 libblkid1 libbz2-1.0 libc-bin libc6 libcap- "
    "ng0 libcap2 libcom-err2 libcrypt1 libdb5.3 libdebconfclient0 libexpat1 libext2fs2 libffi8 libgcc-s1 "
    "libgcrypt20 libgdbm6 libgmp10 libgnutls30 libgpg-error0 libhogweed6 libidn2-0 liblz4-1 liblzma5 libmd0 "
    "libmount1 libncurses6 libncursesw6 libnettle8 libp11-kit0 libpam-modules libpam-modules-bin libpam-runtime "
    "libpam0g libpcre2-8-0 libreadline8 libseccomp2 libselinux1 libsemanage-common libsemanage2 libsepol2 "
    "libsmartcols1 libsqlite3-0 libss2 libssl3 libstdc++6 libsystemd0 libtasn1-6 libtinfo6 libudev1 libunistring2 "
    "libuuid1 libxxhash0 libzstd1 login logsave mawk mount ncurses-base ncurses-bin netbase openssl passwd perl- "
    "base readline-common sed sysvinit-utils tar tzdata usr-is-merged util-linux util-linux-extra zlib1g"
)
_PROGRAMS = frozenset({"sh", "dash", "bash", "env", "cat", "ls", "test", "sleep", "true", "false", "chown", "ldconfig"})


@dataclass(frozen=True, slots=True)
class KnownBase:
    """``minor`` is empty without Python; ``glibc`` is None where the tag names no release."""

    sizes: Sizes
    minor: str
    suite: str
    glibc: tuple[int, int] | None
    libraries: frozenset[str] = _LIBRARIES
    programs: frozenset[str] = _PROGRAMS
    packages: frozenset[str] = frozenset(_PACKAGE_NAMES.split())


def known_base(reference: str) -> KnownBase | None:
    """What the table says of a reference as Docker Hub writes it (``python:3.11-slim``), or None."""
    short = reference.removeprefix("docker.io/").removeprefix("library/").partition("@")[0]
    if found := _PYTHON_SLIM.fullmatch(short):
        minor, suite = found[1], found[2] or ""
        programs = _PROGRAMS | {"python", "python3", f"python{minor}", "pip", "pip3"}
        libraries = _LIBRARIES | _OF_SUITES.get(suite, frozenset())
        return KnownBase(_DEBIAN + _PYTHON, minor, suite, _GLIBC.get(suite), libraries, programs)
    if found := _DEBIAN_SLIM.fullmatch(short):
        return KnownBase(_DEBIAN, "", found[1], _GLIBC[found[1]])
    return None
