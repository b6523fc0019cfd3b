"""JSON that strangers wrote, read leniently: what is of another type than it should be is taken for absent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

Object = Mapping[str, object]


def parse(content: bytes) -> object:
    """The value of a document; None where it is no JSON or nested deeper than the parser follows."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def parse_object(content: bytes) -> Object:
    return as_object(parse(content))


def as_object(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def as_texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def objects_in(value: object) -> Iterator[Object]:
    """The objects of a list."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
