"""An image's build steps as its history tells them, and the outline of a Dockerfile made from them.

BuildKit writes ``RUN /bin/sh -c … # buildkit`` and ``COPY a b # buildkit``; the legacy builder writes ``/bin/sh -c
#(nop) COPY dir:<hash> in /dst``, so sources are lost. History is evidence, never a Dockerfile: whatever had to be
guessed or left out is listed. Spec: https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fleet.analysis.ownership import base_layer_count
from fleet.analysis.redaction import MASK, redact
from fleet.dockerfile.quoting import Unwritable, copy_paths, word
from fleet.image.loading import LoadedImage
from fleet.oci.manifest import ImageConfig

_NOP = re.compile(r"/bin/(?:sh|bash)\s(?:-\S{1,20}\s(?:pipefail\s)?){0,3}#\(nop\)\s{1,5}")
_RUN = re.compile(r"(?:RUN\s+)?(?:\|\d+\s(?:\w+=\S*\s+)*)?/bin/(?:sh|bash)\s(?:-\S{1,20}\s(?:pipefail\s)?){0,3}(?=\S)")
_LEGACY_COPY = re.compile(r"(?:--chown=(\S*?))?(dir|file|multi):[0-9a-f]{64} in (.{1,1000})")
_INSTRUCTION = re.compile(
    r"(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR)\s+"
)
_VARIABLE = re.compile(r"(?:^|\s)([A-Za-z_]\w{0,200})=")
_ENDS_A_BASE = ("CMD", "ENTRYPOINT")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the instruction, what follows it (secrets masked), and the layer it made, if any."""

    name: str
    value: str
    layer: int | None


@dataclass(frozen=True, slots=True)
class Outline:
    """The text, and in sentences what was guessed in it."""

    text: str
    guesses: tuple[str, ...]


def outline(image: LoadedImage) -> str:
    """A Dockerfile outlined from an image's history, with the base guessed from what it says of itself."""
    version = image.config.variable("PYTHON_VERSION") or ""
    base = f"python:{'.'.join(version.split('.')[:2])}" if version else "scratch"
    return outline_from(image, base_layer_count(image), base).text


def outline_from(image: LoadedImage, base_layers: int, base: str) -> Outline:
    """The same for a known base: the steps after its layers, one instruction each."""
    lines, guesses = [f"FROM {base}"], list[str]()
    for step in our_steps(image, base_layers):
        try:
            line, guess = _line(image, step)
        except Unwritable as error:
            line, guess = "", f"A {step.name} step is left out: {error}"
        lines += [line] if line else []
        guesses += [guess] if guess else []
    return Outline("\n".join(lines) + "\n", tuple(guesses))


def our_steps(image: LoadedImage, base_layers: int) -> tuple[Step, ...]:
    """The steps after the base's: those that follow its layers and its last CMD or ENTRYPOINT."""
    steps = read_steps(image)
    start = next((i + 1 for i, step in enumerate(steps) if step.layer == base_layers - 1), 0)
    end = next((i for i in range(start, len(steps)) if steps[i].layer is not None), len(steps))
    ends = [i for i in range(start, end) if steps[i].name in _ENDS_A_BASE]
    if base_layers and ends and end < len(steps):
        start = ends[-1] + 1
    return steps[start:]


def read_steps(image: LoadedImage) -> tuple[Step, ...]:
    """Every step in order. ``layer`` is None throughout where history does not fit the layers."""
    history = image.config.history
    fits = sum(not entry.empty_layer for entry in history) == len(image.layers)
    steps: list[Step] = []
    layer = 0
    for entry in history:
        name, value = _read(redact(entry.created_by))
        steps.append(Step(name, value, layer if fits and not entry.empty_layer else None))
        layer += not entry.empty_layer
    return tuple(steps)


def _read(created_by: str) -> tuple[str, str]:
    text = created_by.removesuffix("# buildkit").strip()
    if nop := _NOP.match(text):
        text = text[nop.end() :]
    elif run := _RUN.match(text):
        return "RUN", text[run.end() :]
    found = _INSTRUCTION.match(text)
    return (found[1], text[found.end() :].strip()) if found else ("", text)


def _line(image: LoadedImage, step: Step) -> tuple[str, str]:
    """One line of the outline and what had to be guessed for it; both may be empty."""
    if step.name in ("COPY", "ADD"):
        return _copy(image, step)
    if step.name == "ENV":
        return _environment(image.config, step.value), ""
    if step.name == "RUN":
        return _run(step.value)
    if step.name == "WORKDIR":
        return f"WORKDIR {word(step.value)}", ""
    if step.name in ("USER", "ARG", "SHELL"):
        return f"{step.name} {step.value}", ""
    return "", ""  # the config says the rest, and says it exactly


def _run(command: str) -> tuple[str, str]:
    if MASK in command or "\\n" in command or len(command) > 1_900:
        return "", "A RUN step is left out: history holds it cut, masked or over several lines."
    return f"RUN {command}", ""


def _environment(config: ImageConfig, value: str) -> str:
    names = dict.fromkeys(name for name in _VARIABLE.findall(value) if config.variable(name) is not None)
    return " ".join(["ENV", *(f"{name}={word(config.variable(name) or '')}" for name in names)]) if names else ""


def _copy(image: LoadedImage, step: Step) -> tuple[str, str]:
    legacy = _LEGACY_COPY.fullmatch(step.value)
    if legacy is None:
        sources = [item for item in step.value.split()[:-1] if not item.startswith("--")]
        foreign = any(item.startswith("/") for item in sources)
        guess = f"{step.name} {step.value} may come from another stage, whose steps history does not keep."
        return f"{step.name} {step.value}", guess if foreign else ""
    owner, kind, target = legacy[1], legacy[2], legacy[3].strip()
    named, target, guess = _sources(image, step, kind, target)
    flag = f"--chown={word(owner)} " if owner else ""
    return f"{step.name} {flag}{copy_paths(named, target)}", guess


def _sources(image: LoadedImage, step: Step, kind: str, target: str) -> tuple[Sequence[str], str, str]:
    """What a legacy COPY most likely copied: files by the names that its layer holds, a directory as the context."""
    directory = target.strip("/")
    entries = image.layers[step.layer].entries if step.layer is not None else ()
    files = [entry.path for entry in entries if entry.kind in ("file", "hardlink", "symlink")]
    if kind == "file" and files == [directory]:
        return [posixpath.basename(directory)], f"/{directory}", ""
    below = [path for path in files if posixpath.dirname(path) == directory]
    if kind != "dir" and below and below == files:
        return [posixpath.basename(path) for path in sorted(below)], f"/{directory}/", ""
    if directory == image.config.working_dir.strip("/") or not directory:
        return ["."], f"/{directory}", f"What was copied to /{directory} is taken to be the whole build context."
    name = posixpath.basename(directory)
    return [name], f"/{directory}", f"What was copied to /{directory} is taken to be {name} in the build context."
