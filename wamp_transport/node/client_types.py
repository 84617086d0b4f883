"""The results, events and invocations of client sessions, and the types of handlers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ..wamp.messages import Message, Yield, YieldOptions
from .payload_values import to_payload


class Result(Struct, frozen=True):
    """The result of a call. ``details`` are the details of RESULT, such as ``progress`` for a progressive result."""

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = {}
    details: Mapping[str, Any] = {}

    @property
    def value(self) -> Any:
        """The first of ``args``, or None if there are none."""
        return self.args[0] if self.args else None


class Event(Struct, frozen=True):
    """An event, as a subscriber receives it. ``details`` are the details of EVENT."""

    topic: str
    args: list[Any]
    kwargs: dict[str, Any]
    details: dict[str, Any]


class Invocation(Struct, frozen=True):
    """A call, as a procedure receives it. ``details`` are the details of INVOCATION.

    ``send`` is the function with which :meth:`progress` sends messages.
    """

    id: int
    procedure: str
    args: list[Any]
    kwargs: dict[str, Any]
    details: dict[str, Any]
    send: Callable[[Message], Awaitable[None]]

    async def progress(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> None:
        """Send a progressive result. Do nothing if the caller does not accept progressive results.

        Raises PayloadError if a value cannot be sent, and SessionClosed if the session is closed.
        """
        if self.details.get("receive_progress"):
            await self.send(Yield(self.id, YieldOptions(progress=True), to_payload(args), to_payload(kwargs, "kwargs")))


EventHandler = Callable[[Event], object]
"""A function that handles events. If it returns an awaitable, the awaitable runs in a separate task. Other return
values are ignored.
"""
Procedure = Callable[[Invocation], object]
"""A function that handles calls.

It returns the result, or an awaitable that returns the result. A value that is not a :class:`Result` is sent as the
only positional value.
"""
