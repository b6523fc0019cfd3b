"""Foreign JSON, narrowed to the types that we expect, or refused with a sentence that names the field."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import NoReturn, TypeVar

from fleet.oci.errors import InvalidResponse
from fleet.oci.wording import shown

_TYPE_NAMES = {str: "text", int: "a number", bool: "true or false", list: "a list", dict: "an object"}

_T = TypeVar("_T")
_LARGEST_NUMBER = 2**63 - 1
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_DEPTH_LIMIT = 64
# A string without an end counts to the end: looked for again from each quote, it would take the square of its length.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHER_BYTES = bytes(byte for byte in range(256) if byte not in b"[]{}")
# Builders write the epoch or year 1 for "no date": reproducible builds do so on purpose.
_FIRST_YEAR = 1990


class Document:
    """One JSON object. Every reader treats null as absent and raises InvalidResponse for another type."""

    __slots__ = ("_fields", "_what")

    def __init__(self, fields: Mapping[str, object], what: str) -> None:
        self._fields = fields
        self._what = what

    @classmethod
    def parse(cls, body: bytes, what: str) -> Document:
        """``what`` names the document in errors, for instance "The manifest"."""
        if _is_deeper(body, _DEPTH_LIMIT):
            raise InvalidResponse(
                f"{what} is nested more than {_DEPTH_LIMIT} levels deep, as no image is. It was not read further."
            )
        try:
            # Without a decoded text json would guess at UTF-16 and UTF-32, which the depth was not counted in.
            value = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise InvalidResponse(f"{what} is no valid JSON. Check that the URL is that of a registry.") from None
        if not isinstance(value, dict):
            raise InvalidResponse(f"{what} is no JSON object. Check that the URL is that of a registry.")
        return cls(value, what)

    @classmethod
    def parse_list(cls, body: bytes, what: str) -> tuple[Document, ...]:
        """A JSON list of objects, as the APIs of providers answer."""
        # Read as a field, each item is checked and named in errors as any other list's.
        return cls.parse(b'{"items":%b}' % body, what).documents("items")

    def has(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        return clean(self._expect(value, str, name)) if value is not None else ""

    def flag(self, name: str) -> bool:
        value = self._fields.get(name)
        return self._expect(value, bool, name) if value is not None else False

    def number(self, name: str) -> int:
        """A whole number from 0 to 2^63 - 1; 0 when absent."""
        value = self._fields.get(name)
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_NUMBER:
            self._refuse(name, "a whole number")
        return value

    def real(self, name: str) -> float:
        """A number that is not negative, with or without a fraction; 0.0 when absent."""
        value = self._fields.get(name)
        if value is None:
            return 0.0
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST_NUMBER:
            self._refuse(name, "a number")
        return float(value)

    def document(self, name: str) -> Document | None:
        value = self._fields.get(name)
        return None if value is None else Document(self._expect(value, dict, name), f"{self._what}, {name}")

    def documents(self, name: str) -> tuple[Document, ...]:
        return tuple(
            Document(self._expect(item, dict, name, position), f"{self._what}, {name}[{position}]")
            for position, item in enumerate(self._list(name))
        )

    def document_lists(self, name: str) -> tuple[tuple[Document, ...], ...]:
        """A list of lists of objects."""
        rows = (self._expect(row, list, name, position) for position, row in enumerate(self._list(name)))
        return tuple(Document({"row": row}, f"{self._what}, {name}").documents("row") for row in rows)

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(clean(self._expect(item, str, name, position)) for position, item in enumerate(self._list(name)))

    def keys(self, name: str) -> tuple[str, ...]:
        """The names in an object whose values carry nothing, as Go writes a set."""
        value = self._fields.get(name)
        return () if value is None else tuple(clean(key) for key in self._expect(value, dict, name))

    def mapping(self, name: str) -> Mapping[str, str]:
        value = self._fields.get(name)
        fields = {} if value is None else self._expect(value, dict, name)
        return {
            clean(key): "" if item is None else clean(self._expect(item, str, name, key))
            for key, item in fields.items()
        }

    def moment(self, name: str) -> datetime | None:
        """An RFC 3339 date in UTC, to the microsecond. None when absent, malformed, or meant as "no date"."""
        return parse_moment(self.text(name))

    def _list(self, name: str) -> list[object]:
        value = self._fields.get(name)
        return [] if value is None else self._expect(value, list, name)

    def _expect(self, value: object, kind: type[_T], name: str, inner: object = None) -> _T:
        if not isinstance(value, kind):
            self._refuse(name if inner is None else f"{name}[{inner}]", _TYPE_NAMES[kind])
        return value

    def _refuse(self, name: str, wanted: str) -> NoReturn:
        raise InvalidResponse(
            f"{self._what} is malformed: {shown(name)} is not {wanted}. Push the image again with a current builder."
        )


def clean(text: str) -> str:
    """``text`` without lone surrogates and NULs, which neither UTF-8 nor a database can keep."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def parse_moment(text: str) -> datetime | None:
    match = _RFC3339.fullmatch(text)
    if not match:
        return None
    *fields, fraction, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        year, month, day, hour, minute, second = (int(field) for field in fields)
        microsecond = int((fraction or "0")[:6].ljust(6, "0"))
        # A leap second is a real moment that datetime cannot hold.
        moment = datetime(year, month, day, hour, minute, min(second, 59), microsecond, zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year >= _FIRST_YEAR else None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _is_deeper(body: bytes, limit: int) -> bool:
    """Whether JSON is nested more than ``limit`` deep, found out without following it down.

    What is no JSON may be called deep or not: the parser refuses it in any case.
    """
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    brackets = _STRING.sub(b"", body).translate(_BRACKETS, _OTHER_BYTES)
    for _ in range(limit):
        # Each pass takes away the innermost level, wherever it is.
        shallower = brackets.replace(b"[]", b"")
        if not shallower:
            return False
        if len(shallower) == len(brackets):
            break
        brackets = shallower
    return b"[" in brackets
