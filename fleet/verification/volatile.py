"""Lines of output without what differs from one run to the next: times, addresses, ids. Two runs of one image give the
same lines then, and two images that do the same do."""

from __future__ import annotations

import re

_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE = rf"\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[-/ ]{_MONTH}[-/ ,]{{1,2}}\d{{2,4}}"
_MONTH_FIRST = rf"{_MONTH} {{1,2}}\d{{1,2}},?(?: \d{{4}})?"
_WEEKDAY = r"\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? "
# In this order: what is longer and says more goes first.
_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), mark)
    for pattern, mark in (
        (r"\x1b\[[0-9;]{0,20}[a-z]|\\x1b\[[0-9;]{0,20}[a-z]", ""),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
        (rf"(?:{_WEEKDAY})?(?:{_DATE}|{_MONTH_FIRST})[t ,:]{{0,2}}", "<date> "),
        (r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d{1,5})?\b", "<address>"),
        (
            r"(?<![\d.])\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[ap]m\b)?"
            r"(?: ?(?:z|utc|gmt|[+-]\d{2}:?\d{2}))?(?: \d{4}\b)?",
            "<time>",
        ),
        (r"\b(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}\b", "<address>"),
        (r"(?<=[a-z*\]]):\d{2,5}\b", ":<port>"),
        (r"\b0x[0-9a-f]+\b", "<id>"),
        (r"\b(?=[0-9a-f]{0,63}\d)(?=[0-9a-f]{0,63}[a-f])[0-9a-f]{7,128}\b", "<id>"),
        # A token: long, of letters and digits without a word in them.
        (r"(?<![\w/+.-])(?=[\w+/=-]{0,200}\d)(?=[\w+/=-]{0,200}[a-z])[\w+/=-]{24,200}(?![\w/+.-])", "<id>"),
        (r"\b\d+(?:[.,]\d+)? ?(?:ns|us|µs|ms|s|sec|secs|seconds?|minutes?|min|[kmg]i?b|bytes)\b", "<amount>"),
        (r"\[\d+(?:\.\d+)?\]|\(\d+\)", "<number>"),
        (r"\b(pid|port|process|thread|worker)\W{1,3}\d+", r"\1 <number>"),
        (r"(?<![\d.v])\d{4,}(?![\d.])", "<number>"),
    )
)  # fmt: skip
_BLANKS = re.compile(r"\s+")
_CHARACTERS = 300


def steady(line: str) -> str:
    """A line without what differs from run to run."""
    text = line[:_CHARACTERS]
    for pattern, mark in _PATTERNS:
        text = pattern.sub(mark, text)
    return _BLANKS.sub(" ", text).strip()
