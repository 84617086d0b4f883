"""From what a function returns to payload: models, dataclasses and querysets become what every serializer can say."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final

from django.core.files import File
from django.db.models import Model, QuerySet
from django.utils.functional import Promise
from pydantic import BaseModel

from ..node.client_types import Result
from ..node.payload_values import given
from ..wamp.errors import PayloadError

MAX_DEPTH: Final = 100
"""Values inside each other; the node takes no more."""


def payload(outcome: Any) -> Result:
    """The result that a function means by what it returns: a Result as it is, None none, all else the only value.

    Raises PayloadError, which says what cannot be sent and where it is.
    """
    if isinstance(outcome, Result):
        args = [plain(one, f"result.args[{index}]") for index, one in enumerate(outcome.args)]
        return Result(args, plain(dict(outcome.kwargs), "result.kwargs"))
    return Result([plain(outcome)])


def plain(value: Any, place: str = "result", room: int = MAX_DEPTH) -> Any:
    """``value`` in lists, dictionaries, and scalars that the node knows to say. Raises PayloadError."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return str.__str__(value)  # of subclasses, such as Django's safe strings, the plain string
    if value is None or isinstance(value, bytes | int | float):
        return value
    if not room:
        raise PayloadError(f"{place} holds more than {MAX_DEPTH} values inside each other")
    if isinstance(value, BaseModel):
        return plain(value.model_dump(), place, room)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name), f"{place}.{one.name}", room - 1) for one in fields(value)}
    if isinstance(value, Mapping):
        return {_key(key, place): plain(one, f"{place}[{key!r}]", room - 1) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset | QuerySet):
        return [plain(one, f"{place}[{index}]", room - 1) for index, one in enumerate(value)]
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, File):
        return value.name or ""
    if isinstance(value, Model):
        kind = type(value).__name__
        raise PayloadError(f"{place} is a {kind}, a Django model: return what is meant of it, as a dict or a dataclass")
    return _scalar(value, place)


def _scalar(value: Any, place: str) -> Any:
    try:
        return given([value])[0]
    except PayloadError:
        raise PayloadError(f"{place} is a {type(value).__name__}, which cannot be sent") from None


def _key(key: Any, place: str) -> Any:
    if isinstance(key, str | int):
        return key
    raise PayloadError(f"{place} has a key of type {type(key).__name__}, which cannot be sent")
