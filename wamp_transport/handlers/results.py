"""Conversion of handlers' return values to payload, including dataclasses, pydantic models and querysets."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final

from django.core.files import File
from django.db.models import Model, QuerySet
from django.utils.functional import Promise
from pydantic import BaseModel

from ..node.client_types import Result
from ..node.payload_values import to_payload
from ..wamp.errors import PayloadError

MAX_DEPTH: Final = 100
"""The maximum nesting depth of values. It is the same as the limit of the node."""


def to_result(outcome: Any) -> Result:
    """Return the result for a function's return value, converted to types that can be sent.

    A value that is not a Result becomes the only positional value of a new Result. Raises PayloadError, which names the
    value that cannot be sent and its place.
    """
    if isinstance(outcome, Result):
        args = [to_plain_value(one, f"result.args[{index}]") for index, one in enumerate(outcome.args)]
        return Result(args, to_plain_value(dict(outcome.kwargs), "result.kwargs"))
    return Result([to_plain_value(outcome)])


def to_plain_value(value: Any, place: str = "result", depth_left: int = MAX_DEPTH) -> Any:
    """Convert ``value`` to lists, dictionaries and scalars that can be sent.

    Raises PayloadError, whose message begins with ``place``, the position of the value.
    """
    if isinstance(value, str) and not isinstance(value, Enum):
        return str.__str__(value)  # subclasses, such as Django's SafeString, become plain strings
    if value is None or isinstance(value, bytes | int | float):
        return value
    if not depth_left:
        raise PayloadError(f"{place} is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, BaseModel):
        return to_plain_value(value.model_dump(), place, depth_left)
    if is_dataclass(value) and not isinstance(value, type):
        return {
            one.name: to_plain_value(getattr(value, one.name), f"{place}.{one.name}", depth_left - 1)
            for one in fields(value)
        }
    if isinstance(value, Mapping):
        return {
            _key(key, place): to_plain_value(one, f"{place}[{key!r}]", depth_left - 1) for key, one in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset | QuerySet):
        return [to_plain_value(one, f"{place}[{index}]", depth_left - 1) for index, one in enumerate(value)]
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, File):
        return value.name or ""
    if isinstance(value, Model):
        kind = type(value).__name__
        raise PayloadError(f"{place} is a {kind}, a Django model: return the fields to send, as a dict or a dataclass")
    return _scalar(value, place)


def _scalar(value: Any, place: str) -> Any:
    try:
        return to_payload([value])[0]
    except PayloadError:
        raise PayloadError(f"{place} is a {type(value).__name__}, which cannot be sent") from None


def _key(key: Any, place: str) -> Any:
    if isinstance(key, str | int):
        return key
    raise PayloadError(f"{place} has a key of type {type(key).__name__}, which cannot be sent")
