"""Conversion between WAMP values and text on the command line. Control characters are escaped for the terminal."""

import json
import math
from argparse import ArgumentTypeError
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

VALUES = "Values are parsed as JSON if possible (3, true, null, [1, 2], '\"3\"'), and are text otherwise."


def value(text: str) -> Any:
    """Parse an argument as JSON. If it is not valid JSON, return it unchanged, as text."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def named_values(text: str) -> dict[str, Any]:
    """Parse ``name=value``, or a JSON object with several names. Raises ArgumentTypeError for any other text."""
    if text.startswith("{"):
        try:
            found = json.loads(text, parse_constant=_no_constant)
        except ValueError as fault:
            raise ArgumentTypeError(f"{text!r} is not a JSON object: {fault}") from None
        return dict(found)
    name, separator, given = text.partition("=")
    if not separator or not name:
        raise ArgumentTypeError(f"{text!r} is not of the form name=value")
    return {name: value(given)}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def jsonable(one: Any) -> Any:
    """Return a payload value in JSON types.

    Bytes become text: U+0000 followed by base64, as in WAMP. NaN and infinities become null.
    """
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
    """Return ``one`` as ASCII JSON, on one line unless ``is_indented``."""
    return json.dumps(jsonable(one), indent=2 if is_indented else None)


def format_value(one: Any, *, is_raw: bool = False) -> str:
    """Return a value for display: text as it is, other values as JSON.

    Control characters are escaped. If ``is_raw`` is true, those in text are kept.
    """
    if isinstance(one, str):
        return one if is_raw else printable(one)
    indent = 2 if isinstance(one, Mapping | Sequence) and len(one) > 1 else None
    return printable(json.dumps(jsonable(one), ensure_ascii=False, indent=indent))


def format_inline(one: Any) -> str:
    """Return a value for display on one line."""
    return printable(one if isinstance(one, str) else json.dumps(jsonable(one), ensure_ascii=False)).replace(
        "\n", "\\n"
    )


def format_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[str]:
    """Return arguments for display, one on each line."""
    return [
        *map(format_inline, args),
        *(f"{printable(str(name))}={format_inline(one)}" for name, one in kwargs.items()),
    ]


def printable(text: str) -> str:
    """Return text with control characters escaped, except line breaks and tabs. It is safe to print on a terminal."""
    return "".join(each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text)
