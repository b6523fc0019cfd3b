"""docs/rules.md names every rule, in the order in which they claim."""

from __future__ import annotations

import re
from pathlib import Path

from fleet.analysis.rules import RULES

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_the_page_and_the_rules_are_the_same() -> None:
    assert re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE) == [rule.name for rule in RULES]


def test_every_rule_says_what_it_is_and_how_to_mend_it() -> None:
    assert len({rule.name for rule in RULES}) == len({rule.title for rule in RULES}) == len(RULES)
    assert all(rule.advice.endswith(".") and len(rule.title) < 60 for rule in RULES)
