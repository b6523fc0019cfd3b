"""The first rung: the same image without what its running container does not need, as one layer.

Deleting in a later layer frees nothing, so what is left is copied into an empty stage. Only what rules claim for
certain goes; the long tail of small claims stays, so that the list can be read.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet.analysis.command import find_program
from fleet.dockerfile.build_stage import build_stage, dynamic_settings
from fleet.dockerfile.certain_waste import deletable
from fleet.dockerfile.components import compare
from fleet.dockerfile.estimate import weigh
from fleet.dockerfile.final_stage import assemble_stage
from fleet.dockerfile.gates import run_gates
from fleet.dockerfile.keeping import everything_below
from fleet.dockerfile.page import Page, remove, run
from fleet.dockerfile.quoting import quoted
from fleet.dockerfile.remarks import layers_gate, settings_gate
from fleet.dockerfile.repack import original_reference, reference_notes
from fleet.dockerfile.request import Request
from fleet.dockerfile.risks import risk_of
from fleet.dockerfile.run_settings import ROOT_USERS, run_settings
from fleet.dockerfile.sources import Source, become_root, outline_head, source_gate, source_notes, source_of
from fleet.dockerfile.suggestion import NothingToSuggest, Suggestion
from fleet.dockerfile.table_bases import scratch_base
from fleet.dockerfile.wording import megabytes
from fleet.image.filetree import FileTree
from fleet.oci.manifest import ImageConfig

_STAGE = "original"


def suggest(request: Request) -> Suggestion:
    """The image without its waste. Raises NothingToSuggest, InvalidDockerfile."""
    tree, config = request.tree, request.image.config
    if find_program(tree, config, "/bin/sh") is None or find_program(tree, config, "/bin/rm") is None:
        raise NothingToSuggest("The image has no shell or no rm, so nothing can be deleted in it.")
    source = source_of(request) if request.mode == "rebuild" else None
    roots = deletable(request.image, request.analysis)
    kept = frozenset(tree.nodes) - everything_below(tree, roots)
    text, lost = _write(request, roots, source)
    base = scratch_base(config.platform)
    stage = assemble_stage(base, tree, kept)
    after = weigh(tree, kept)
    gates = [*run_gates(stage, tree, config, config, None), layers_gate(base, text), settings_gate(lost)]
    return Suggestion(
        mode=request.mode,
        tier=request.tier,
        dockerfile=text,
        base=base,
        before=request.image.sizes,
        after=after,
        gates=(*gates, source_gate(source)) if source else tuple(gates),
        reasons=tuple(_reasons(request, tree, roots)),
        notes=tuple(_notes(request, source)),
        risk=risk_of("cleaned", request.analysis.runtime.name),
        components=compare(tree, request.analysis.packages, stage),
    )


def _write(request: Request, roots: tuple[str, ...], source: Source | None) -> tuple[str, tuple[str, ...]]:
    config = request.image.config
    lost: list[str] = []
    words = quoted(roots, lost)
    delete = [run([remove(words)])] if words else []
    page = Page()
    if source is None:
        as_root = become_root(config, None) if delete else []
        settings = run_settings(config, ImageConfig(config.platform))
        page.remark(
            "The same image without what its container does not need, made from the published image alone. Build it "
            "with: docker build -t NAME - < Dockerfile"
        )
        page.add(
            "Stage 1: the image as it was published, less what nobody needs.",
            [f"FROM {original_reference(request)} AS {_STAGE}", *as_root, *delete],
        )
        page.add(
            "Stage 2: what is left, in one layer: what an earlier layer held would still be pulled.",
            ["FROM scratch", f"COPY --from={_STAGE} / /"],
        )
        page.add("How it runs, unchanged.", settings.lines)
        return str(page), (*settings.lost, *lost)
    build = build_stage(source.dockerfile, pin=request.bases.pin, with_venv=False)
    repeated, names = dynamic_settings(source.dockerfile)
    settings = run_settings(config, ImageConfig(config.platform), without=names)
    as_root = become_root(config, source) if delete else []
    page.add("Nobody needs these when it runs.", [*as_root, *delete])
    page.add(
        "The image that is shipped: what is left, in one layer.",
        ["FROM scratch", *(one.text.rstrip("\n") for one in repeated), f"COPY --from={build.name} / /"],
    )
    page.add("How it runs, unchanged.", settings.lines)
    return f"{outline_head(source)}{build.text}\n{page}", (*settings.lost, *lost)


def _reasons(request: Request, tree: FileTree, roots: tuple[str, ...]) -> Iterator[str]:
    gone = weigh(tree, [path for path in everything_below(tree, roots) if path in tree.nodes])
    if gone.unpacked_bytes:
        yield f"{megabytes(gone.unpacked_bytes)} are deleted that no running container needs."
    hidden = sum(hidden.entry.size_bytes for hidden in tree.hidden)
    if hidden:
        yield f"{megabytes(hidden)} that later layers deleted or replaced are no longer pulled."


def _notes(request: Request, source: Source | None) -> Iterator[str]:
    if source is not None:
        yield from source_notes(source)
    else:
        yield from reference_notes(request)
    yield "Everything is in one layer: the base's layers are no longer shared with other images on it."
    if request.image.config.user in ROOT_USERS:
        yield "The container runs as root, as before: a numeric USER would be safer."
