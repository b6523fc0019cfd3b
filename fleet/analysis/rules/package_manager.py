"""What a system's package manager downloads and can download again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey, below

_ROOTS = re.compile(
    r"var/lib/apt/lists/|var/cache/(?:apt|apk|yum|dnf|libdnf5|zypp|pacman/pkg)/|etc/apk/cache/"
    r"|var/lib/(?:dnf|yum)/repos/"
)


def _claims(survey: Survey) -> Iterator[Claim]:
    return below(survey, _ROOTS)


PACKAGE_MANAGER = Rule(
    "package-manager-cache",
    "Package lists and archives",
    "End the RUN step that installs with `rm -rf /var/lib/apt/lists/*` (apk add --no-cache, dnf clean all), or mount "
    "these directories as a cache.",
    _claims,
)
