"""Rebuild: a team's own Dockerfile, or the outline of one, with a small final stage after its last stage.

What the final stage takes is decided by the evidence in the published image, as for a repack; where packages can live
in a virtual environment they move there, and a container that ran as root gets a numeric user.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fleet.dockerfile.build_stage import VENV, build_stage, can_use_venv, dynamic_settings
from fleet.dockerfile.command_line import simple_words
from fleet.dockerfile.components import compare
from fleet.dockerfile.copying import copy_lines, make_directories
from fleet.dockerfile.estimate import weigh, weigh_packages
from fleet.dockerfile.final_stage import assemble_stage
from fleet.dockerfile.gates import run_gates
from fleet.dockerfile.health import OWN_CHECK, in_own_language
from fleet.dockerfile.interpreter import Interpreter, virtual_environments
from fleet.dockerfile.numeric_user import NUMERIC_OWNER, NUMERIC_USER, name_user, why_root
from fleet.dockerfile.page import Page, remove, run
from fleet.dockerfile.parse import Dockerfile
from fleet.dockerfile.quoting import quoted
from fleet.dockerfile.remarks import common_notes, layers_gate, package_gates, reasons, settings_gate
from fleet.dockerfile.repack import install_line, pinned
from fleet.dockerfile.request import Request
from fleet.dockerfile.risks import risk_of
from fleet.dockerfile.run_settings import ROOT_USERS, RunSettings, run_settings
from fleet.dockerfile.selection import Selection, bare_directories, package_paths, select
from fleet.dockerfile.sources import SOURCES, Source, outline_head, source_gate, source_notes
from fleet.dockerfile.suggestion import BaseImage, Suggestion
from fleet.dockerfile.venv import Venv, move_to_venv
from fleet.image.filetree import FileTree
from fleet.image.sizes import NOTHING
from fleet.oci.manifest import ImageConfig

_SHELLS = (("/bin/sh", "-c"), ("/bin/bash", "-c"))
_SYSTEM = ("usr/", "etc/")


@dataclass(frozen=True, slots=True)
class _Plan:
    """``venv`` is None where packages stay where the Dockerfile puts them; ``root_reason`` says why the container has
    to stay root, and is empty where it need not or never was. ``config`` is how the new image runs."""

    request: Request
    interpreter: Interpreter
    source: Source
    selection: Selection
    venv: Venv | None
    root_reason: str
    config: ImageConfig

    @property
    def is_numeric(self) -> bool:
        return self.config.user == NUMERIC_USER


def rebuild(request: Request, interpreter: Interpreter, base: BaseImage, source: Source) -> Suggestion:
    """A virtual environment is tried first; where its gates fail and others do not, packages stay where they were."""
    selection = select(request, interpreter, base, libraries_by_package=True)
    if not _may_use_venv(request, source.dockerfile):
        return _suggest(_plan(request, interpreter, source, selection, venv=None))
    moved = _suggest(_plan(request, interpreter, source, *move_to_venv(request, interpreter, selection)))
    if _failures(moved) == 0:
        return moved
    plain = _suggest(_plan(request, interpreter, source, selection, venv=None))
    return moved if _failures(moved) <= _failures(plain) else plain


def _failures(suggestion: Suggestion) -> int:
    """Failed gates, less the one that no way of installing packages changes."""
    return sum(not gate.passed for gate in suggestion.gates if gate.name != SOURCES)


def _may_use_venv(request: Request, dockerfile: Dockerfile) -> bool:
    config = request.image.config
    check = config.healthcheck.test if config.healthcheck else ()
    words = (*(config.entrypoint or ()), *(config.cmd or ()), *check)
    # These start the system's interpreter, which would not see the environment's packages.
    is_fixed = any("/usr/local/bin/" in word for word in words) or config.variable("PYTHONHOME") is not None
    return can_use_venv(dockerfile) and not is_fixed and not virtual_environments(request.tree)


def _plan(request: Request, interpreter: Interpreter, source: Source, selection: Selection, venv: Venv | None) -> _Plan:
    is_root = request.image.config.user in ROOT_USERS
    reason = why_root(request, selection.kept.roots) if is_root else ""
    before = in_own_language(request.image.config, "python", f"/{interpreter.program}")
    config = _config(before, venv is not None, becomes_numeric=is_root and not reason)
    return _Plan(request, interpreter, source, selection, venv, reason, config)


def _config(config: ImageConfig, has_venv: bool, *, becomes_numeric: bool) -> ImageConfig:
    """How the new image runs: as the old one, without a shell that is not needed, and not as root."""
    entrypoint, cmd = config.entrypoint, config.cmd
    if entrypoint and (words := _unwrapped(entrypoint)):
        entrypoint, cmd = words, None  # a shell form ignores CMD, an exec form would append it
    elif not entrypoint and cmd:
        cmd = _unwrapped(cmd) or cmd
    env = config.env
    if has_venv:
        others = (item for item in env if not item.startswith(("PATH=", "VIRTUAL_ENV=")))
        path = config.variable("PATH") or "/usr/local/bin:/usr/bin:/bin"
        env = (*others, f"VIRTUAL_ENV={VENV}", f"PATH={VENV}/bin:{path}")
    user = NUMERIC_USER if becomes_numeric else config.user
    return replace(config, entrypoint=entrypoint, cmd=cmd, env=env, user=user)


def _unwrapped(words: Sequence[str]) -> tuple[str, ...] | None:
    """The words of a shell form that needs no shell, or None."""
    return simple_words(words[2]) if len(words) == 3 and tuple(words[:2]) in _SHELLS else None


def _suggest(plan: _Plan) -> Suggestion:
    request, selection, venv = plan.request, plan.selection, plan.venv
    tree, packages = request.tree, selection.packages.packages
    text, lost = _write(plan)
    stage = assemble_stage(
        selection.base,
        tree,
        selection.copied | package_paths(request, packages),
        moved=venv.place if venv else lambda path: path,
        cleared=selection.settled.cleared,
        added=venv.nodes() if venv else None,
    )
    taken = weigh(tree, selection.copied) + weigh_packages(tree, packages) + (venv.extra if venv else NOTHING)
    return Suggestion(
        mode="rebuild",
        tier=request.tier,
        dockerfile=text,
        base=selection.base,
        before=request.image.sizes,
        after=selection.base.sizes + taken,
        gates=(
            *run_gates(stage, tree, request.image.config, plan.config, plan.interpreter),
            *package_gates(selection),
            layers_gate(selection.base, text),
            settings_gate(lost),
            source_gate(plan.source, plan.interpreter.minor),
        ),
        reasons=tuple(reasons(request, selection, taken)),
        notes=(*_notes(plan), *common_notes(request, selection)),
        risk=risk_of(request.tier, "python"),
        components=compare(tree, request.analysis.packages, stage),
    )


def _write(plan: _Plan) -> tuple[str, tuple[str, ...]]:
    """The Dockerfile, and sentences about what could not be written."""
    request, selection, dockerfile = plan.request, plan.selection, plan.source.dockerfile
    tree, base, kept = request.tree, selection.base, selection.kept
    lost: list[str] = []
    waste = quoted(kept.waste, lost)
    build = build_stage(dockerfile, pin=request.bases.pin, with_venv=plan.venv is not None, waste=waste)
    repeated, names = dynamic_settings(dockerfile)
    settings: RunSettings = run_settings(plan.config, base.config, without=names)
    owner = NUMERIC_OWNER if plan.is_numeric else None
    there = base.tree.nodes if base.tree else ()
    system_roots = [root for root in kept.roots if _is_system(tree, root)]
    roots = [root for root in kept.roots if not _is_system(tree, root)]
    parts = [
        copy_lines(tree, selection.system, stage=build.name, there=there),
        copy_lines(tree, system_roots, stage=build.name, there=there),
        copy_lines(tree, sorted(selection.libraries), stage=build.name, there=there),
        copy_lines(tree, roots, stage=build.name, there=there, owner=owner),
    ]
    system, programs, libraries, application = (part.copies for part in parts)
    lost += [sentence for part in parts for sentence in part.lost]
    commands = [command for part in parts for command in part.commands]
    commands += make_directories(tree, bare_directories(request, selection), owner=owner)
    commands += ["ldconfig"] if selection.needs_ldconfig else []
    commands += name_user(base.tree) if plan.is_numeric else []
    cleared = quoted(selection.settled.cleared, lost)
    packages = install_line(request, selection)

    page = Page()
    page.add(
        "The image that is shipped: a small base with the same Python, and only what the program needs.",
        [f"FROM {pinned(base)}", *(one.text.rstrip("\n") for one in repeated)],
    )
    page.add("The build stage has other versions of these.", [run([remove(cleared)] if cleared else [])])
    page.add("Accounts, certificates and data that the base lacks.", system)
    page.add("System packages that the program loads or calls when it runs.", [packages])
    page.add(
        "Every Python package, in one directory.", [f"COPY --from={build.name} {VENV} {VENV}"] if plan.venv else []
    )
    page.add("Programs, packages and settings of the system's directories.", programs)
    page.add("Shared libraries that these need and the base lacks.", libraries)
    page.add("The application." + (" Its user may write to it." if owner else ""), application)
    named = " Its user has a name." if owner else ""
    page.add(f"Links, owners and modes as they were.{named}", [run(commands)])
    page.add("The user has no home directory.", ["ENV HOME=/tmp"] if _needs_home(plan) else [])
    page.add("How it runs.", settings.lines)
    return f"{outline_head(plan.source)}{build.text}\n{page}", (*settings.lost, *lost)


def _is_system(tree: FileTree, root: str) -> bool:
    """Whether a path is not the application's own: the user that runs it has no need to write there."""
    has_venv = any(f"{venv}/".startswith(f"{root}/") for venv in virtual_environments(tree))
    return root.startswith(_SYSTEM) or (has_venv and root.partition("/")[0] == "opt")


def _needs_home(plan: _Plan) -> bool:
    return plan.is_numeric and plan.config.variable("HOME") is None


def _notes(plan: _Plan) -> Iterator[str]:
    yield from source_notes(plan.source)
    if plan.config.healthcheck != plan.request.image.config.healthcheck:
        yield OWN_CHECK
    if plan.root_reason:
        yield f"The container runs as root, as before. {plan.root_reason}"
    if plan.is_numeric:
        yield f"The container runs as {NUMERIC_USER} instead of root: what it writes to elsewhere must allow that."
        if plan.config.volumes:
            yield "Volumes that hold files of root's must be handed over to that user once."
    if (
        plan.config.cmd != plan.request.image.config.cmd
        or plan.config.entrypoint != plan.request.image.config.entrypoint
    ):
        yield "The command starts without a shell, so stop signals reach the program."
