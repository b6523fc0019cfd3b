"""Large media that the application brings: videos, sound, archives, disk images, database dumps.

An image is pulled whole by every node for every release; what seldom changes is better fetched from object storage or
a volume. What a package installed, and what the command names, stays out of it, as do tables and models: a program may
be nothing without them.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey

LEAST_BYTES = 5_000_000
# fmt: off
_SUFFIXES = (
    ".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mp3", ".wav", ".flac", ".aiff", ".psd", ".tif", ".tiff",
    ".iso", ".img", ".qcow2", ".vmdk", ".ova", ".dmg", ".zip", ".7z", ".rar", ".tar", ".tar.gz", ".tgz", ".tar.bz2",
    ".tar.xz", ".tar.zst", ".sql", ".sql.gz", ".dump", ".bak",
)
# fmt: on
_SYSTEM = ("usr/lib/", "usr/share/", "lib/", "boot/", "usr/local/lib/", "var/lib/")


def _claims(survey: Survey) -> Iterator[Claim]:
    owned: set[str] | None = None
    for nodes in survey.directories.values():
        for node in nodes:
            path = node.entry.path
            if node.entry.kind != "file" or node.entry.size_bytes < LEAST_BYTES:
                continue
            if not path.lower().endswith(_SUFFIXES) or path.startswith(_SYSTEM):
                continue
            if owned is None:
                owned = {path for package in survey.packages for path in package.paths}
            if path not in owned:
                yield Claim(node.entry, node.layer)


LARGE_MEDIA = Rule(
    "large-media",
    "Large media and archives",
    "Keep them in object storage or on a volume and fetch them when they are needed; archives that a step has unpacked "
    "can be deleted in that same step.",
    _claims,
)
