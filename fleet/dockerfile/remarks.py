"""Why a suggestion is smaller and safe, and what its reader must know: plain sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.dockerfile.candidates import codename
from fleet.dockerfile.request import Request
from fleet.dockerfile.run_settings import secret_variables
from fleet.dockerfile.selection import Selection
from fleet.dockerfile.suggestion import BaseImage, Gate
from fleet.dockerfile.wording import listed, megabytes
from fleet.image.sizes import Sizes

_MOST_LAYERS = 127
_USUAL_LAYERS = 6


def reasons(request: Request, selection: Selection, taken: Sizes) -> Iterator[str]:
    """``taken`` is what everything weighs that is kept of the image."""
    base_bytes = sum(layer.sizes.unpacked_bytes for layer in request.analysis.layers if layer.base)
    base = selection.base
    if base_bytes:
        yield (
            f"The final stage starts from {base.reference} ({megabytes(base.sizes.unpacked_bytes)} unpacked) instead "
            f"of the {megabytes(base_bytes)} that the image's base layers hold."
        )
    yield (
        f"{megabytes(taken.unpacked_bytes)} of the image's own files are kept: the interpreter's minor, the ABI and "
        "the packages stay the same."
    )
    if selection.libraries:
        yield "Shared libraries that the new base lacks come along, found by what compiled files ask for."
    if selection.kept.waste:
        yield f"Left behind: {listed([f'/{path}' for path in selection.kept.waste])}."


def common_notes(request: Request, selection: Selection) -> Iterator[str]:
    """What holds for every mode."""
    base, packages = selection.base, selection.packages
    if base.source == "table":
        yield f"The base's sizes come from a table of {base.as_of}: no registry that serves it could be asked."
    if base.tree is not None and codename(base.tree) != codename(request.tree):
        yield "The base is another release of the distribution than the image: try the result before you rely on it."
    if packages.wanted and not packages.unavailable:
        yield f"{listed(packages.wanted)}: installed from the distribution's archive, so the build has to reach it."
    if packages.tools:
        yield f"Left out as build tools: {listed(packages.tools)}. Install in the final stage what the program calls."
    if names := secret_variables(request.image.config):
        verb = "looks like a secret" if len(names) == 1 else "look like secrets"
        yield f"{listed(names)} in the environment {verb}; kept, since the program may need it. Set it at run time."
    if any(node.entry.kind == "file" and request.is_ours(node) for _, node in request.tree.under("tmp")):
        yield "Files in /tmp stay behind."


def package_gates(selection: Selection) -> tuple[Gate, ...]:
    """Fails where system packages come from archives that the base does not know."""
    packages = selection.packages
    if not packages.wanted or not packages.unavailable:
        return ()
    detail = (
        f"{listed(packages.wanted)}: installed while other archives than the distribution's were set up, so the base "
        "may not have them. Set the archive up in the final stage, or leave them out if the program does not call them."
    )
    return (Gate("system packages are there", False, detail),)


def layers_gate(base: BaseImage, dockerfile: str) -> Gate:
    """Engines stack at most 127 layers. Where the base's are unknown, a few are taken for granted."""
    _, _, final = dockerfile.rpartition("\nFROM ")
    own = len(re.findall(r"^(?:RUN|COPY|ADD|WORKDIR) ", final, re.MULTILINE))
    count = own + (len(base.config.diff_ids) if base.config and base.digest else _USUAL_LAYERS)
    return Gate("layers fit", count <= _MOST_LAYERS, f"{count} layers, of {_MOST_LAYERS} that an engine can stack.")


def settings_gate(lost: tuple[str, ...]) -> Gate:
    """Whether everything that the image says of itself could be written down."""
    if lost:
        return Gate("settings are kept", False, " ".join(dict.fromkeys(lost)))
    return Gate("settings are kept", True, "Environment, user, ports, volumes, labels and command are written out.")
