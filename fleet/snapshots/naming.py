"""What a service is called and who owns it, by rules that an admin wrote for a registry. Pure.

One rule a line; the first that gives something holds.

    label:org.opencontainers.image.title    the label of the newest image
    strip:team/                             what follows a prefix of the repository (names)
    payments/* = Payments team              for repositories that a glob matches (owners)
    path:1                                  a part of the repository, counted from 1; never its last one (owners)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal

from fleet.snapshots.text import storable

Kind = Literal["label", "strip", "path", "glob"]

NAME_LIMIT = 255
OWNER_LIMIT = 100
MOST_RULES = 200
_LABEL_LIMIT = 2000
_NAME_KINDS = ("label", "strip")
_OWNER_KINDS = ("label", "path", "glob")
_NAME_FORMS = "label:org.opencontainers.image.title or strip:team/"
_OWNER_FORMS = "payments/* = Payments team, label:org.opencontainers.image.vendor or path:1"


@dataclass(frozen=True, slots=True)
class Rule:
    """``argument`` is a label, a prefix, a position or a glob; ``value`` what a glob gives."""

    kind: Kind
    argument: str
    value: str = ""

    def give(self, repository: str, labels: Mapping[str, str]) -> str:
        """What this rule makes of a repository and the labels of its newest image; empty where nothing."""
        if self.kind == "label":
            return labels.get(self.argument, "")
        if self.kind == "strip":
            return repository.removeprefix(self.argument) if repository.startswith(self.argument) else ""
        if self.kind == "path":
            parts, position = repository.split("/")[:-1], int(self.argument)
            return parts[position - 1] if position <= len(parts) else ""
        return self.value if fnmatchcase(repository, self.argument) else ""


Rules = tuple[Rule, ...]


def parse_name_rules(text: str) -> Rules:
    """Raises ValueError, with a sentence that names the line, for what is no rule for names."""
    return tuple(_parsed(text, _NAME_KINDS, _NAME_FORMS))


def parse_owner_rules(text: str) -> Rules:
    """Raises ValueError, with a sentence that names the line, for what is no rule for owners."""
    return tuple(_parsed(text, _OWNER_KINDS, _OWNER_FORMS))


@lru_cache(maxsize=64)
def stored_rules(name_rules: str, owner_rules: str) -> tuple[Rules, Rules]:
    """A registry's rules for names and owners. What a form would have refused rules nothing."""
    return _lenient(name_rules, _NAME_KINDS), _lenient(owner_rules, _OWNER_KINDS)


def name_of(repository: str, labels: Mapping[str, str], rules: Rules) -> str:
    """The service's name; empty where no rule gives one."""
    return _first(repository, labels, rules, NAME_LIMIT)


def owner_of(repository: str, labels: Mapping[str, str], rules: Rules) -> str:
    """The service's owner; empty where no rule gives one."""
    return _first(repository, labels, rules, OWNER_LIMIT)


def needs_labels(rules: Rules) -> bool:
    return any(rule.kind == "label" for rule in rules)


def clean(text: str, limit: int) -> str:
    """Text from an image on one line, without what is not seen (controls, changes of direction), and cut."""
    spaced = " ".join(text[:_LABEL_LIMIT].split())
    return storable(" ".join("".join(filter(str.isprintable, spaced)).split()), limit)


def _first(repository: str, labels: Mapping[str, str], rules: Rules, limit: int) -> str:
    given = (clean(rule.give(repository, labels), limit) for rule in rules)
    return next(filter(None, given), "")


def _parsed(text: str, kinds: tuple[str, ...], forms: str) -> Iterator[Rule]:
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > MOST_RULES:
        raise ValueError(f"These are {len(lines)} rules; {MOST_RULES} are the most. Use globs that match more.")
    for number, line in lines:
        rule = _rule(line)
        if rule is None or rule.kind not in kinds:
            raise ValueError(f"Line {number}, {line[:100]!r}, is no rule. Write it as in {forms}.")
        yield rule


def _lenient(text: str, kinds: tuple[str, ...]) -> Rules:
    rules = (_rule(line.strip()) for line in text.splitlines()[:MOST_RULES])
    return tuple(rule for rule in rules if rule is not None and rule.kind in kinds)


def _rule(line: str) -> Rule | None:
    glob, equals, value = (part.strip() for part in line.partition("="))
    if equals:
        return Rule("glob", glob, value) if glob and value else None
    kind, _, argument = (part.strip() for part in line.partition(":"))
    if not argument:
        return None
    if kind == "label":
        return Rule("label", argument)
    if kind == "strip":
        return Rule("strip", argument)
    if kind == "path" and argument.isascii() and argument.isdigit() and 0 < int(argument[:9]) < 100:
        return Rule("path", argument[:9])
    return None
