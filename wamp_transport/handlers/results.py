"""Converts return values of handlers to payload, among them pydantic models, querysets and lazy texts."""

from typing import Any

from django.core.files import File
from django.db.models import Model, QuerySet
from django.utils.functional import Promise
from pydantic import BaseModel

from ..node.client_types import Result
from ..node.payload_values import Unsendable, copy_sendable


def to_result(outcome: Any) -> Result:
    """Return the result for a function's return value, converted to types that can be sent.

    A value that is not a Result becomes the only positional value of a new Result. Raises PayloadError, which names the
    value that cannot be sent and its place.
    """
    if isinstance(outcome, Result):
        args = to_plain_value(list(outcome.args), "result.args")
        return Result(args, to_plain_value(dict(outcome.kwargs), "result.kwargs"))
    return Result([to_plain_value(outcome)])


def to_plain_value(value: Any, place: str = "result") -> Any:
    """Return ``value`` as lists, dictionaries and scalars that every serializer can represent. Raises PayloadError."""
    return copy_sendable(value, place, _replace)


def _replace(value: Any) -> Any:
    """Return what to send in place of a value of Django's or pydantic's types."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, QuerySet):
        return list(value)
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, File):
        return value.name or ""
    if isinstance(value, Model):
        kind = type(value).__name__
        raise Unsendable(f" is a {kind}, a Django model: return the fields to send, as a dict or a dataclass")
    return NotImplemented
