"""The recipe for every runtime on a bare base: what the evidence keeps, gathered in one place and copied as it is.

Repack gathers in the published image, rebuild in the last stage of the team's own Dockerfile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fleet.analysis.command import find_program
from fleet.dockerfile.build_stage import build_stage, dynamic_settings
from fleet.dockerfile.carried_system import is_empty
from fleet.dockerfile.carrying import Carried, carry
from fleet.dockerfile.components import compare
from fleet.dockerfile.estimate import weigh
from fleet.dockerfile.final_stage import assemble_stage
from fleet.dockerfile.gates import run_gates
from fleet.dockerfile.gathering import ROOT, gather, team_roots
from fleet.dockerfile.health import OWN_CHECK, in_own_language, without_tools
from fleet.dockerfile.interpreter import Interpreter, find_interpreter
from fleet.dockerfile.keeping import everything_below
from fleet.dockerfile.numeric_user import NUMERIC_USER, name_user, why_root
from fleet.dockerfile.page import Page, run
from fleet.dockerfile.remarks import layers_gate, settings_gate
from fleet.dockerfile.repack import original_reference, pinned, reference_notes
from fleet.dockerfile.request import Request
from fleet.dockerfile.risks import risk_of
from fleet.dockerfile.run_settings import ROOT_USERS, run_settings, secret_variables
from fleet.dockerfile.runtime_bases import TITLES, Ground, grounds
from fleet.dockerfile.sources import Source, become_root, outline_head, source_gate, source_notes, source_of
from fleet.dockerfile.starting import Start, plan_start
from fleet.dockerfile.suggestion import BaseImage, NothingToSuggest, Suggestion
from fleet.dockerfile.wording import listed, megabytes
from fleet.oci.manifest import ImageConfig

_STAGE = "original"


@dataclass(frozen=True, slots=True)
class _Plan:
    """``config`` is how the new image runs; ``source`` None for a repack; ``root_reason`` why it stays root."""

    request: Request
    ground: Ground
    start: Start
    config: ImageConfig
    carried: Carried
    source: Source | None
    root_reason: str

    @property
    def base(self) -> BaseImage:
        return self.ground.base

    @property
    def is_numeric(self) -> bool:
        return self.config.user == NUMERIC_USER


def suggest(request: Request) -> Suggestion:
    """The first base on which every gate passes, else the first. Raises NothingToSuggest, InvalidDockerfile."""
    start = _start(request)
    source = source_of(request) if request.mode == "rebuild" else None
    first: Suggestion | None = None
    for ground in grounds(request, start.config):
        made = _suggest(_plan(request, ground, start, source))
        if made.usable:
            return made
        first = first or made
    if first is None:  # grounds() raises before
        raise NothingToSuggest("No base is known for it.")
    return first


def _start(request: Request) -> Start:
    tree, config = request.tree, request.image.config
    words = (*(config.entrypoint or ()), *(config.cmd or ()))
    if not words:
        raise NothingToSuggest("The image names no command, so nothing tells what it needs.")
    if find_program(tree, config, words[0]) is None:
        raise NothingToSuggest(f"{words[0][:80]}, which the image starts, was not found in its files.")
    for tool in ("sh", "cp"):
        if find_program(tree, config, f"/bin/{tool}") is None:
            raise NothingToSuggest(
                f"The image has no /bin/{tool}, so nothing can be gathered in it: it is as bare as a suggestion would "
                "be."
            )
    name = request.analysis.runtime.name
    rewrite = in_own_language if request.tier == "slim" else without_tools
    start = plan_start(tree, rewrite(config, name, _interpreter_path(request)))
    if request.tier in ("distroless", "scratch") and start.shell:
        raise NothingToSuggest(start.shell)
    return (
        start if request.tier != "slim" or not start.shell else replace(start, config=_with_own_start(request, start))
    )


def _with_own_start(request: Request, start: Start) -> ImageConfig:
    """Where a shell stays anyway the command stays as it was."""
    config = request.image.config
    return replace(config, healthcheck=start.config.healthcheck)


def _interpreter_path(request: Request) -> str:
    """The runtime's program as an absolute path, for a health check in its language; empty where it has none."""
    name = request.analysis.runtime.name
    if name == "python":
        found = find_interpreter(request.tree, request.image.config)
        return f"/{found.program}" if found else ""
    real = find_program(
        request.tree, request.image.config, {"node": "node", "ruby": "ruby", "php": "php"}.get(name, "")
    )
    return f"/{real}" if real else ""


def _plan(request: Request, ground: Ground, start: Start, source: Source | None) -> _Plan:
    carried = carry(request, start.config, ground.base, has_runtime=ground.has_runtime)
    if request.tier in ("distroless", "scratch") and carried.tools:
        raise NothingToSuggest(_called(carried.tools))
    config, reason = start.config, ""
    may_change = source is not None or request.tier != "slim"
    if may_change and config.user in ROOT_USERS:
        own = team_roots(request.tree, carried)
        reason = why_root(request, own) or _unreadable(request, carried, own)
        if not reason:
            home = () if config.variable("HOME") else ("HOME=/tmp",)
            config = replace(config, user=NUMERIC_USER, env=(*config.env, *home))
    return _Plan(request, ground, start, config, carried, source, reason)


def _unreadable(request: Request, carried: Carried, own: tuple[str, ...]) -> str:
    """Why only root can run it: a file that is not handed over, and that others may not read."""
    owned = request.owned()
    handed = everything_below(request.tree, own)
    for path in sorted(carried.paths):
        entry = request.tree.nodes[path].entry
        if entry.kind in ("file", "hardlink") and not entry.mode & 0o004 and path not in handed and path not in owned:
            return f"It stays root since others may not read /{path[:80]}."
    return ""


