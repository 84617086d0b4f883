"""Values that code using a client session sees: results, events and invocations, and the handlers that take them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ..wamp.messages import Message, Yield, YieldOptions
from .payload_values import given


class Result(Struct, frozen=True):
    """What a call has brought. ``details`` are those of RESULT; of a part of it they hold ``progress``."""

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = {}
    details: Mapping[str, Any] = {}

    @property
    def value(self) -> Any:
        """The first of ``args``; None where there is none."""
        return self.args[0] if self.args else None


class Event(Struct, frozen=True):
    """What a subscriber gets. ``details`` are those of EVENT."""

    topic: str
    args: list[Any]
    kwargs: dict[str, Any]
    details: dict[str, Any]


class Invocation(Struct, frozen=True):
    """What a procedure gets. ``details`` are those of INVOCATION; ``send`` is for :meth:`progress`."""

    id: int
    procedure: str
    args: list[Any]
    kwargs: dict[str, Any]
    details: dict[str, Any]
    send: Callable[[Message], Awaitable[None]]

    async def progress(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> None:
        """Send a part of the result, if the caller wants parts. Raises PayloadError, and SessionEnded."""
        if self.details.get("receive_progress"):
            await self.send(Yield(self.id, YieldOptions(progress=True), given(args), given(kwargs)))


EventHandler = Callable[[Event], object]
"""What it returns counts for nothing, but an awaitable is awaited, in a task of its own."""
Procedure = Callable[[Invocation], object]
"""What it returns, or the awaitable that it returns, is the result: a Result, or the only value of one."""
