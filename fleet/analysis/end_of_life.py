"""When distributions and runtimes stop getting security updates.

From the projects' own pages, as of ``AS_OF``: for Debian the end of long-term support, for Ubuntu that of standard
security maintenance, for everything else the end of what is free of charge. CentOS 8 is taken for its Stream, which
lasted longer; Go's releases end when the second after them appears. What is not in the table is not known, and nothing
is said of it: Java's long-term releases end at each maker's own time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

AS_OF = date(2026, 11, 25)

_Ends = Mapping[str, tuple[int, int, int]]

# By ID and VERSION_ID of os-release(5).
_DISTRIBUTIONS: Mapping[str, _Ends] = {
    "debian": {
        "8": (2020, 6, 30), "9": (2022, 6, 30), "10": (2024, 6, 30), "11": (2026, 8, 31), "12": (2028, 6, 30),
        "13": (2030, 6, 30),
    },
    "ubuntu": {
        "14.04": (2019, 4, 30), "16.04": (2021, 4, 30), "18.04": (2023, 5, 31), "20.04": (2025, 5, 31),
        "20.10": (2021, 7, 22), "21.04": (2022, 1, 20), "21.10": (2022, 7, 14), "22.04": (2027, 6, 1),
        "22.10": (2023, 7, 20), "23.04": (2024, 1, 25), "23.10": (2024, 7, 11), "24.04": (2029, 5, 31),
        "24.10": (2025, 7, 10), "25.04": (2026, 1, 15), "25.10": (2026, 7, 9), "26.04": (2031, 5, 29),
    },
    "alpine": {
        "3.5": (2018, 11, 1), "3.6": (2019, 5, 1), "3.7": (2019, 11, 1), "3.8": (2020, 5, 1), "3.9": (2020, 11, 1),
        "3.10": (2021, 5, 1), "3.11": (2021, 11, 1), "3.12": (2022, 5, 1), "3.13": (2022, 11, 1), "3.14": (2023, 5, 1),
        "3.15": (2023, 11, 1), "3.16": (2024, 5, 23), "3.17": (2024, 11, 22), "3.18": (2025, 5, 9),
        "3.19": (2025, 11, 1), "3.20": (2026, 4, 1), "3.21": (2026, 11, 1), "3.22": (2027, 5, 1), "3.23": (2027, 11, 1),
    },
    "centos": {"6": (2020, 11, 30), "7": (2024, 6, 30), "8": (2024, 5, 31), "9": (2027, 5, 31)},
    "rhel": {
        "6": (2020, 11, 30), "7": (2024, 6, 30), "8": (2029, 5, 31), "9": (2032, 5, 31), "10": (2035, 5, 31),
    },
    "rocky": {"8": (2029, 5, 31), "9": (2032, 5, 31), "10": (2035, 5, 31)},
    "almalinux": {"8": (2029, 3, 1), "9": (2032, 5, 31), "10": (2035, 5, 31)},
    "fedora": {
        "34": (2022, 6, 7), "35": (2022, 12, 13), "36": (2023, 5, 16), "37": (2023, 12, 5), "38": (2024, 5, 21),
        "39": (2024, 11, 26), "40": (2025, 5, 13), "41": (2025, 12, 15),
    },
    "amzn": {"2018.03": (2023, 12, 31), "2": (2026, 6, 30), "2023": (2029, 6, 30)},
    "opensuse-leap": {
        "15.0": (2019, 12, 3), "15.1": (2021, 2, 2), "15.2": (2022, 1, 4), "15.3": (2022, 12, 31),
        "15.4": (2023, 12, 7), "15.5": (2024, 12, 31), "15.6": (2026, 4, 30), "16.0": (2027, 10, 31),
    },
}  # fmt: skip

# By the name of ``findings.Runtime`` and the version as far as it counts for support.
_RUNTIMES: Mapping[str, _Ends] = {
    "python": {
        "2.7": (2020, 1, 1), "3.4": (2019, 3, 18), "3.5": (2020, 9, 30), "3.6": (2021, 12, 23), "3.7": (2023, 6, 27),
        "3.8": (2024, 10, 7), "3.9": (2025, 10, 31), "3.10": (2026, 10, 31), "3.11": (2027, 10, 31),
        "3.12": (2028, 10, 31), "3.13": (2029, 10, 31), "3.14": (2030, 10, 31),
    },
    "node": {
        "6": (2019, 4, 30), "8": (2019, 12, 31), "10": (2021, 4, 30), "11": (2019, 6, 30), "12": (2022, 4, 30),
        "13": (2020, 6, 1), "14": (2023, 4, 30), "15": (2021, 6, 1), "16": (2023, 9, 11), "17": (2022, 6, 1),
        "18": (2025, 4, 30), "19": (2023, 6, 1), "20": (2026, 4, 30), "21": (2024, 6, 1), "22": (2027, 4, 30),
        "23": (2025, 6, 1), "24": (2028, 4, 30), "25": (2026, 6, 1),
    },
    "ruby": {
        "2.5": (2021, 4, 5), "2.6": (2022, 4, 12), "2.7": (2023, 3, 31), "3.0": (2024, 4, 23), "3.1": (2025, 3, 26),
        "3.2": (2026, 3, 31), "3.3": (2027, 3, 31), "3.4": (2028, 3, 31),
    },
    "php": {
        "5.6": (2018, 12, 31), "7.0": (2019, 1, 10), "7.1": (2019, 12, 1), "7.2": (2020, 11, 30), "7.3": (2021, 12, 6),
        "7.4": (2022, 11, 28), "8.0": (2023, 11, 26), "8.1": (2025, 12, 31), "8.2": (2026, 12, 31),
        "8.3": (2027, 12, 31), "8.4": (2028, 12, 31), "8.5": (2029, 12, 31),
    },
    "dotnet": {
        "2.1": (2021, 8, 21), "3.1": (2022, 12, 13), "5": (2022, 5, 10), "6": (2024, 11, 12), "7": (2024, 5, 14),
        "8": (2026, 11, 10), "9": (2026, 11, 10), "10": (2028, 11, 14),
    },
    "go": {
        "1.16": (2022, 3, 15), "1.17": (2022, 8, 2), "1.18": (2023, 2, 1), "1.19": (2023, 8, 8), "1.20": (2024, 2, 6),
        "1.21": (2024, 8, 13), "1.22": (2025, 2, 11), "1.23": (2025, 8, 12), "1.24": (2026, 2, 10),
        "1.25": (2026, 8, 19),
    },
    "java": {
        "16": (2021, 9, 14), "18": (2022, 9, 20), "19": (2023, 3, 21), "20": (2023, 9, 19), "22": (2024, 9, 17),
        "23": (2025, 3, 18), "24": (2025, 9, 16),
    },
}  # fmt: skip


# By who makes the images, and the runtime's or the distribution's version: where they stop before what is inside does.
# Distroless goes by the release of the next Debian: a year after it, its runtimes three months.
_IMAGES: Mapping[str, _Ends] = {
    "temurin": {
        "8": (2030, 12, 31), "11": (2027, 10, 31), "17": (2027, 10, 31), "21": (2029, 12, 31), "25": (2031, 9, 30),
    },
    "distroless": {"11": (2024, 6, 10), "12": (2026, 8, 9)},
    "distroless-runtimes": {"11": (2023, 9, 10), "12": (2025, 11, 9)},
}  # fmt: skip

_SOURCES = {
    "debian": "https://wiki.debian.org/LTS",
    "ubuntu": "https://ubuntu.com/about/release-cycle",
    "alpine": "https://alpinelinux.org/releases/",
    "centos": "https://www.centos.org/cl-vs-cs/",
    "rhel": "https://access.redhat.com/support/policy/updates/errata",
    "rocky": "https://wiki.rockylinux.org/rocky/version/",
    "almalinux": "https://wiki.almalinux.org/release-notes/",
    "fedora": "https://docs.fedoraproject.org/en-US/releases/eol/",
    "amzn": "https://aws.amazon.com/linux/amazon-linux-2023/faqs/",
    "opensuse-leap": "https://en.opensuse.org/Lifetime",
    "python": "https://devguide.python.org/versions/",
    "node": "https://github.com/nodejs/release",
    "ruby": "https://www.ruby-lang.org/en/downloads/branches/",
    "php": "https://www.php.net/supported-versions.php",
    "dotnet": "https://dotnet.microsoft.com/platform/support/policy",
    "go": "https://go.dev/doc/devel/release",
    "java": "https://openjdk.org/projects/jdk/",
    "temurin": "https://adoptium.net/support/",
    "distroless": "https://github.com/GoogleContainerTools/distroless/blob/main/SUPPORT_POLICY.md",
    "distroless-runtimes": "https://github.com/GoogleContainerTools/distroless/blob/main/SUPPORT_POLICY.md",
}


@dataclass(frozen=True, slots=True)
class End:
    """The day on which updates end, and the page that says so."""

    day: date
    source: str


def distribution_ends(name: str, version: str) -> date | None:
    """The day on which the updates of a distribution end; None where the table does not know it."""
    return _ends(_DISTRIBUTIONS.get(name, {}), version)


def runtime_ends(name: str, version: str) -> date | None:
    """The day on which the updates of a runtime end; None where the table does not know it."""
    return _ends(_RUNTIMES.get(name, {}), version)


def distribution_end(name: str, version: str) -> End | None:
    return _sourced(name, distribution_ends(name, version))


def runtime_end(name: str, version: str) -> End | None:
    return _sourced(name, runtime_ends(name, version))


def image_end(maker: str, version: str) -> End | None:
    """When a maker stops to build images for a version of what is inside; None where the table does not know it."""
    return _sourced(maker, _ends(_IMAGES.get(maker, {}), version))


def _sourced(name: str, day: date | None) -> End | None:
    return End(day, _SOURCES[name]) if day else None


def _ends(table: _Ends, version: str) -> date | None:
    """``3.9.18`` is looked for as 3.9, then as 3."""
    parts = version.split(".")
    keys = (".".join(parts[:count]) for count in (2, 1))
    return next((date(*table[key]) for key in keys if key in table), None)
