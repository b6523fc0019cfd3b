"""Values that a suggestion consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fleet.image.filetree import FileTree
from fleet.image.sizes import Sizes
from fleet.oci.manifest import ImageConfig

Mode = Literal["repack", "rebuild"]
Tier = Literal["slim", "distroless", "scratch"]


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A base that a final stage starts from. ``reference`` is what FROM says, after mirrors, without the digest.
    ``source`` tells where the sizes come from: the registry that serves it (``digest``, ``tree`` and ``config`` are
    known), or our dated table (``as_of`` says the date, the three are None)."""

    reference: str
    sizes: Sizes
    source: Literal["registry", "table"]
    digest: str | None = None
    tree: FileTree | None = None
    as_of: str = ""
    config: ImageConfig | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """One static check with its evidence, a sentence."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``before`` is measured, ``after`` is an estimate. ``reasons`` say why it is smaller and safe, ``notes`` what
    the reader must know before using it."""

    mode: Mode
    tier: Tier
    dockerfile: str
    base: BaseImage
    before: Sizes
    after: Sizes
    gates: tuple[Gate, ...]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def savings(self) -> Sizes:
        return self.before - self.after

    @property
    def usable(self) -> bool:
        return all(gate.passed for gate in self.gates)


class NothingToSuggest(Exception):
    """No smaller image can be offered in this mode and tier; the message says why, in a sentence."""
