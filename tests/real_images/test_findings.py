"""Findings add up: each to the versions of paths that its rule claimed, all to what can be reclaimed, none twice."""

from __future__ import annotations

from collections import defaultdict

import pytest

from fleet.analysis.analyse import analyse
from fleet.analysis.claims import claim_all
from fleet.analysis.findings import Analysis
from fleet.analysis.rules import RULES
from fleet.analysis.rules.rule import Claim, survey
from fleet.image.loading import LoadedImage
from fleet.image.sizes import NOTHING, Sizes
from tests.real_images.conftest import Built

pytestmark = [pytest.mark.engine, pytest.mark.registry]


@pytest.fixture(scope="session")
def analysis(built: Built) -> Analysis:
    return analyse(built.by_registry)


@pytest.fixture(scope="session")
def claims(built: Built, analysis: Analysis) -> list[tuple[str, Claim]]:
    """(name of the rule, claim)."""
    image = built.by_registry
    claimed = claim_all(survey(image.tree, image.config, analysis.packages), RULES)
    return [(rule.name, claim) for rule, of_rule in claimed for claim in of_rule]


def test_no_version_of_a_path_is_claimed_twice(claims: list[tuple[str, Claim]]) -> None:
    versions = [claim.version for _, claim in claims]
    assert len(versions) == len(set(versions))


def test_each_claim_is_a_version_that_a_layer_of_the_image_holds(built: Built, claims: list[tuple[str, Claim]]) -> None:
    held = _versions(built.by_registry)
    for _, claim in claims:
        whole = held[claim.version]
        assert claim.sizes.unpacked_bytes <= whole.unpacked_bytes
        assert claim.sizes.compressed_bytes <= whole.compressed_bytes


def test_each_finding_weighs_what_its_rule_claimed_in_its_layer(
    analysis: Analysis, claims: list[tuple[str, Claim]]
) -> None:
    sums: dict[tuple[str, int], Sizes] = defaultdict(lambda: NOTHING)
    for rule, claim in claims:
        sums[rule, claim.layer] += claim.sizes
    findings = {(finding.rule, finding.layer): finding.sizes for finding in analysis.findings}
    assert len(findings) == len(analysis.findings)
    assert findings == {place: sizes for place, sizes in sums.items() if sizes.unpacked_bytes}


def test_findings_add_up_to_what_can_be_reclaimed(analysis: Analysis, claims: list[tuple[str, Claim]]) -> None:
    weighty = [claim.sizes for _, claim in claims if claim.sizes.unpacked_bytes]
    assert analysis.reclaimable.unpacked_bytes == sum(sizes.unpacked_bytes for sizes in weighty)
    assert analysis.reclaimable == sum((finding.sizes for finding in analysis.findings), NOTHING)


def test_all_that_later_layers_hide_can_be_reclaimed(built: Built, claims: list[tuple[str, Claim]]) -> None:
    hidden = {(hidden.layer, id(hidden.entry)) for hidden in built.by_registry.tree.hidden if hidden.entry.size_bytes}
    assert hidden <= {claim.version for _, claim in claims}


def test_what_can_be_reclaimed_is_but_a_part_of_the_image(built: Built, analysis: Analysis) -> None:
    whole = built.by_registry.sizes
    assert 0 < analysis.reclaimable.unpacked_bytes < whole.unpacked_bytes
    assert 0 < analysis.reclaimable.compressed_bytes < whole.compressed_bytes


def _versions(image: LoadedImage) -> dict[tuple[int, int], Sizes]:
    """Every version of every path, as ``Claim.version`` names it."""
    found = [(node.layer, node.entry) for node in image.tree.nodes.values()]
    found += [(hidden.layer, hidden.entry) for hidden in image.tree.hidden]
    return {(layer, id(entry)): Sizes(entry.size_bytes, entry.compressed_bytes) for layer, entry in found}
