"""Validation of data against the schema.

Pydantic's errors and the findings of the sections' own checks are collected in one list. :func:`problems` sorts it by
position in the document.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from wamp_transport.config.attributes import expected, extra_of
from wamp_transport.config.normalize import normalize
from wamp_transport.config.report import Location, Problem, path_text, short
from wamp_transport.config.schema_walk import (
    Place,
    SchemaMatch,
    attributes,
    place_at,
    sections_in,
    sections_of,
    types_of,
)
from wamp_transport.config.section import Finding

_SECRET_KEYS = frozenset(
    {"ticket", "tickets", "secret", "key", "password", "principals", "users", "seed", "privkey", "env"}
    | {"wampcra", "scram", "cryptosign", "stored-key", "server-key", "derived_key", "ticket_hash", "github_secret"}
)


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a validation.

    ``value`` is the typed value, or None if pydantic found errors. ``data`` is the normalized data. ``sections``
    contains all sections that were found in the data.
    """

    value: Any
    data: Any
    findings: tuple[Finding, ...]
    sections: tuple[SchemaMatch, ...]


def check(annotation: Any, value: object, environ: Mapping[str, str]) -> Checked:
    """Validate ``value`` against a section, or against a union of sections.

    An invalid value raises no exception. The result contains the findings instead.
    """
    findings: list[Finding] = []
    data = normalize(value, findings)
    typed = None
    try:
        typed = _adapter(annotation).validate_python(data, context={"environ": environ})
    except ValidationError as error:
        spoiled = {finding.location for finding in findings if _value_at(data, finding.location) is None}
        for details in error.errors(include_url=False):
            finding = _finding_of(details, annotation)
            if not any(finding.location[:length] in spoiled for length in range(len(finding.location) + 1)):
                findings.append(finding)
    sections = tuple(sections_in(annotation, data))
    for found in sections:
        findings += _section_findings(found)
    return Checked(typed, data, tuple(findings), sections)


def problems(findings: tuple[Finding, ...] | list[Finding], data: Any) -> list[Problem]:
    """Convert findings to :class:`.Problem` objects, without duplicates and in document order."""
    positions: dict[int, dict[str, int]] = {}
    ordered = sorted(dict.fromkeys(findings), key=lambda finding: _order(finding.location, data, positions))
    return [Problem(path_text(finding.location), finding.message, finding.hint, finding.level) for finding in ordered]


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def _section_findings(found: SchemaMatch) -> Iterator[Finding]:
    """Yield the findings of a section's own check, then findings about unsupported sections and attributes."""
    for finding in found.section.check(found.given):
        yield Finding((*found.location, *finding.location), finding.message, finding.hint, finding.level)
    unoffered = found.section.unoffered
    if unoffered is not None:
        message = unoffered.message.format(type=found.given.get("type"))
        yield Finding(found.location, message, unoffered.hint, unoffered.level)
    for key, field in attributes(found.section):
        mark = extra_of(field)
        if mark.get("offered", True) or key not in found.given:
            continue
        if not _matters(found.given[key], mark["refused"], field.get_default(), mark.get("quiet", ())):
            continue
        level = "fault" if mark["refused"] else "ignored"
        prefix = "" if mark["refused"] else "has no effect: "
        yield Finding((*found.location, key), f"{prefix}{mark['instead']}", level=level)  # type: ignore[arg-type]


def _matters(value: Any, refused: bool, default: Any, quiet: Any) -> bool:
    """Return whether the value of an unsupported attribute must be reported.

    A refused attribute is reported unless its value is None. An ignored attribute is reported unless its value is None
    or one of the ``quiet`` values. If there are no ``quiet`` values, its default is not reported either.
    """
    calm = [] if refused else list(quiet) or [default]
    return not any(type(value) is type(other) and value == other for other in [*calm, None])


def _finding_of(details: ErrorDetails, annotation: Any) -> Finding:
    """Return the finding for a pydantic error."""
    if details["type"] == "extra_forbidden":
        return _unknown_key(place_at(annotation, details["loc"][:-1]), str(details["loc"][-1]))
    place = place_at(annotation, details["loc"])
    kind, value = details["type"], details["input"]
    if kind == "config":
        context = details.get("ctx", {})
        return Finding(place.location, details["msg"], str(context.get("hint", "")))
    if kind == "missing":
        wanted = expected(place.annotation, place.field)
        return Finding(place.location, f"required and missing; expected {wanted}", _help(place))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _unknown_type(place, value)
    if details["loc"] and details["loc"][-1] == "[key]":
        return _bad_key(place, details)
    return Finding(place.location, f"expected {expected(place.annotation, place.field)}, found {_shown(place, value)}")


def _unknown_key(above: Place, key: str) -> Finding:
    section = next(iter(sections_of(above.annotation)), None)
    known = [name for name, _ in attributes(section)] if section else []
    foreign = section.foreign_keys.get(key, "") if section else ""
    near = difflib.get_close_matches(short(key, 100), known, 1, 0.6)
    hint = foreign or (f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}")
    return Finding((*above.location, key), f"unknown attribute '{short(key)}'", hint)


def _unknown_type(place: Place, value: Any) -> Finding:
    """Return the finding for a section whose ``type`` is missing, not a string, or unknown."""
    known = [str(kind) for section in sections_of(place.annotation) for kind in types_of(section)]
    location = (*place.location, "type")
    wanted = f"expected one of {', '.join(known)}"
    if not isinstance(value, dict) or "type" not in value:
        return Finding(location, f"required and missing; {wanted}")
    kind = value["type"]
    near = difflib.get_close_matches(short(kind, 100), known, 1, 0.6) if isinstance(kind, str) else []
    hint = f"did you mean '{near[0]}'?" if near else wanted
    return Finding(location, f"unknown type, found {_text_of(kind)}", hint)


def _bad_key(place: Place, details: ErrorDetails) -> Finding:
    key = str(place.location[-1])
    message = f'expected a path of letters, digits, _ and -, or "/" alone, found "{short(key)}"'
    hint = 'a deeper path needs a service of type "path" that holds the rest' if "/" in key.strip("/") else ""
    return Finding(place.location, message, hint)


def _help(place: Place) -> str:
    return (place.field.description or "") if place.field else ""


def _shown(place: Place, value: Any) -> str:
    """Return a description of the value. If the value may be a secret, describe only its type."""
    secret = any(str(step) in _SECRET_KEYS for step in place.location) or place.location[-1:] == ("auth",)
    if secret or (place.field is not None and extra_of(place.field).get("secret")):
        return _type_of(value)
    return _text_of(value)


def _text_of(value: Any) -> str:
    if value is None or isinstance(value, bool | float):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 128 else "a huge integer"
    return f'"{short(value)}"' if isinstance(value, str) else _type_of(value)


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", dict: "an object"}
    return names.get(type(value), "a list")


def _value_at(data: Any, location: Location) -> Any:
    for step in location:
        data = data[step]
    return data


def _order(location: Location, data: Any, positions: dict[int, dict[str, int]]) -> tuple[int, ...]:
    """Return the sort key of a location: its position in the document. ``positions`` is a cache."""
    order: list[int] = []
    for step in location:
        if isinstance(data, dict):
            if id(data) not in positions:
                positions[id(data)] = {key: position for position, key in enumerate(data)}
            order.append(positions[id(data)].get(str(step), len(data)))
            data = data.get(str(step))
        elif isinstance(data, tuple) and isinstance(step, int) and step < len(data):
            order.append(step)
            data = data[step]
        else:
            break
    return tuple(order)
