"""Parse request headers: acceptable types and encodings, conditions and ranges (RFC 9110).

Invalid headers are ignored, as the RFC requires.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.http import parse_http_date_safe

_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')
_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)
_WEIGHT = re.compile(r"\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)


def header(scope: Mapping[str, Any], name: bytes) -> str | None:
    """Return a header of the request by its lower-case name; None if absent. Repeated lines are joined with commas."""
    lines = [bytes(value).decode("latin-1") for key, value in scope["headers"] if bytes(key).lower() == name]
    return ", ".join(lines) if lines else None


def accepted(value: str | None) -> frozenset[str]:
    """Return the items of an Accept or Accept-Encoding header, in lower case.

    Items with a weight of 0 are left out, because the client does not accept them. Items with an invalid weight are
    left out as well.
    """
    items = set()
    for item in (value or "").split(","):
        token, *parameters = item.split(";")
        weights = [part for part in parameters if part.strip().lower().startswith("q")]
        matches = [_WEIGHT.fullmatch(part) for part in weights]
        if all(match is not None and float(match[1]) > 0 for match in matches):
            items.add(token.strip().lower())
    return frozenset(items - {""})


def is_not_modified(
    if_none_match: str | None, if_modified_since: str | None, entity_tag: str, modified: int | None
) -> bool:
    """Return whether the client's copy is still valid (RFC 9110, sections 13.1.2, 13.1.3 and 13.2.2).

    `modified` is in seconds since 1970, or None if unknown. If the request has an If-None-Match header,
    If-Modified-Since is ignored.
    """
    if if_none_match is not None:
        if if_none_match.strip() == "*":
            return True
        return entity_tag.removeprefix("W/") in _ENTITY_TAG.findall(if_none_match)
    if if_modified_since is None or modified is None:
        return False
    since = parse_http_date_safe(if_modified_since)
    return since is not None and modified <= since


@dataclass(frozen=True)
class ByteRange:
    """A part of a file: the first byte, counted from 0, and the number of bytes."""

    start: int
    length: int


class RangeNotSatisfiable(Exception):
    """Raised if the requested range lies outside the file. The request is answered with status 416."""


def byte_range(value: str | None, size: int) -> ByteRange | None:
    """Return the requested part of a file of `size` bytes, or None for the whole file (RFC 9110, section 14).

    Also return None for a header that a server may ignore, because it uses other units, contains several ranges or is
    invalid. Raises RangeNotSatisfiable for a valid range that has no byte in common with the file.
    """
    match = _ONE_RANGE.fullmatch(value) if value is not None else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        start = size - length
    else:
        start = int(match[1])
        end = min(int(match[2]), size - 1) if match[2] else size - 1
        if match[2] and int(match[2]) < start:
            return None
        length = end - start + 1
    if length <= 0:
        raise RangeNotSatisfiable
    return ByteRange(start, length)


def if_range_holds(value: str | None, entity_tag: str, modified: int | None) -> bool:
    """Return whether the If-Range header, if present, allows sending a range (RFC 9110, section 13.1.5)."""
    if value is None:
        return True
    value = value.strip()
    if '"' in value:
        return value == entity_tag
    return modified is not None and parse_http_date_safe(value) == modified
