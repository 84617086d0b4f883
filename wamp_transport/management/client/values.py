"""Values on the command line and back: JSON, or plain text where it is none; nothing that harms a terminal."""

import json
import math
from argparse import ArgumentTypeError
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

VALUES = "A value is JSON where it can be read as such (3, true, null, [1, 2], '\"3\"'), else text."


def value(text: str) -> Any:
    """An argument as a value: JSON, or the text itself."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def named_values(text: str) -> dict[str, Any]:
    """``name=value``, or a JSON object with several. Raises ArgumentTypeError."""
    if text.startswith("{"):
        try:
            found = json.loads(text, parse_constant=_no_constant)
        except ValueError as fault:
            raise ArgumentTypeError(f"{text!r} is no JSON object: {fault}") from None
        return dict(found)
    name, separator, given = text.partition("=")
    if not separator or not name:
        raise ArgumentTypeError(f"{text!r} is not of the form name=value")
    return {name: value(given)}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def jsonable(one: Any) -> Any:
    """Payload as JSON can say it: bytes as WAMP does (U+0000 and base64), numbers that are none as null."""
    if isinstance(one, bytes):
        return "\0" + b64encode(one).decode()
    if isinstance(one, float):
        return one if math.isfinite(one) else None
    if isinstance(one, Mapping):
        return {str(name): jsonable(each) for name, each in one.items()}
    if isinstance(one, Sequence) and not isinstance(one, str):
        return [jsonable(each) for each in one]
    return one if one is None or isinstance(one, str | int) else str(one)


def as_json(one: Any, *, is_indented: bool = False) -> str:
    """JSON in ASCII, on one line unless ``is_indented``."""
    return json.dumps(jsonable(one), indent=2 if is_indented else None)


def format_value(one: Any, *, is_raw: bool = False) -> str:
    """A value for people: text as it is, all else as JSON. ``is_raw``: control characters are kept."""
    if isinstance(one, str):
        return one if is_raw else shown(one)
    indent = 2 if isinstance(one, Mapping | Sequence) and len(one) > 1 else None
    return shown(json.dumps(jsonable(one), ensure_ascii=False, indent=indent))


def format_inline(one: Any) -> str:
    """A value for people on one line."""
    return shown(one if isinstance(one, str) else json.dumps(jsonable(one), ensure_ascii=False)).replace("\n", "\\n")


def said(args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[str]:
    """Arguments for people, each on one line."""
    return [*map(format_inline, args), *(f"{shown(str(name))}={format_inline(one)}" for name, one in kwargs.items())]


def shown(text: str) -> str:
    """Text without what a terminal would obey: control characters are written as escapes, but for ends of lines."""
    return "".join(each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text)
