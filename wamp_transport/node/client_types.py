"""Values that code using a client session sees: results, events and invocations, and the handlers that take them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ..wamp.messages import Message, Yield, YieldOptions
from .payload_values import to_payload


class Result(Struct, frozen=True):
    """The result of a call. ``details`` are those of RESULT; a progressive result has ``progress`` in them."""

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = {}
    details: Mapping[str, Any] = {}

    @property
    def value(self) -> Any:
        """The first of ``args``, None if there are none."""
        return self.args[0] if self.args else None


class Event(Struct, frozen=True):
    """An event, as a subscriber gets it. ``details`` are those of EVENT."""

    topic: str
    args: list[Any]
    kwargs: dict[str, Any]
    details: dict[str, Any]


class Invocation(Struct, frozen=True):
    """A call, as a procedure gets it. ``details`` are those of INVOCATION; ``send`` is for :meth:`progress`."""

    id: int
    procedure: str
    args: list[Any]
    kwargs: dict[str, Any]
    details: dict[str, Any]
    send: Callable[[Message], Awaitable[None]]

    async def progress(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> None:
        """Send a progressive result if the caller accepts them. Raises PayloadError, SessionClosed."""
        if self.details.get("receive_progress"):
            await self.send(Yield(self.id, YieldOptions(progress=True), to_payload(args), to_payload(kwargs)))


EventHandler = Callable[[Event], object]
"""Handles events. A returned awaitable is awaited in a task of its own; other return values are ignored."""
Procedure = Callable[[Invocation], object]
"""Handles calls. Returns the result, or an awaitable of it: a :class:`Result`, or the only value of one."""
