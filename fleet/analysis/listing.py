"""Claims told in few lines: ``/root/.cache/pip/`` in place of the 900 files in it, where all of them are claimed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from fleet.analysis.redaction import escape_controls
from fleet.analysis.rules.rule import Claim, Survey, count_below


def covered_directories(survey: Survey, claims: Iterable[Claim]) -> set[str]:
    """Directories below which nothing stays but what is claimed."""
    touched: Counter[str] = Counter()
    surviving: Counter[str] = Counter()
    for claim in claims:
        directory = claim.entry.path.rpartition("/")[0]
        touched[directory] += 1
        surviving[directory] += claim.removes(survey)
    claimed = count_below(surviving)
    return {directory for directory in count_below(touched) if survey.totals[directory] == claimed[directory]}


def aggregate(claims: Sequence[Claim], covered: set[str]) -> list[str]:
    """What stands for the claims, largest first: absolute paths, a slash at the end of a directory."""
    groups: defaultdict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        groups[_group(claim, covered)].append(claim)
    weights = {
        f"{path}/" if len(group) > 1 else group[0].entry.path: sum(claim.sizes.unpacked_bytes for claim in group)
        for path, group in groups.items()
    }
    return [escape_controls(f"/{path}") for path in sorted(weights, key=lambda path: (-weights[path], path))]


def _group(claim: Claim, covered: set[str]) -> str:
    """The highest covered directory that the claim allows, or the path itself."""
    group = claim.entry.path
    directory = group.rpartition("/")[0]
    while directory in covered and directory and len(directory) >= len(claim.root):
        group, directory = directory, directory.rpartition("/")[0]
    return group
