"""Source maps beside the scripts that they explain."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey

_SUFFIXES = (".js.map", ".mjs.map", ".cjs.map", ".css.map", ".ts.map", ".mts.map", ".cts.map")
_OPTION = "--enable-source-maps"


def _claims(survey: Survey) -> Iterator[Claim]:
    if _are_read(survey):
        return
    for nodes in survey.directories.values():
        for node in nodes:
            path = node.entry.path
            if path.endswith(_SUFFIXES) and path.removesuffix(".map") in survey.tree.nodes:
                yield Claim(node.entry, node.layer)


def _are_read(survey: Survey) -> bool:
    """Node reads them for stack traces when told to, or through the package that does the same."""
    return (
        _OPTION in survey.words
        or _OPTION in (survey.config.variable("NODE_OPTIONS") or "")
        or any(package.ecosystem == "npm" and package.name == "source-map-support" for package in survey.packages)
    )


SOURCE_MAPS = Rule(
    "source-maps",
    "Source maps",
    "Build without them, or upload them to the error tracker and leave them out of the final stage.",
    _claims,
)
