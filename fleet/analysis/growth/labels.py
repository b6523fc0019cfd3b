"""Changes and groups of them as a person reads them. What comes out of an image is redacted, escaped and cut here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from fleet.analysis.growth.hierarchy import Group
from fleet.analysis.ownership import layer_steps
from fleet.analysis.redaction import escape_controls, redact
from fleet.oci.manifest import ImageConfig

LABEL_CHARACTERS = 200
_DETAIL_CHARACTERS = 300
_STEP_CHARACTERS = 120
_EXAMPLE_CHARACTERS = 90
_VERSIONS_SHOWN = 3

_ECOSYSTEMS = {
    "deb": "Debian", "apk": "Alpine", "rpm": "RPM", "pypi": "Python", "npm": "npm", "conda": "conda", "go": "Go",
    "cargo": "Rust", "maven": "Java", "nuget": ".NET", "gem": "Ruby", "composer": "PHP",
}  # fmt: skip
# Their packages lie all over the system, so that no directory says where.
SYSTEM_ECOSYSTEMS = frozenset({"deb", "apk", "rpm"})

# What builders put around the words of a Dockerfile.
_NOP = re.compile(r"^/bin/sh -c #\(nop\)\s{0,5}")
_SHELL = re.compile(r"^(?:RUN )?/bin/sh -c ")
_BUILDKIT = re.compile(r"\s{1,5}# buildkit\s{0,5}$")
# The legacy builder names what it copied by checksum: COPY dir:3cfa… in /app.
_CHECKSUM = re.compile(r"\b(?:dir|file|multi):[0-9a-f]{64}\b")
_SPACE = re.compile(r"\s+")


def cut(text: str, limit: int = LABEL_CHARACTERS) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def path_label(path: str) -> str:
    return cut(escape_controls(f"/{path}"))


def package_label(name: str, before: str, after: str) -> str:
    """``chromium 120 → 121``; one version alone where the other image has none, or the same."""
    versions = f"{before} → {after}" if before and after and before != after else after or before
    return cut(escape_controls(f"{name} {versions}".rstrip()))


def versions_text(versions: Sequence[str]) -> str:
    """``4.17.20, 4.17.21``: a package may be installed more than once."""
    distinct = sorted(set(versions))
    more = "…" if len(distinct) > _VERSIONS_SHOWN else ""
    return escape_controls(", ".join(distinct[:_VERSIONS_SHOWN]) + more)


def package_detail(ecosystem: str, directory: str) -> str:
    where = f" under /{directory}" if directory and ecosystem not in SYSTEM_ECOSYSTEMS else ""
    return cut(escape_controls(f"{_ecosystem(ecosystem)} package{where}"), _DETAIL_CHARACTERS)


def _ecosystem(name: str) -> str:
    return _ECOSYSTEMS.get(name, name)


def step_texts(config: ImageConfig, layers: int) -> list[str]:
    """The build step of each layer as a person would write it, redacted and cut; empty where history does not tell."""
    steps = layer_steps(config.history, layers)
    return [step_text(step.created_by or step.comment) for step in steps] if steps else [""] * layers


def step_text(created_by: str) -> str:
    """``RUN make``, ``COPY … in /app``: without what builders add, so that it is the same in the next release."""
    text = _BUILDKIT.sub("", _SPACE.sub(" ", redact(created_by)).strip())
    text = _CHECKSUM.sub("…", text)
    plain = _NOP.sub("", text)
    return cut(plain if plain != text else _SHELL.sub("RUN ", text), _STEP_CHARACTERS)


def common_directory(low: str, high: str) -> str:
    """The directory that holds every path between the first and the last."""
    pairs = zip(low.split("/")[:-1], high.split("/")[:-1], strict=False)
    return "/".join(part for part, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def group_label(group: Group, changes: int, directory: str, *, is_other: bool) -> str:
    """``38 npm packages under /app/node_modules``, ``12 other Debian packages``, ``120 files under /usr/share``."""
    if group.parent is None:
        return "Everything else" if is_other else "Everything"
    number = f"{changes:,} other" if is_other else f"{changes:,}"
    under = f" under /{directory}" if directory else ""
    match group.kind:
        case "package":
            ecosystem = f"{_ecosystem(group.name)} " if group.name else ""
            where = "" if not group.name or group.name in SYSTEM_ECOSYSTEMS else under
            return cut(escape_controls(f"{number} {ecosystem}packages{where}"))
        case "files":
            return cut(escape_controls(f"{number} files{f' under /{group.name}' if group.name else ''}"))
        case "hidden":
            return cut(escape_controls(f"{number} files hidden by later layers{under}"))
        case "layer":
            return f"{number} layers"
        case _:
            return "Other bytes that belong to no changed file" if is_other else "Bytes that belong to no changed file"


def group_detail(group: Group, largest: Sequence[Group]) -> str:
    """The build step of hidden files; else the largest changes of the group."""
    if group.kind == "hidden" and group.name:
        return group.name
    examples = "; ".join(cut(change.label, _EXAMPLE_CHARACTERS) for change in largest)
    return cut(f"above all {examples}", _DETAIL_CHARACTERS)
