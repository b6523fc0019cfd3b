"""Foreign text made fit for a sentence that people read: short, printable, without credentials."""

from __future__ import annotations

import re

# An "@" also stands before a digest, so user info counts only after a scheme.
_USER_INFO = re.compile(r"(?<=://)[^/@\s]{0,500}@")


def shown(text: str, limit: int = 100) -> str:
    """``text`` cut to ``limit`` characters, what cannot be printed as ``?``, and a URL's user info removed."""
    if len(text) <= limit and text.isprintable() and "@" not in text:
        return text
    safe = _USER_INFO.sub("", text[: limit * 10])
    printable = "".join(character if character.isprintable() else "?" for character in safe)
    return printable if len(printable) <= limit else f"{printable[: limit - 1]}…"
