"""Convert the return values of handlers to payloads. Pydantic models, querysets and lazy texts are supported."""

from typing import Any

from django.core.files import File
from django.db.models import Model, QuerySet
from django.utils.functional import Promise
from pydantic import BaseModel

from ..node.client_types import Result
from ..node.payload_values import Unsendable, copy_sendable


def to_result(outcome: Any) -> Result:
    """Return the result for a function's return value, converted to types that can be sent.

    A value that is not a Result becomes the only positional value of a new Result. Raises PayloadError if a value
    cannot be sent. The message says where the value is, such as ``result.args[0]``.
    """
    if isinstance(outcome, Result):
        args = to_plain_value(list(outcome.args), "result.args")
        return Result(args, to_plain_value(dict(outcome.kwargs), "result.kwargs"))
    return Result([to_plain_value(outcome)])


def to_plain_value(value: Any, place: str = "result") -> Any:
    """Convert ``value`` to lists, dictionaries and scalars; see :func:`~wamp_transport.node.payload_values.to_payload`.

    Raises PayloadError if this is impossible. Its message gives the position of the invalid value, starting with
    ``place``.
    """
    return copy_sendable(value, place, _replace)


def _replace(value: Any) -> Any:
    """Return the replacement for a value of a Django or pydantic type; NotImplemented for values of other types.

    Raises Unsendable for a Django model.
    """
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
