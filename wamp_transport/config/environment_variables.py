"""Values from environment variables. Some attributes allow ``"$NAME"`` or ``"${NAME}"`` as the value."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

_REFERENCE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def variable_name(value: object) -> str | None:
    """Return the name of the environment variable that ``value`` refers to; None if ``value`` is not a reference."""
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return (match[1] or match[2]) if match else None


def environment_of(info: ValidationInfo) -> Mapping[str, str]:
    """Return the environment variables from pydantic's validation context."""
    context = info.context
    return context["environ"] if isinstance(context, dict) and "environ" in context else {}


def number_from_environment(value: Any, info: ValidationInfo) -> Any:
    """Return ``value`` or, if it names an environment variable, the number in the variable.

    Raises PydanticCustomError if the variable is not set or does not contain an integer. The message never contains the
    variable's value.
    """
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
    """Return ``value`` or, if it names an environment variable, whether the variable is set and not empty."""
    name = variable_name(value)
    return value if name is None else bool(environment_of(info).get(name))


def number_in(value: object, environ: Mapping[str, str]) -> int | None:
    """Return the integer in ``value`` or in the environment variable that it names; None if there is no integer."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = environ.get(variable_name(value) or "", "").strip()
    return int(text) if _NUMBER.fullmatch(text) else None


def switch_in(value: object, environ: Mapping[str, str]) -> bool:
    """Return whether ``value`` is True, or names an environment variable that is set and not empty."""
    name = variable_name(value)
    return value is True if name is None else bool(environ.get(name))
