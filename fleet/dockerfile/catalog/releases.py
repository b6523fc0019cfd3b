"""Releases of distributions: what os-release(5) says of one, and which of them is newer.

Spec: https://www.freedesktop.org/software/systemd/man/latest/os-release.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fleet.image.filetree import FileTree

_FIELD = re.compile(r"^(ID|VERSION_ID|VERSION_CODENAME)=[\"']?([A-Za-z0-9._-]{1,40})[\"']?\s*$", re.MULTILINE)
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,3})?")
# Whose support and images go by the first part of the number alone.
_BY_MAJOR = frozenset({"debian", "rhel", "centos", "rocky", "almalinux", "ol", "fedora"})
# Numbers and names, oldest first.
_CODENAMES: Mapping[str, Mapping[str, str]] = {
    "debian": {"10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie"},
    "ubuntu": {"18.04": "bionic", "20.04": "focal", "22.04": "jammy", "24.04": "noble"},
}
_GLIBC: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "debian": {"10": (2, 28), "11": (2, 31), "12": (2, 36), "13": (2, 41)},
    "ubuntu": {"18.04": (2, 27), "20.04": (2, 31), "22.04": (2, 35), "24.04": (2, 39)},
    "rhel": {"8": (2, 28), "9": (2, 34), "10": (2, 39)},
    "centos": {"7": (2, 17), "8": (2, 28), "9": (2, 34), "10": (2, 39)},
    "rocky": {"8": (2, 28), "9": (2, 34), "10": (2, 39)},
    "almalinux": {"8": (2, 28), "9": (2, 34), "10": (2, 39)},
    "ol": {"8": (2, 28), "9": (2, 34), "10": (2, 39)},
    "amzn": {"2": (2, 26), "2023": (2, 34)},
}
_TITLES = {
    "debian": "Debian", "ubuntu": "Ubuntu", "alpine": "Alpine", "rhel": "Red Hat Enterprise Linux", "wolfi": "Wolfi",
    "centos": "CentOS", "rocky": "Rocky Linux", "almalinux": "AlmaLinux", "ol": "Oracle Linux", "fedora": "Fedora",
    "amzn": "Amazon Linux",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Release:
    """``id`` is the distribution's (``debian``), ``version`` its number (``12``), ``codename`` its name (``bookworm``).
    Each is empty where os-release does not say it."""

    id: str = ""
    codename: str = ""
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> Release:
        """From the text of os-release; what is not plain is taken for absent."""
        fields: dict[str, str] = {}
        for key, value in _FIELD.findall(text[:20_000]):
            fields.setdefault(key, value)
        return cls(fields.get("ID", "").lower(), fields.get("VERSION_CODENAME", ""), fields.get("VERSION_ID", ""))

    @classmethod
    def of(cls, tree: FileTree) -> Release:
        """What an image says of itself; all empty where it has no os-release."""
        return cls.parse(tree.text("etc/os-release") or tree.text("usr/lib/os-release") or "")

    @property
    def number(self) -> str:
        """The part of the version that names a release: ``3.20`` of Alpine 3.20.3, ``9`` of RHEL 9.4. Debian's testing
        says its codename alone."""
        found = _NUMBER.match(self.version)
        if found is None:
            return next((number for number, name in _names(self.id) if name == self.codename), "")
        return found[0].partition(".")[0] if self.id in _BY_MAJOR else found[0]

    @property
    def name(self) -> str:
        """The codename, also where only the number is said; empty where releases have none."""
        return self.codename or next((name for number, name in _names(self.id) if number == self.number), "")

    @property
    def glibc(self) -> tuple[int, int] | None:
        """None where the release has another C library, or is not known."""
        return _GLIBC.get(self.id, {}).get(self.number)

    @property
    def title(self) -> str:
        """As people write it: ``Debian 12``."""
        return f"{_TITLES.get(self.id, self.id)} {self.number or self.codename}".strip()

    def is_older_than(self, number: str) -> bool:
        """Whether another release of the same distribution is newer; False where either is unknown."""
        return bool(self.number and number) and order(self.number) < order(number)


def release(id: str, number: str) -> Release:
    return Release(id, dict(_names(id)).get(number, ""), number)


def number_of(id: str, codename: str) -> str:
    """The number of a release by its name; empty for an unknown one."""
    return next((number for number, name in _names(id) if name == codename), "")


def order(number: str) -> tuple[int, ...]:
    """What release and version numbers are compared by."""
    return tuple(int(part) for part in number.split(".") if part.isdigit())


def _names(id: str) -> tuple[tuple[str, str], ...]:
    return tuple(_CODENAMES.get(id, {}).items())
