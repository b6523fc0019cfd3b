"""Which smaller base a final stage may start from: names on Docker Hub, best first.

Spec: https://github.com/docker-library/official-images/blob/master/library/python
"""

from __future__ import annotations

import re

from fleet.analysis.findings import Analysis
from fleet.dockerfile.interpreter import Interpreter, is_musl
from fleet.image.filetree import FileTree

_SUITES = "bullseye|bookworm|trixie|forky"
_PYTHON_TAG = re.compile(rf"(?P<version>3\.\d{{1,2}}(?:\.\d{{1,2}})?)(?P<slim>-slim)?(?:-(?P<suite>{_SUITES}))?")
_CODENAME = re.compile(r"^VERSION_CODENAME=\"?([a-z]{2,20})\"?$", re.MULTILINE)
_ALPINE = re.compile(r"^ID=\"?alpine\"?$", re.MULTILINE)
_ALPINE_VERSION = re.compile(r"^VERSION_ID=\"?(\d+\.\d+)", re.MULTILINE)


def python_bases(tree: FileTree, interpreter: Interpreter, from_reference: str = "") -> tuple[str, ...]:
    """Bases with the same Python minor and C library, as Docker Hub names them. ``from_reference`` is what the team's
    FROM says, whose tag is kept as far as it goes."""
    minor = interpreter.minor
    release = os_release(tree)
    if is_musl(tree) or _ALPINE.search(release):
        version = _ALPINE_VERSION.search(release)
        exact = (f"python:{minor}-alpine{version[1]}",) if version else ()
        return (*exact, f"python:{minor}-alpine")
    found = [name for name in (_slim_of(from_reference, minor),) if name]
    if suite := codename(tree):
        found.append(f"python:{minor}-slim-{suite}")
    return tuple(dict.fromkeys([*found, f"python:{minor}-slim"]))


def full_bases(tree: FileTree, analysis: Analysis, interpreter: Interpreter, base_layers: int) -> tuple[str, ...]:
    """What an image that says nothing of its base was most likely built on: with compilers when its base layers hold
    one."""
    if is_musl(tree):
        return python_bases(tree, interpreter)
    compilers = (package for package in analysis.packages if package.name == "gcc" and package.ecosystem == "deb")
    slim = "" if any(package.layer < base_layers for package in compilers) else "-slim"
    suite = codename(tree)
    exact = (f"python:{interpreter.minor}{slim}-{suite}",) if suite else ()
    return (*exact, f"python:{interpreter.minor}{slim}")


def python_minor(reference: str) -> str:
    """The minor that an official Python tag names, for example 3.11; empty for other references."""
    name, _, tag = reference.partition("@")[0].rpartition(":")
    found = _PYTHON_TAG.match(tag) if name.rpartition("/")[2] == "python" else None
    return ".".join(found["version"].split(".")[:2]) if found else ""


def codename(tree: FileTree) -> str:
    """Debian's name of the release, for example bookworm; empty when unknown."""
    found = _CODENAME.search(os_release(tree))
    return found[1] if found else ""


def os_release(tree: FileTree) -> str:
    return tree.text("etc/os-release") or tree.text("usr/lib/os-release") or ""


def _slim_of(reference: str, minor: str) -> str:
    """``python:3.11-bookworm`` gives ``python:3.11-slim-bookworm``; empty for what is no official Python tag."""
    name, _, tag = reference.partition("@")[0].rpartition(":")
    found = _PYTHON_TAG.fullmatch(tag)
    if name.rpartition("/")[2] != "python" or found is None or f"{found['version']}.".find(f"{minor}.") != 0:
        return ""
    return f"python:{found['version']}-slim" + (f"-{found['suite']}" if found["suite"] else "")
