"""The log's lines, without what opens something.

Django logs the path of a request that fails, and the path of a push event may hold its token
(``fleet.models.push.push_url``).
"""

from __future__ import annotations

import logging
import re

_TOKEN = re.compile(r"(/events/\d+/)[^/\s?\"']+")


class Formatter(logging.Formatter):
    """Covers tracebacks too, since they are part of what is formatted."""

    def format(self, record: logging.LogRecord) -> str:
        return _TOKEN.sub(r"\1[token]", super().format(record))