def _called(tools: tuple[tuple[str, str], ...]) -> str:
    """Why programs keep an image on a base with a shell."""
    package, program = tools[0]
    others = f", and {listed([name for name, _ in tools[1:]])} beside it" if len(tools) > 1 else ""
    return (
        f"The build installs {package[:60]}{others}, so the service may start /{program[:60]}: such programs call "
        "others, so it stays at slim."
    )


def _suggest(plan: _Plan) -> Suggestion:
    request, carried, base = plan.request, plan.carried, plan.base
    tree = request.tree
    text, lost = _write(plan)
    stage = assemble_stage(base, tree, carried.paths)
    taken = weigh(tree, carried.paths)
    gates = [
        *run_gates(stage, tree, request.image.config, plan.config, _interpreter(request)),
        layers_gate(base, text),
        settings_gate(lost),
    ]
    gates += [source_gate(plan.source)] if plan.source else []
    return Suggestion(
        mode=request.mode,
        tier=request.tier,
        dockerfile=text,
        base=base,
        before=request.image.sizes,
        after=base.sizes + taken,
        gates=tuple(gates),
        reasons=tuple(_reasons(plan, taken.unpacked_bytes)),
        notes=tuple(dict.fromkeys(_notes(plan))),
        risk=risk_of(request.tier, request.analysis.runtime.name),
        components=compare(tree, request.analysis.packages, stage),
    )


def _interpreter(request: Request) -> Interpreter | None:
    if request.analysis.runtime.name != "python":
        return None
    return find_interpreter(request.tree, request.image.config)


def _write(plan: _Plan) -> tuple[str, tuple[str, ...]]:
    """The Dockerfile, and sentences about what could not be written."""
    request, base = plan.request, plan.base
    gathering = gather(request, plan.carried, base, hand_over=plan.is_numeric)
    inherited = base.config or ImageConfig(plan.config.platform)
    as_root = become_root(request.image.config, plan.source)
    page = Page()
    if plan.source is None:
        page.remark(
            f"The same program on {_on(base)}, made from the published image alone: no other file is needed. Build it "
            "with: docker build -t NAME - < Dockerfile"
        )
        page.add(
            "Stage 1: the image as it was published. What is needed of it is gathered in one place.",
            [f"FROM {original_reference(request)} AS {_STAGE}", *as_root, *gathering.lines],
        )
        settings = run_settings(plan.config, inherited)
        page.add("Stage 2: that, and nothing else.", [f"FROM {pinned(base)}", f"COPY --from={_STAGE} {ROOT}/ /"])
        page.add("How it runs.", settings.lines)
        return str(page), (*settings.lost, *gathering.lost)
    build = build_stage(plan.source.dockerfile, pin=request.bases.pin, with_venv=False)
    repeated, names = dynamic_settings(plan.source.dockerfile)
    settings = run_settings(plan.config, inherited, without=names)
    page.add("What is needed when it runs is gathered in one place.", [*as_root, *gathering.lines])
    page.add(
        "The image that is shipped: that, and nothing else.",
        [f"FROM {pinned(base)}", *(one.text.rstrip("\n") for one in repeated), f"COPY --from={build.name} {ROOT}/ /"],
    )
    if plan.is_numeric and request.tier == "slim":
        page.add("Its user has a name.", [run(name_user(base.tree))])
    page.add("How it runs.", settings.lines)
    return f"{outline_head(plan.source)}{build.text}\n{page}", (*settings.lost, *gathering.lost)


def _on(base: BaseImage) -> str:
    return "nothing at all" if is_empty(base) else base.reference


def _reasons(plan: _Plan, taken_bytes: int) -> Iterator[str]:
    request, base, carried = plan.request, plan.base, plan.carried
    title = TITLES.get(request.analysis.runtime.name, "the program")
    what = (
        "the team's files" if plan.ground.has_runtime else f"the team's files, {title} and the libraries that they load"
    )
    yield f"{megabytes(taken_bytes)} are copied: {what}."
    if is_empty(base):
        yield "Nothing lies below: no package manager, no shell, no file that nobody asked for."
    else:
        yield f"{base.reference} weighs {megabytes(base.sizes.unpacked_bytes)} unpacked."
    if carried.packages:
        names = listed([package.name for package in carried.packages])
        yield f"System packages that come along, with their files: {names}."


def _notes(plan: _Plan) -> Iterator[str]:
    request, base = plan.request, plan.base
    if plan.source is not None:
        yield from source_notes(plan.source)
    else:
        yield from reference_notes(request)
    if base.source == "table" and not is_empty(base):
        yield f"The base's sizes come from a table of {base.as_of}: no registry that serves it could be asked."
    yield from plan.start.notes if plan.config.cmd != request.image.config.cmd else ()
    if plan.config.healthcheck != request.image.config.healthcheck and plan.config.healthcheck:
        is_own = plan.config.healthcheck.test[1:2] == (_interpreter_path(request),)
        yield OWN_CHECK if is_own else "The health check starts without a shell."
    if plan.is_numeric:
        yield f"The container runs as {NUMERIC_USER} instead of root: what it writes to elsewhere must allow that."
        if plan.config.volumes:
            yield "Volumes that hold files of root's must be handed over to that user once."
    elif plan.config.user in ROOT_USERS:
        yield f"The container runs as root, as before. {plan.root_reason or 'A numeric USER would be safer.'}"
    if plan.carried.packages or is_empty(base):
        yield (
            "Scanners that read a package database do not see the system libraries that were copied: rebuild for "
            "updates."
        )
    if names := secret_variables(request.image.config):
        verb = "looks like a secret" if len(names) == 1 else "look like secrets"
        yield f"{listed(names)} in the environment {verb}; kept, since the program may need it. Set it at run time."
