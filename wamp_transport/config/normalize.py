"""Conversion of any value to plain JSON data, so that the validation needs to handle only a few types.

Mappings become ``dict``, lists become ``tuple``, and path objects become text. Values that JSON cannot represent are
reported as findings.
"""

import math
import os
from collections.abc import Mapping
from typing import Any

from wamp_transport.config.report import Location, short
from wamp_transport.config.section import Finding

MAX_NESTING_DEPTH = 64


class RepeatedKeys(dict[str, Any]):
    """A JSON object in which at least one key is repeated."""

    def __init__(self, pairs: list[tuple[str, Any]], repeated: tuple[str, ...]) -> None:
        super().__init__(pairs)
        self.repeated = repeated


def normalize(value: object, findings: list[Finding], location: Location = ()) -> Any:
    """Return ``value`` as JSON data, and add a finding to ``findings`` for each invalid part.

    Values that JSON cannot represent become null, and invalid keys are left out. If a key is repeated, the last value
    is used.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _text(value, findings, location)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _number(value, findings, location)
    if isinstance(value, Mapping | list | tuple):
        return _container(value, findings, location)
    if isinstance(value, os.PathLike):
        return _text(os.fspath(value), findings, location)
    findings.append(Finding(location, f"expected a JSON value, found a Python {short(type(value).__name__)}"))
    return None


def _text(value: object, findings: list[Finding], location: Location) -> str | None:
    text = str(value)
    if _is_unicode(text):
        return text
    findings.append(Finding(location, "expected valid Unicode text, found a lone surrogate"))
    return None


def _number(value: float, findings: list[Finding], location: Location) -> float | None:
    if math.isfinite(value):
        return float(value)
    findings.append(Finding(location, "expected a JSON number, found one that is infinite or not a number"))
    return None


def _container(
    value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], findings: list[Finding], location: Location
) -> Any:
    if len(location) >= MAX_NESTING_DEPTH:
        findings.append(Finding(location, f"nested deeper than {MAX_NESTING_DEPTH} levels"))
        return None
    if not isinstance(value, Mapping):
        return tuple(normalize(item, findings, (*location, index)) for index, item in enumerate(value))
    if isinstance(value, RepeatedKeys):
        findings.extend(
            Finding((*location, key), "key given more than once in the same object")
            for key in value.repeated
            if _is_unicode(key)
        )
    result: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            findings.append(Finding(location, f"expected keys that are strings, found a {type(key).__name__}"))
        elif not _is_unicode(key):
            findings.append(Finding(location, "expected keys of valid Unicode text, found a lone surrogate"))
        else:
            result[str(key)] = normalize(item, findings, (*location, str(key)))
    return result


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
