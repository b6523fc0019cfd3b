"""What a comparison of two images says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fleet.image.sizes import NOTHING, Sizes

CauseKind = Literal["layer", "package", "files", "hidden", "rest"]
Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why an image weighs more or less than the one before. ``delta`` may be negative; of causes that are
    known from manifests alone (``layer``) the unpacked part is 0 where nobody read the layers. ``label`` is what a
    person reads (``chromium 120 → 121``), ``detail`` where it is: the build step, or paths. ``rest`` is what belongs to
    no file, and whatever is too small to have a name. Texts are redacted and hold no control characters."""

    kind: CauseKind
    change: Change
    label: str
    delta: Sizes
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PackageChange:
    """A package that is in one of the images only, in another version, or with other files. ``before`` and ``after``
    are its versions, empty where it is missing. ``delta`` is what its files weigh more; 0 for one that was only hidden:
    the layer that brought it is still pulled."""

    ecosystem: str
    name: str
    before: str
    after: str
    delta: Sizes


@dataclass(frozen=True, slots=True)
class LayerChange:
    """A layer and the one that it replaced, found by digest, diff ID or build step. ``before_bytes`` and
    ``after_bytes`` are compressed, None where the image has no such layer; ``shared`` says that both have the very
    same blob. ``step`` made it: shortened and redacted."""

    step: str
    before_bytes: int | None
    after_bytes: int | None
    shared: bool = False

    @property
    def delta_bytes(self) -> int:
        return (self.after_bytes or 0) - (self.before_bytes or 0)


@dataclass(frozen=True, slots=True)
class Growth:
    """``delta`` is the whole difference, ``causes`` add up to it exactly, largest compressed change first. The first
    five explain at least 90 % of it in both kinds of size: the single changes that they stand for make at least 90 % of
    all changes, and their sum is no more than 10 % off. ``by_files`` is False where only manifests could be compared:
    then layers are the causes and ``delta`` is compressed alone.

    ``packages`` are all that changed, largest change first. ``moved_files`` are elsewhere with the same content and
    count as no change."""

    delta: Sizes = NOTHING
    causes: tuple[Cause, ...] = ()
    by_files: bool = False
    packages: tuple[PackageChange, ...] = ()
    moved_files: int = 0
