"""Regular expressions over tags, in a time that grows with the tag alone, whatever was written. Pure.

Python's matcher tries one way after another: ``(a+)+b`` keeps it busy for years over a tag of 128 characters. Here the
parsed expression becomes states that are followed all at once, and each step is remembered. What states cannot tell
(back references, word boundaries, lookaheads that do not stand at the start) is refused.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

# No tag holds another character.
ALPHABET = string.ascii_letters + string.digits + "._-"
MOST_STATES = 2000
MOST_STEPS = 20_000

_parser: Any = import_module("re._parser")

_REFUSED = (
    "{} cannot be used for tags. Groups, alternatives, classes, repeats, and lookaheads at the start can; "
    "write the expression with these."
)
_WORDS = {
    "ASSERT": "A lookahead or lookbehind within an expression",
    "ASSERT_NOT": "A lookahead or lookbehind within an expression",
    "AT": "A word boundary",
    "ATOMIC_GROUP": "An atomic group",
    "GROUPREF": "A back reference",
    "GROUPREF_EXISTS": "A condition on a group",
    "POSSESSIVE_REPEAT": "A possessive repeat",
}
_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda character: character.isalnum() or character == "_",
}
_ALWAYS, _START, _END = "", "start", "end"
_CONDITIONS = {"AT_BEGINNING": _START, "AT_BEGINNING_STRING": _START, "AT_END": _END, "AT_END_STRING": _END}
States = frozenset[int]


class TagRegex:
    """Tells whether an expression matches a whole tag. Raises ValueError, with a sentence, where it cannot be used."""

    def __init__(self, pattern: str) -> None:
        try:
            re.compile(pattern)
            tree = _parser.parse(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"This is no regular expression: {error}.") from None
        ignore_case = bool(tree.state.flags & re.IGNORECASE)
        items = list(tree)
        self._guards: list[tuple[bool, _Machine]] = []
        while items and _opens(*items[0]):
            operator, argument = items.pop(0)
            if str(operator) != "AT":
                ahead = _Machine(argument[1], ignore_case, then_anything=True)
                self._guards.append((str(operator) == "ASSERT", ahead))
        self._machine = _Machine(items, ignore_case)

    def __call__(self, tag: str) -> bool:
        return self._machine.accepts(tag) and all(wanted == ahead.accepts(tag) for wanted, ahead in self._guards)


def _opens(operator: object, argument: Any) -> bool:
    """Whether this stands for a condition on the whole tag when it stands first: ^ or a lookahead."""
    if str(operator) == "AT":
        return _CONDITIONS.get(str(argument)) == _START
    return str(operator) in ("ASSERT", "ASSERT_NOT") and argument[0] == 1


class _Machine:
    """States and the characters that lead from one to another. ``skips`` lead on without a character; some only where
    the tag starts or ends."""

    def __init__(self, items: Iterable[Any], ignore_case: bool, *, then_anything: bool = False) -> None:
        self._moves: list[list[tuple[frozenset[str], int]]] = []
        self._skips: list[list[tuple[str, int]]] = []
        self._steps: dict[tuple[States, str], States] = {}
        start = self._state()
        self._last = self._sequence(items, start, ignore_case)
        if then_anything:
            self._last = self._skip(self._last, self._state())
            self._moves[self._last].append((frozenset(ALPHABET), self._last))
        self._first = self._closure({start}, _START)

    def accepts(self, text: str) -> bool:
        states = self._first
        for character in text:
            states = self._step(states, character)
            if not states:
                return False
        return self._last in self._closure(states, _END, "" if text else _START)

    def _step(self, states: States, character: str) -> States:
        known = self._steps.get((states, character))
        if known is None:
            if len(self._steps) >= MOST_STEPS:
                self._steps.clear()
            reached = {to for state in states for accepted, to in self._moves[state] if character in accepted}
            known = self._steps[states, character] = self._closure(reached)
        return known

    def _closure(self, states: Iterable[int], *conditions: str) -> States:
        found, waiting = set(states), list(states)
        while waiting:
            for condition, to in self._skips[waiting.pop()]:
                if to not in found and (condition == _ALWAYS or condition in conditions):
                    found.add(to)
                    waiting.append(to)
        return frozenset(found)

    def _state(self) -> int:
        if len(self._moves) >= MOST_STATES:
            raise ValueError("This regular expression is too large. Use smaller numbers of repeats.")
        self._moves.append([])
        self._skips.append([])
        return len(self._moves) - 1

    def _skip(self, state: int, to: int, condition: str = _ALWAYS) -> int:
        self._skips[state].append((condition, to))
        return to

    def _sequence(self, items: Iterable[Any], state: int, ignore_case: bool) -> int:
        """Adds what these items read from a state on; the state that is reached after them."""
        for operator, argument in items:
            state = self._item(str(operator), argument, state, ignore_case)
        return state

    def _item(self, name: str, argument: Any, state: int, ignore_case: bool) -> int:
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            to = self._state()
            accepted = frozenset(filter(lambda character: _reads(name, argument, character, ignore_case), ALPHABET))
            self._moves[state].append((accepted, to))
            return to
        if name == "SUBPATTERN":
            _, added, removed, items = argument
            return self._sequence(items, state, (ignore_case or bool(added & re.I)) and not removed & re.I)
        if name == "BRANCH":
            to = self._state()
            for items in argument[1]:
                self._skip(self._sequence(items, state, ignore_case), to)
            return to
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, repeated = argument
            return self._repeat(least, most, repeated, state, ignore_case)
        if name == "AT" and str(argument) in _CONDITIONS:
            return self._skip(state, self._state(), _CONDITIONS[str(argument)])
        raise ValueError(_REFUSED.format(_WORDS.get(name, "Part of this regular expression")))

    def _repeat(self, least: int, most: int, items: Any, state: int, ignore_case: bool) -> int:
        for _ in range(least):
            state = self._sequence(items, state, ignore_case)
        if most == _parser.MAXREPEAT:
            loop = self._skip(state, self._state())
            self._skip(self._sequence(items, loop, ignore_case), loop)
            return loop
        to = self._state()
        for _ in range(most - least):
            self._skip(state, to)
            state = self._sequence(items, self._skip(state, self._state()), ignore_case)
        return self._skip(state, to)


def _reads(name: str, argument: Any, character: str, ignore_case: bool) -> bool:
    """Whether one item that stands for one character takes this one."""
    if name == "ANY":
        return True
    members = argument if name == "IN" else [("LITERAL", argument)]
    negated = name == "NOT_LITERAL" or any(str(operator) == "NEGATE" for operator, _ in members)
    forms = {character, character.lower(), character.upper()} if ignore_case else {character}
    return negated != any(_holds(str(operator), value, form) for operator, value in members for form in forms)


def _holds(name: str, value: Any, character: str) -> bool:
    if name == "LITERAL":
        return bool(ord(character) == value)
    if name == "RANGE":
        return bool(value[0] <= ord(character) <= value[1])
    if name == "CATEGORY":
        plain = str(value).replace("_NOT_", "_")
        return _CATEGORIES[plain](character) != ("_NOT_" in str(value))
    return False
