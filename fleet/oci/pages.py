"""Paged lists of names: tags and the catalog.

Spec: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
"""

from __future__ import annotations

import re

from fleet.oci.answer import Answer
from fleet.oci.document import Document
from fleet.oci.errors import InvalidResponse

# More is refused by distribution 2.8 and ECR.
PAGE_NAMES = 1000

_LINK = re.compile(r"<([^<>]{1,4000})>([^,<>]{0,200})")
_NEXT = re.compile(r';\s{0,8}rel\s{0,8}=\s{0,8}"?next"?', re.IGNORECASE)


def names_of(answer: Answer, field: str, limit_bytes: int) -> tuple[str, ...]:
    """The names on one page. A registry writes null where there are none."""
    return Document.parse(answer.body(limit_bytes), f"The list of {field} from {answer.where}").texts(field)


def next_path(answer: Answer) -> str | None:
    """The path of the following page; None on the last one, however short the page is.

    Raises InvalidResponse for a link to another host. Scheme and port are kept: behind a proxy a registry often does
    not know its own.
    """
    for link, parameters in _LINK.findall(answer.headers.get("Link", "")[:8192]):
        if _NEXT.search(parameters):
            target = answer.target.resolve(link)
            if target.origin.host != answer.target.origin.host:
                raise InvalidResponse(
                    f"{answer.where} continues its list on another host. It was not followed. "
                    "Check the registry's configuration."
                )
            return target.path
    return None
