"""Values from environment variables: ``"$NAME"`` or ``"${NAME}"`` in place of a value, for attributes that allow it."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

_REFERENCE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def variable_name(value: object) -> str | None:
    """Return the name of the environment variable that ``value`` refers to, or None."""
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return (match[1] or match[2]) if match else None


def environment_of(info: ValidationInfo) -> Mapping[str, str]:
    """Return the environment in the context of the validation."""
    context = info.context
    return context["environ"] if isinstance(context, dict) and "environ" in context else {}


def number_from_environment(value: Any, info: ValidationInfo) -> Any:
    """Return the number, or the one in the environment variable. Errors never show the variable's text."""
    name = variable_name(value)
    if name is None:
        return value
    text = environment_of(info).get(name)
    if text is None:
        raise PydanticCustomError("config", "environment variable {name} is not set", {"name": name})
    if not _NUMBER.fullmatch(text.strip()):
        raise PydanticCustomError("config", "environment variable {name} does not hold an integer", {"name": name})
    return int(text)


def switch_from_environment(value: Any, info: ValidationInfo) -> Any:
    """Return the boolean, or true if the environment variable holds any text."""
    name = variable_name(value)
    return value if name is None else bool(environment_of(info).get(name))


def number_in(value: object, environ: Mapping[str, str]) -> int | None:
    """Return the integer in ``value`` or its environment variable; None if there is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = environ.get(variable_name(value) or "", "").strip()
    return int(text) if _NUMBER.fullmatch(text) else None


def switch_in(value: object, environ: Mapping[str, str]) -> bool:
    """Return the boolean in ``value`` or its environment variable."""
    name = variable_name(value)
    return value is True if name is None else bool(environ.get(name))
