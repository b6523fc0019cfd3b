"""Values that a suggestion consists of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, get_args

from fleet.image.filetree import FileTree
from fleet.image.sizes import Sizes
from fleet.oci.manifest import ImageConfig

Mode = Literal["repack", "rebuild"]
Tier = Literal["cleaned", "slim", "distroless", "scratch"]
TIERS: tuple[Tier, ...] = get_args(Tier)
"""The rungs of the ladder, each smaller than the one before where it makes sense at all."""


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
class Components:
    """What there is in an image beside bytes: each is something to patch, or to attack. Counts."""

    packages: int = 0
    executables: int = 0
    setuid_files: int = 0
    shells: int = 0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``before`` is measured, ``after`` is an estimate. ``reasons`` say why it is smaller and safe, ``notes`` what
    the reader must know before using it, ``risk`` in a sentence what may go wrong that no check can see. ``dockerfile``
    is for every builder, ``buildkit`` the same with what only BuildKit reads (caches between builds); it is empty where
    there is nothing to add. ``components`` are (before, after), None where the base's files are unknown."""

    mode: Mode
    tier: Tier
    dockerfile: str
    base: BaseImage
    before: Sizes
    after: Sizes
    gates: tuple[Gate, ...]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    risk: str = ""
    buildkit: str = ""
    components: tuple[Components, Components] | None = None

    @property
    def savings(self) -> Sizes:
        return self.before - self.after

    @property
    def component_counts(self) -> dict[str, dict[str, int]] | None:
        """``components`` as {"before": {...}, "after": {...}}, to be stored or printed."""
        if self.components is None:
            return None
        before, after = self.components
        return {"before": asdict(before), "after": asdict(after)}

    @property
    def usable(self) -> bool:
        return all(gate.passed for gate in self.gates)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a rung of the ladder is not offered, a sentence."""

    mode: Mode
    tier: Tier
    reason: str


class NothingToSuggest(Exception):
    """No smaller image can be offered in this mode and tier; the message says why, in a sentence."""
