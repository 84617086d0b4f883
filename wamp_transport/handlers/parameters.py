"""Conversion of a message's payload to the parameters of a function, according to their annotations."""

import inspect
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from django.contrib.auth.base_user import AbstractBaseUser
from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from ..node.client_types import Event, Invocation
from ..wamp import errors
from ..wamp.errors import ApplicationError

Source = Literal["message", "caller", "user", "user_or_none"]
"""The sources of parameters that are not filled from the payload."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a procedure, or the publisher of an event.

    For an event, all values are None if the router does not disclose the publisher.
    """

    session: int | None
    authid: str | None
    authrole: str | None

    @classmethod
    def of(cls, message: Invocation | Event) -> "Caller":
        """Return the disclosed details of a message's sender."""
        prefix = "caller" if isinstance(message, Invocation) else "publisher"
        details = message.details
        return cls(details.get(prefix), details.get(f"{prefix}_authid"), details.get(f"{prefix}_authrole"))


class UnusableParameter(TypeError):
    """Raised if an annotation cannot be used. The message contains the reason and, if known, the parameter."""


class Parameters:
    """The parameters of a function.

    The constructor raises UnusableParameter if an annotation cannot be used, or if Python cannot determine the
    parameters, as for some built-in functions.

    ``sources`` maps the names of parameters that are not filled from the payload to their sources. These parameters
    are annotated with Invocation, Event, :class:`Caller` or a user model.
    """

    def __init__(self, function: Callable[..., Any], kind: str) -> None:
        try:
            self._signature = inspect.signature(function)
        except ValueError as fault:
            raise UnusableParameter(f"the parameters of the function are unknown: {fault}") from None
        hints = _hints(function)
        self.sources: dict[str, Source] = {}
        self._adapters: dict[str, TypeAdapter[Any]] = {}
        for name, parameter in self._signature.parameters.items():
            hint = hints.get(name, Any)
            source = _source(hint, kind, name)
            if source is None:
                self._adapters[name] = _adapter(name, hint)
            elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise UnusableParameter(f"parameter {name!r}: this annotation cannot be used with * or **")
            else:
                self.sources[name] = source
        self._payload = self._signature.replace(
            parameters=[one for one in self._signature.parameters.values() if one.name in self._adapters]
        )

    @property
    def wants_user(self) -> bool:
        """Whether the function has a parameter for the Django user."""
        return "user" in self.sources.values() or "user_or_none" in self.sources.values()

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any], others: Mapping[str, Any]) -> inspect.BoundArguments:
        """Return the arguments for a call of the function.

        ``others`` contains the values for the parameters in :attr:`sources`. If the payload does not fit the
        parameters, raises ApplicationError ``wamp.error.invalid_argument``, which names the invalid parameters.
        """
        try:
            payload = self._payload.bind(*args, **kwargs)
        except TypeError as fault:
            named = re.findall(r"'(\w+)'", str(fault))[:1]
            raise ApplicationError(
                errors.INVALID_ARGUMENT, str(fault), parameters=dict.fromkeys(named, str(fault))
            ) from None
        values: dict[str, Any] = dict(others)
        faults: dict[str, str] = {}
        for name, value in payload.arguments.items():
            try:
                values[name] = self._converted(name, value)
            except ValidationError as fault:
                faults[name] = "; ".join(_describe(one) for one in fault.errors(include_url=False, include_input=False))
        if faults:
            text = "; ".join(f"parameter {name!r}: {fault}" for name, fault in faults.items())
            raise ApplicationError(errors.INVALID_ARGUMENT, text, parameters=faults)
        in_order = {name: values[name] for name in self._signature.parameters if name in values}
        return inspect.BoundArguments(self._signature, in_order)

    def _converted(self, name: str, value: Any) -> Any:
        convert = self._adapters[name].validate_python
        kind = self._signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            return tuple(convert(one) for one in value)
        if kind is inspect.Parameter.VAR_KEYWORD:
            return {key: convert(one) for key, one in value.items()}
        return convert(value)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as fault:
        raise UnusableParameter(f"an annotation cannot be evaluated: {fault}") from None


def _source(hint: Any, kind: str, name: str) -> Source | None:
    hint, is_optional = _without_none(hint)
    if not isinstance(hint, type):
        return None
    if hint in (Invocation, Event):
        if (hint is Invocation) != (kind == "procedure"):
            raise UnusableParameter(f"parameter {name!r}: a {kind} cannot get an {hint.__name__}")
        return "message"
    if hint is Caller:
        return "caller"
    if issubclass(hint, AbstractBaseUser):
        return "user_or_none" if is_optional else "user"
    return None


def _without_none(hint: Any) -> tuple[Any, bool]:
    """Return the type X of ``X``, ``X | None`` or ``Annotated[X, ...]``, and whether None is allowed."""
    if get_origin(hint) is Annotated:
        return _without_none(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [one for one in get_args(hint) if one is not type(None)]
        if len(kinds) == 1:
            return kinds[0], len(get_args(hint)) == 2
    return hint, False


def _adapter(name: str, hint: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(hint)
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
        type_name = getattr(hint, "__name__", str(hint))
        raise UnusableParameter(
            f"parameter {name!r}: no payload can be converted to {type_name}; "
            "annotate it with a plain type, a dataclass or a pydantic model"
        ) from None


def _describe(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg']}" if place else str(error["msg"])
