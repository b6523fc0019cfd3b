"""Repack: from the published image alone, a final stage that holds exactly what the evidence keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.dockerfile.components import compare
from fleet.dockerfile.copying import copy_lines, make_directories
from fleet.dockerfile.estimate import weigh, weigh_packages
from fleet.dockerfile.final_stage import assemble_stage
from fleet.dockerfile.gates import run_gates
from fleet.dockerfile.health import OWN_CHECK, in_own_language
from fleet.dockerfile.interpreter import Interpreter, is_musl
from fleet.dockerfile.page import Page, install, remove, run
from fleet.dockerfile.quoting import Unwritable, quoted, word
from fleet.dockerfile.remarks import common_notes, layers_gate, package_gates, reasons, settings_gate
from fleet.dockerfile.request import Request
from fleet.dockerfile.risks import risk_of
from fleet.dockerfile.run_settings import ROOT_USERS, RunSettings, run_settings
from fleet.dockerfile.selection import Selection, bare_directories, package_paths, select
from fleet.dockerfile.suggestion import BaseImage, Suggestion

_STAGE = "original"
_SHELL = ("/bin/sh", "-c")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@\[\]-]*")


def repack(request: Request, interpreter: Interpreter, base: BaseImage) -> Suggestion:
    """The suggestion for an image of which nothing else is known."""
    tree, before = request.tree, request.image.config
    config = in_own_language(before, "python", f"/{interpreter.program}")
    selection = select(request, interpreter, base)
    settings = run_settings(config, base.config)
    text, lost = _write(request, interpreter, selection, settings)
    installed = package_paths(request, selection.packages.packages)
    stage = assemble_stage(base, tree, selection.copied | installed, cleared=selection.settled.cleared)
    taken = weigh(tree, selection.copied) + weigh_packages(tree, selection.packages.packages)
    return Suggestion(
        mode="repack",
        tier=request.tier,
        dockerfile=text,
        base=base,
        before=request.image.sizes,
        after=base.sizes + taken,
        gates=(
            *run_gates(stage, tree, before, config, interpreter),
            *package_gates(selection),
            layers_gate(base, text),
            settings_gate((*settings.lost, *lost)),
        ),
        reasons=tuple(reasons(request, selection, taken)),
        notes=(*_notes(request), *([OWN_CHECK] if config != before else []), *common_notes(request, selection)),
        risk=risk_of(request.tier, "python"),
        components=compare(tree, request.analysis.packages, stage),
    )


def pinned(base: BaseImage) -> str:
    """A base as FROM names it, with its digest where it is known."""
    return f"{base.reference}@{base.digest}" if base.digest else base.reference


def _write(
    request: Request, interpreter: Interpreter, selection: Selection, settings: RunSettings
) -> tuple[str, tuple[str, ...]]:
    """The Dockerfile, and sentences about what could not be written."""
    tree, base, kept = request.tree, selection.base, selection.kept
    inside = f"{interpreter.prefix}/"
    groups = (
        selection.system,
        [root for root in kept.roots if root.startswith(inside)],
        [root for root in kept.roots if not root.startswith(inside)],
        sorted(selection.libraries),
    )
    there = base.tree.nodes if base.tree else ()
    parts = [copy_lines(tree, roots, stage=_STAGE, there=there) for roots in groups]
    system, python, application, libraries = (part.copies for part in parts)
    lost = [sentence for part in parts for sentence in part.lost]
    waste, cleared = quoted(kept.waste, lost), quoted(selection.settled.cleared, lost)
    commands = [command for part in parts for command in part.commands]
    commands += make_directories(tree, bare_directories(request, selection))
    commands += ["ldconfig"] if selection.needs_ldconfig else []

    page = Page()
    page.remark(
        f"The same program on a smaller base ({base.reference}), made from the published image alone: no other file is "
        "needed. Build it with: docker build -t NAME - < Dockerfile"
    )
    page.add(
        "Stage 1: the image as it was published."
        if not waste
        else "Stage 1: the published image, less what nobody needs.",
        [f"FROM {original_reference(request)} AS {_STAGE}", *_as_root(request, run([remove(waste)] if waste else []))],
    )
    page.add("Stage 2: a small base with the same Python, and what the program needs.", [f"FROM {pinned(base)}"])
    page.add("The image has other versions of these.", [run([remove(cleared)] if cleared else [])])
    page.add("Accounts, certificates and data that the base lacks.", system)
    page.add(
        "System packages that the image was built with and may call when it runs.", [install_line(request, selection)]
    )
    page.add("Python packages, and the programs that came with them.", python)
    page.add("The application.", application)
    page.add("Shared libraries that these need and the base lacks.", libraries)
    page.add("Links, owners and modes as they were.", [run(commands)])
    page.add("How it runs, unchanged.", settings.lines)
    return str(page), tuple(lost)


def original_reference(request: Request) -> str:
    """The image as FROM names it: by digest in a registry. An engine or a file has no digest that FROM understands."""
    image = request.image
    reference = image.reference if not image.compressed_estimated else image.name
    if image.compressed_estimated and image.tag:
        reference = f"{image.name}:{image.tag}"
    # Whoever writes an archive names what is in it.
    if not _REFERENCE.fullmatch(reference):
        raise Unwritable("The image has a name that FROM cannot take.")
    return reference


def _as_root(request: Request, line: str) -> list[str]:
    """A line that needs root, between changes of user where the image has another."""
    user = request.image.config.user
    return [line] if user in ROOT_USERS or not line else ["USER 0", line, f"USER {word(user)}"]


def install_line(request: Request, selection: Selection) -> str:
    """The RUN that installs system packages; empty where none are needed or the base may not have them."""
    packages = selection.packages
    return "" if packages.unavailable else install(packages.wanted, with_apk=is_musl(request.tree))


def reference_notes(request: Request) -> Iterator[str]:
    """What to know of the first FROM of a repack."""
    if request.image.compressed_estimated:
        yield (
            f"The image was not read from a registry: {original_reference(request)} in the first FROM is what this "
            "engine or archive calls it. Elsewhere, write the name that it is pushed under."
        )


def _notes(request: Request) -> Iterator[str]:
    config = request.image.config
    yield from reference_notes(request)
    if config.user in ROOT_USERS:
        yield "The container runs as root, as before: a numeric USER would be safer."
    if _SHELL in ((config.cmd or ())[:2], (config.entrypoint or ())[:2]):
        yield "The command starts a shell first, as before, so stop signals reach the shell and not the program."
    labels = config.labels.get("org.opencontainers.image.base.name")
    if labels:
        yield "The label org.opencontainers.image.base.name still names the old base."
