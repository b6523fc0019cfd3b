"""Files that are there more than once, by their content: the same size and fingerprint.

One copy stays, of those that no other rule claimed: what the command names, else the one in the lowest layer, which
other images may share. Hard links are no copies. Licences repeat on purpose; files below 4 KiB are not worth it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey
from fleet.image.filetree import Node

_LEAST_BYTES = 4096
_ON_PURPOSE = re.compile(r"(?i)(?:licen[cs]e|copying|notice|copyright|authors|changelog)(?:[.-].*)?", re.DOTALL)


def _claims(survey: Survey) -> Iterator[Claim]:
    copies: dict[tuple[int, int], list[Node]] = defaultdict(list)
    for nodes in survey.directories.values():
        for node in nodes:
            entry = node.entry
            is_known = entry.fingerprint and entry.kind == "file" and entry.size_bytes >= _LEAST_BYTES
            if is_known and (node.layer, id(entry)) not in survey.taken:
                copies[entry.size_bytes, entry.fingerprint].append(node)
    for same in copies.values():
        if len(same) > 1 and not _ON_PURPOSE.fullmatch(same[0].entry.path.rpartition("/")[2]):
            copies_first = sorted(same, key=lambda n: (n.entry.path not in survey.in_use, n.layer, n.entry.path))
            yield from (Claim(node.entry, node.layer) for node in copies_first[1:])


DUPLICATE_FILES = Rule(
    "duplicate-files",
    "Files that are there more than once",
    "Keep one copy and link to it (ln, or ln -s), or install a package once for all that use it.",
    _claims,
)
