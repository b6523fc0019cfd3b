"""Reading a page as a person would: text without markup, rows of a table."""

from __future__ import annotations

import html
import re
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def body(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def words(markup: str) -> str:
    """The text of a page with single spaces; no-break spaces become spaces."""
    text = html.unescape(re.sub(r"<[^>]*>", " ", markup))
    return " ".join(text.split())


def listed(client: Client, query: str = "", *, address: str = "/") -> list[str]:
    """The repositories on the ranking, in order."""
    return re.findall(r'<span class="service-name"><a [^>]*>([^<]+)</a>', body(client.get(f"{address}{query}")))


def queries_of(client: Client, address: str, **headers: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        response = client.get(address, headers=headers)
        if response.streaming:
            b"".join(response)
    assert response.status_code == 200
    return len(captured)
