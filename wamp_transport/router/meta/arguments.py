"""Read the arguments of a meta procedure one by one, and check their types."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from msgspec import ValidationError, convert

from ...wamp import errors
from ...wamp.errors import RequestRefused
from ...wamp.ids import MAX_ID, Id

T = TypeVar("T")


class Arguments:
    """The arguments of a CALL.

    The methods raise RequestRefused (``wamp.error.invalid_argument``) for a missing or invalid argument, with its name
    in the message. The constructor raises it if ``args`` is not a list or ``kwargs`` is not a dictionary.
    """

    def __init__(self, args: Any, kwargs: Any) -> None:
        if not isinstance(args, Sequence) or isinstance(args, str | bytes) or not isinstance(kwargs, Mapping):
            raise RequestRefused(errors.INVALID_ARGUMENT, "the payload must be plain args and kwargs")
        self.args = list(args)
        self.kwargs = dict(kwargs)

    def require(self, position: int, name: str, kind: Any = Id) -> Any:
        """Return a required positional argument, converted to the type ``kind``."""
        if position >= len(self.args):
            raise RequestRefused(errors.INVALID_ARGUMENT, f"argument {name} is missing")
        return convert_argument(self.args[position], name, kind)

    def get(self, position: int, name: str, kind: Any, default: Any = None) -> Any:
        """Return a positional argument, or the default if it is missing or null."""
        if position >= len(self.args) or self.args[position] is None:
            return default
        return convert_argument(self.args[position], name, kind)

    def get_keyword(self, name: str, kind: Any, default: Any = None) -> Any:
        """Return a keyword argument, or the default if it is missing or null."""
        value = self.kwargs.get(name)
        return default if value is None else convert_argument(value, name, kind)


def convert_argument(value: Any, name: str, kind: Any) -> Any:
    """Return ``value`` converted to the type ``kind``. Raises RequestRefused with the argument's ``name``."""
    try:
        return convert(value, kind)
    except ValidationError as fault:
        try:
            # JavaScript clients send ids above 32 bits as floats.
            return convert(with_whole_numbers(value), kind)
        except ValidationError:
            raise RequestRefused(errors.INVALID_ARGUMENT, f"{name}: {fault}") from fault


def with_whole_numbers(value: Any) -> Any:
    """Return ``value`` with whole numbers converted from floats to integers, also inside lists and dictionaries."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_ID:
        return int(value)
    if isinstance(value, list | tuple):
        return [with_whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: with_whole_numbers(item) for key, item in value.items()}
    return value
