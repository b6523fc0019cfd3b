"""Bytes that later layers hide: they are pulled and stored, and no container ever sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey
from fleet.image.filetree import Cause


def _hidden(cause: Cause) -> Callable[[Survey], Iterator[Claim]]:
    def claims(survey: Survey) -> Iterator[Claim]:
        for version in survey.tree.hidden:
            if version.cause == cause and version.entry.kind != "directory":
                yield Claim(version.entry, version.layer)

    return claims


DELETED = Rule(
    "deleted-files",
    "Files deleted by a later step",
    "Delete in the same RUN step that creates, or copy only the results out of a build stage.",
    _hidden("deleted"),
)
OVERWRITTEN = Rule(
    "overwritten-files",
    "Files replaced by a later step",
    "Write each file once: both versions are shipped, the older one for nothing.",
    _hidden("overwritten"),
)
METADATA = Rule(
    "changed-metadata",
    "Files stored again to change owner or mode",
    "Use COPY --chown (and --chmod) in place of a RUN chown or chmod, which stores every file a second time.",
    _hidden("metadata"),
)
