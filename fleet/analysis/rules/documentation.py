"""Manuals, documentation and translations of system programs. Licences stay, and so does the language that the
image is set to; translations of the application (``.mo`` files elsewhere) are no waste."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey, below

_ROOTS = re.compile(
    r"usr/(?:local/)?share/(?:doc|man|info|locale|gtk-doc|help|doc-base|lintian|i18n)/|usr/(?:local/)?man/|var/cache/man/"
)
_LICENCE = re.compile(r"(?i)copyright|(?:licen[cs]e|copying|notice|authors)(?:[.-].*)?")
_LOCALE = re.compile(r"usr/(?:local/)?share/locale/([a-z]+)")


def _claims(survey: Survey) -> Iterator[Claim]:
    languages = _languages(survey)
    for claim in below(survey, _ROOTS):
        if claim.entry.path.endswith("/locale.alias") or _LICENCE.fullmatch(claim.entry.path.rpartition("/")[2]):
            continue
        locale = _LOCALE.match(claim.entry.path)
        if locale is None or locale.group(1) not in languages:
            yield claim


def _languages(survey: Survey) -> frozenset[str]:
    """``LANG=de_DE.UTF-8`` gives ``de``."""
    values = (survey.config.variable(name) or "" for name in ("LANG", "LC_ALL", "LC_MESSAGES", "LANGUAGE"))
    return frozenset(language for value in values for language in re.findall(r"[a-z]{2,3}(?=_|:|\.|$)", value[:100]))


DOCUMENTATION = Rule(
    "documentation",
    "Documentation and translations",
    "Start from a slim base, which excludes them through /etc/dpkg/dpkg.cfg.d (path-exclude), or install with "
    "--no-install-recommends and nodocs options.",
    _claims,
)
