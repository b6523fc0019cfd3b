"""What changed between two images of a service, told in few causes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fleet.image.sizes import NOTHING, Sizes

CauseKind = Literal["layer", "package", "files", "hidden"]
Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why an image weighs more or less than the one before. ``delta`` may be negative; of causes that are
    known from manifests alone (``layer``) the unpacked part is 0 where nobody read the layers. ``label`` is what a
    person reads (``chromium 120 → 121``), ``detail`` where it is: the build step, or paths."""

    kind: CauseKind
    change: Change
    label: str
    delta: Sizes
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Growth:
    """``delta`` is the whole difference, ``causes`` add up to it exactly, largest change first. ``by_files`` is False
    where only manifests could be compared: then layers are the causes and ``delta`` is compressed alone."""

    delta: Sizes = NOTHING
    causes: tuple[Cause, ...] = ()
    by_files: bool = False
