"""Bases that no registry has to be asked for: those of the dated table, and none at all."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.dockerfile.base_rules import SCRATCH, BaseRules
from fleet.dockerfile.base_table import AS_OF, known_base
from fleet.dockerfile.suggestion import BaseImage
from fleet.image.filetree import EMPTY
from fleet.image.sizes import NOTHING
from fleet.oci.manifest import ImageConfig, Platform

NO_RULES = BaseRules()


class TableBases:
    """Bases from the table alone: no network, no file tree. One that is mapped is named as what it is mapped to, and
    has the sizes of what it stands for."""

    def __init__(self, rules: BaseRules = NO_RULES) -> None:
        self._rules = rules

    def pin(self, reference: str) -> str | None:
        return None

    def refusal(self, candidates: Sequence[str]) -> str:
        return self._rules.refusal((name,) for name in candidates)

    def find(self, candidates: Sequence[str]) -> BaseImage | None:
        for name in candidates:
            if not self._rules.permits(name):
                continue
            if name == SCRATCH:
                return scratch_base()
            if known := known_base(name):
                return BaseImage(self._rules.mapped(name), known.sizes, "table", as_of=AS_OF, config=known.config)
        return None


def scratch_base(platform: Platform | None = None) -> BaseImage:
    """What FROM scratch starts from: no files, no settings, nothing to pull."""
    config = ImageConfig(platform) if platform else None
    return BaseImage(SCRATCH, NOTHING, "table", tree=EMPTY, as_of=AS_OF, config=config)
