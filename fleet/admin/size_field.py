"""Sizes as people write them: ``250 MB``, ``1.2 GB``, ``1 GiB``, or plain bytes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import forms

UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}
SIZE = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?)\s{0,9}([a-z]{0,3})", re.ASCII)
LARGEST_BYTES = 2**63 - 1


def parse_size(text: str) -> int:
    """Bytes, at least 1. MB is 10^6 and MiB 2^20. Raises ValueError with a sentence."""
    match = SIZE.fullmatch(text.strip().lower())
    unit = UNITS.get(match[2]) if match else None
    if not match or unit is None:
        raise ValueError("Write a size such as 250 MB, 1.2 GB or 250000000.")
    size_bytes = int(Decimal(match[1]) * unit)
    if not 0 < size_bytes <= LARGEST_BYTES:
        raise ValueError("Write a size between 1 byte and 8 EB.")
    return size_bytes


def show_size(size_bytes: int) -> str:
    """The shortest text that ``parse_size`` reads back as the same number, in units of ten."""
    for name in ("TB", "GB", "MB", "kB"):
        unit = UNITS[name.lower()]
        if size_bytes >= unit and size_bytes % (unit // 1000) == 0:
            return f"{(Decimal(size_bytes) / unit).normalize():f} {name}"
    return str(size_bytes)


class SizeField(forms.CharField):
    """Text on the page, bytes in the row."""

    def __init__(self, *, min_value: int | None = None, max_value: int | None = None, **options: Any) -> None:
        """The limits are the column's, in bytes; ``parse_size`` keeps within them."""
        # The admin hands in a number's widget, which would refuse the unit.
        options["widget"] = forms.TextInput(attrs={"placeholder": "250 MB", "size": 14})
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return show_size(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            return parse_size(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)
