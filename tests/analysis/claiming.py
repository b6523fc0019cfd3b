"""What a rule claims of an image, for tests."""

from __future__ import annotations

from collections.abc import Iterable

from fleet.analysis.claims import claim_all
from fleet.analysis.rules import RULES
from fleet.analysis.rules.rule import Claim, survey
from fleet.image.loading import LoadedImage
from fleet.image.packages.package import Package


def claims_of(image: LoadedImage, rule: str, packages: Iterable[Package] = ()) -> list[Claim]:
    facts = survey(image.tree, image.config, tuple(packages))
    return [claim for found, claims in claim_all(facts, RULES) if found.name == rule for claim in claims]


def claimed(image: LoadedImage, rule: str, packages: Iterable[Package] = ()) -> set[str]:
    """The paths, whichever version of them."""
    return {claim.entry.path for claim in claims_of(image, rule, packages)}
