"""A Dockerfile on disk or on standard input, for commands."""

from __future__ import annotations

import sys
from pathlib import Path

from fleet.dockerfile.parse import Dockerfile, InvalidDockerfile, parse_dockerfile
from fleet.oci.errors import RegistryError

_MAX_BYTES = 1 << 20


class UnreadableDockerfile(RegistryError):
    """The file that was named is no Dockerfile that can be read."""


def read_dockerfile(name: str) -> tuple[str, Dockerfile]:
    """The text, line ends as they are, and what it says; ``-`` is standard input. Raises UnreadableDockerfile."""
    try:
        if name == "-":
            content = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
        return text, parse_dockerfile(text)
    except OSError as error:
        raise UnreadableDockerfile(f"Could not read {name}: {error.strerror}. Name a Dockerfile on disk.") from error
    except UnicodeDecodeError as error:
        raise UnreadableDockerfile(f"{name} is not UTF-8 text. Name a Dockerfile.") from error
    except InvalidDockerfile as error:
        raise UnreadableDockerfile(f"{name}: {error}") from error
