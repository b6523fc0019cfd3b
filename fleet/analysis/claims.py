"""Who claims which bytes: every version of a path goes to the first rule that claims it, so findings add up exactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from fleet.analysis.findings import Finding
from fleet.analysis.listing import aggregate, covered_directories
from fleet.analysis.rules.rule import Claim, Rule, Survey
from fleet.image.filetree import FileTree
from fleet.image.sizes import NOTHING

_SHOWN_PATHS = 20
_BASE_TITLE = "{} (in the base image)"
_BASE_ADVICE = (
    "These bytes came with the base image: a smaller or newer base frees them, or copying what is needed into a stage "
    "that starts from one. Deleting them in a later step frees nothing."
)


def find_all(survey: Survey, rules: Sequence[Rule], base_layers: int) -> tuple[Finding, ...]:
    """One finding for each rule and layer that weighs anything, largest first."""
    findings: list[Finding] = []
    for rule, claims in claim_all(survey, rules):
        covered = covered_directories(survey, claims)
        by_layer: dict[int, list[Claim]] = defaultdict(list)
        for claim in claims:
            by_layer[claim.layer].append(claim)
        findings += (_finding(rule, layer, by_layer[layer], covered, base_layers) for layer in sorted(by_layer))
    weighty = (finding for finding in findings if finding.sizes.unpacked_bytes > 0)
    return tuple(sorted(weighty, key=lambda finding: -finding.sizes.unpacked_bytes))


def claim_all(survey: Survey, rules: Sequence[Rule]) -> list[tuple[Rule, list[Claim]]]:
    """Claims that overlap nowhere, by rule in order. Neither what the command names nor content that is reached
    through another name may be claimed; a part of them may, since such a file stays."""
    taken: set[tuple[int, int]] = set()
    survey = replace(survey, taken=taken)
    by_rule: list[tuple[Rule, list[Claim]]] = []
    for rule in rules:
        claims: list[Claim] = []
        for claim in rule.claims(survey):
            if claim.version not in taken and not (claim.entry.path in survey.in_use and claim.removes(survey)):
                taken.add(claim.version)
                claims.append(claim)
        by_rule.append((rule, claims))
    linked = _linked_content(survey.tree, taken)
    return [
        (rule, [c for c in claims if c.entry.path not in linked or not c.removes(survey)]) for rule, claims in by_rule
    ]


def _linked_content(tree: FileTree, taken: set[tuple[int, int]]) -> set[str]:
    """Files whose bytes a hard link outside the claims still shows: uv and pnpm link packages out of their caches."""
    links = {path: node for path, node in tree.nodes.items() if node.entry.kind == "hardlink"}
    content: set[str] = set()
    for path, node in links.items():
        if (node.layer, id(node.entry)) not in taken:
            seen: set[str] = set()
            while path in links and path not in seen:
                seen.add(path)
                path = links[path].entry.link
            content.add(path)
    return content


def _finding(rule: Rule, layer: int, claims: Sequence[Claim], covered: set[str], base_layers: int) -> Finding:
    in_base = layer < base_layers
    paths = aggregate(claims, covered)
    return Finding(
        rule=rule.name,
        title=_BASE_TITLE.format(rule.title) if in_base else rule.title,
        advice=_BASE_ADVICE if in_base else rule.advice,
        sizes=sum((claim.sizes for claim in claims), NOTHING),
        layer=layer,
        paths=tuple(paths[:_SHOWN_PATHS]),
        path_count=len(paths),
    )
